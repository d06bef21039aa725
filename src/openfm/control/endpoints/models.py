"""Registered models as endpoints need them: asked for when an endpoint is made, remembered while it serves them."""

from dataclasses import replace
from typing import Protocol

from openfm.control.registry.models import ServableVersion
from openfm.core.errors import InvalidParameterValue
from openfm.core.model import ServableModel
from openfm.core.principal import Principal
from openfm.core.registry import BASE_TAG
from openfm.scheduling.work import Throughput

_PLATFORM = Principal(id="0", name="system", is_admin=True)


class VersionFinder(Protocol):
    """The registry, as far as serving goes (`control.registry.models.ServableModels`)."""

    def find(self, entity_name: str, entity_version: str | int, caller: Principal) -> ServableVersion:
        """The version. Raises `NotFound`, `PermissionDenied`, `InvalidParameterValue`."""
        ...

    def throughput(self, version: ServableVersion) -> Throughput:
        """What it can be promised on this machine."""
        ...

    def digests(self) -> frozenset[str]:
        """What the files of every registered version hash to."""
        ...

    def are_registered(self, version_ids: frozenset[str]) -> bool:
        """Whether all of these versions are there still."""
        ...


class KnownModels:
    """Remembers what the registry said. `longest_context` caps every model's context length; None caps nothing.

    Blocks where a version is asked for the first time.
    """

    def __init__(self, registry: VersionFinder, longest_context: int | None) -> None:
        self._registry = registry
        self._longest_context = longest_context
        self._versions: dict[tuple[str, str], ServableVersion] = {}
        self._bases: dict[tuple[str, str], ServableVersion] = {}

    def servable(self, entity_name: str, entity_version: str, caller: Principal) -> ServableModel:
        """See `ports.Models.servable`."""
        return _servable(self._keep(entity_name, entity_version, caller))

    def served(self, entity_name: str, entity_version: str) -> ServableModel:
        """See `ports.Models.served`."""
        return _servable(self.version(entity_name, entity_version))

    def are_registered(self, version_ids: frozenset[str]) -> bool:
        """See `ports.Models.are_registered`."""
        return self._registry.are_registered(version_ids)

    def throughput(self, entity_name: str, entity_version: str) -> Throughput:
        """See `ports.Models.throughput`; an adapter computes what its base does."""
        version = self.version(entity_name, entity_version)
        base = self._bases.get((entity_name, entity_version))
        return self._registry.throughput(version if base is None else replace(base, ids=version.ids))

    def version(self, entity_name: str, entity_version: str) -> ServableVersion:
        """All that is known of the version. Raises `NotFound`."""
        known = self._versions.get((entity_name, entity_version))
        return known or self._keep(entity_name, entity_version, _PLATFORM)

    def known_base(self, entity_name: str, entity_version: str) -> ServableVersion | None:
        """What an adapter that was asked for before belongs to; None for a model of its own. Does not wait."""
        return self._bases.get((entity_name, entity_version))

    def digests(self) -> frozenset[str]:
        """What the files of every registered version hash to."""
        return self._registry.digests()

    def base_of(self, version: ServableVersion, caller: Principal = _PLATFORM) -> ServableVersion | None:
        """The model that a LoRA adapter belongs to, or None for a model of its own.

        Raises `InvalidParameterValue` where the adapter's tag does not name it, and what `servable` does: whoever
        serves an adapter needs EXECUTE on its base too.
        """
        adapter_of = version.facts.get("adapter_of")
        if adapter_of is None:
            return None
        name, slash, number = version.tags.get(BASE_TAG, "").rpartition("/")
        if not slash:
            raise InvalidParameterValue(
                f"'{version.entity_name}' is an adapter of {adapter_of}. Register that model, then set this version's "
                f"tag {BASE_TAG} to its name and version, like main.default.base/1.",
                param="entity_version",
            )
        return self._registry.find(name, number, caller)

    def _keep(self, entity_name: str, entity_version: str, caller: Principal) -> ServableVersion:
        found = self._registry.find(entity_name, entity_version, caller)
        base = self.base_of(found, caller)
        if base is not None:
            task, context = base.profile.task, base.profile.context_length
            profile = replace(found.profile, task=task, context_length=context, embedding=base.profile.embedding)
            found = replace(found, profile=profile, ids=found.ids | base.ids)
            self._bases[entity_name, entity_version] = base
        if self._longest_context is not None:
            capped = min(found.profile.context_length, self._longest_context)
            found = replace(found, profile=replace(found.profile, context_length=capped))
        self._versions[entity_name, entity_version] = found
        return found


def _servable(version: ServableVersion) -> ServableModel:
    return ServableModel(version.profile, version.ids)
