"""Model versions as endpoints serve them: what `entity_name` and `entity_version` of a served entity stand for."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from openfm.catalog.catalog import Catalog
from openfm.control.registry import repository
from openfm.control.registry.ports import Measured, ModelGrants
from openfm.core.errors import InvalidParameterValue, NotFound, PermissionDenied
from openfm.core.model import EmbeddingTraits, ModelProfile, Pooling, Task
from openfm.core.principal import Principal
from openfm.core.registry import (
    BASE_TAG,
    Manifest,
    ModelName,
    ModelVersion,
    VersionStatus,
    model_not_found,
    version_not_found,
    version_number,
)
from openfm.scheduling.work import Throughput
from openfm.store.database import Database


@dataclass(frozen=True, slots=True)
class ServableVersion:
    """A version that can be served.

    `ids` is its id, for a LoRA adapter also its base's. `facts` are those of `weights.inspection.ModelFacts`, empty for
    the catalogue's models, whose files the catalogue names; `digest` is then None and `manifest` empty. `tags` are the
    version's own (`openfm.quantization`).
    """

    ids: frozenset[str]
    entity_name: str
    entity_version: str
    profile: ModelProfile
    facts: Mapping[str, Any]
    digest: str | None
    manifest: Manifest
    tags: Mapping[str, str]


class ServableModels:
    """Finds what endpoints may serve. Blocks: it asks the database."""

    def __init__(self, database: Database, catalog: Catalog, grants: ModelGrants, measured: Measured) -> None:
        self._measured = measured
        self._database = database
        self._catalog = catalog
        self._grants = grants

    def find(self, entity_name: str, entity_version: str | int, caller: Principal) -> ServableVersion:
        """The version, for somebody who wants to serve it.

        Raises `NotFound`, `PermissionDenied` without EXECUTE, `InvalidParameterValue` with the reason where it is not
        READY or nothing can serve it.
        """
        name, number = ModelName.parse(entity_name), version_number(entity_version)
        return self._servable(*self._allowed(name, number, caller))

    def optimization(self, entity_name: str, entity_version: str, caller: Principal) -> dict[str, Any]:
        """What Databricks calls the model's optimization info; `reason` says why a version is not optimizable.

        Raises `NotFound`, `PermissionDenied`.
        """
        name, number = ModelName.parse(entity_name), version_number(entity_version)
        version, manifest = self._allowed(name, number, caller)
        try:
            servable = self._servable(version, manifest)
        except InvalidParameterValue as error:
            return {"optimizable": False, "reason": error.message}
        # The catalogue knows no architectures; the name's first word (smollm2, minilm) is the model's family.
        model_type = servable.facts.get("model_type") or name.model.split("_")[0]
        chunk = self.throughput(servable).chunk
        return {"optimizable": True, "model_type": model_type, "throughput_chunk_size": chunk}

    def throughput(self, version: ServableVersion) -> Throughput:
        """What it can be promised here: as measured, else as expected of its size; of an adapter, what its base can."""
        base = self._base(version)
        return self._measured.throughput(version.ids | base.ids, self._parameters(base))

    def _base(self, version: ServableVersion) -> ServableVersion:
        """What an adapter belongs to; the version itself where it is no adapter, or one that cannot be served yet."""
        name, slash, number = version.tags.get(BASE_TAG, "").rpartition("/")
        if version.facts.get("adapter_of") is None or not slash:
            return version
        try:
            return self._servable(*self._found(ModelName.parse(name), version_number(number))[1:])
        except (NotFound, InvalidParameterValue):
            return version

    def _allowed(self, name: ModelName, number: int, caller: Principal) -> tuple[ModelVersion, Manifest]:
        owner, version, manifest = self._found(name, number)
        if not self._grants.may_execute(caller, name.full_name):
            raise PermissionDenied(
                f"You have no EXECUTE on the model '{name}'. Ask its owner ({owner}) for it.", param="entity_name"
            )
        return version, manifest

    def _found(self, name: ModelName, number: int) -> tuple[str, ModelVersion, Manifest]:
        """The model's owner, the version and its files. Raises `NotFound`."""
        with self._database.transaction() as connection:
            model = repository.find_model(connection, name)
            if model is None:
                raise model_not_found(name, "entity_name")
            version = repository.find_version(connection, name, number)
            if version is None:
                raise version_not_found(name, number, "entity_version")
            return model.owner, version, repository.manifest(connection, name, number)

    def _parameters(self, servable: ServableVersion) -> int:
        if "parameters" in servable.facts:
            return int(servable.facts["parameters"])
        return self._catalog.find(servable.entity_name).size_bytes  # a byte each: the defaults are quantised

    def digests(self) -> frozenset[str]:
        """What the files of every registered version hash to."""
        with self._database.transaction() as connection:
            return repository.version_digests(connection)

    def are_registered(self, version_ids: frozenset[str]) -> bool:
        """Whether all of these versions are there still."""
        with self._database.transaction() as connection:
            return repository.known_version_ids(connection, version_ids) == version_ids

    def _servable(self, version: ModelVersion, manifest: Manifest) -> ServableVersion:
        named = f"Version {version.version} of '{version.name}'"
        if version.status is VersionStatus.FAILED:
            raise InvalidParameterValue(f"{named} failed to register: {version.status_message}", param="entity_version")
        if version.status is VersionStatus.PENDING:
            raise InvalidParameterValue(
                f"{named} is still being registered; wait until it is READY. {version.status_message}".rstrip(),
                param="entity_version",
            )
        if version.name.is_system:
            profile, facts = self._catalogue_profile(version), {}
        elif version.facts is None:
            reason = version.unservable_reason or "Nothing is known about its files."
            raise InvalidParameterValue(f"{named} cannot be served: {reason}", param="entity_version")
        else:
            profile, facts = profile_of(version), dict(version.facts)
        return ServableVersion(
            ids=frozenset({version.id}),
            entity_name=version.name.full_name,
            entity_version=str(version.version),
            profile=profile,
            facts=facts,
            digest=version.digest,
            manifest=manifest,
            tags=version.tags,
        )

    def _catalogue_profile(self, version: ModelVersion) -> ModelProfile:
        try:
            return self._catalog.find(version.name.full_name).profile
        except NotFound:
            raise InvalidParameterValue(
                f"The catalogue of this openfm no longer has '{version.name}'; choose another model.",
                param="entity_name",
            ) from None


def profile_of(version: ModelVersion) -> ModelProfile:
    """The profile of a version whose facts are known."""
    facts = version.facts or {}
    model_id = f"{version.name.model}-{version.version}"
    profile = ModelProfile(
        name=version.name.full_name,
        model_id=model_id,
        display_name=model_id,
        description=version.comment,
        docs="",
        task=Task(facts["task"]),
        context_length=int(facts["context_length"]),
        has_function_calling=bool(facts.get("has_function_calling")),
    )
    traits = facts.get("embedding")
    return replace(profile, embedding=_traits(traits)) if traits else profile


def _traits(traits: Mapping[str, Any]) -> EmbeddingTraits:
    return EmbeddingTraits(int(traits["dimension"]), Pooling(traits["pooling"]), bool(traits["is_normalized"]))
