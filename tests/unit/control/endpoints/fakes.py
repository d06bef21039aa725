"""Models, keys and grants that say what a test needs."""

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Connection

from openfm.core.errors import NotFound, PermissionDenied
from openfm.core.external import SecretReference
from openfm.core.model import ModelProfile, ServableModel, Task
from openfm.core.principal import PermissionLevel, Principal
from openfm.scheduling.work import PROVISIONAL_WEIGHTS, Throughput

ANN = Principal("7", "ann@example.org")
CHUNK = 100
THROUGHPUT = Throughput(PROVISIONAL_WEIGHTS, 4.0 * CHUNK)
"""Of every model that nobody measured: the machine can be promised four chunks."""


def profile(name: str, task: Task = Task.CHAT) -> ModelProfile:
    return ModelProfile(name, name, name, "", "", task, 1000)


def version_id(entity_name: str, entity_version: str) -> str:
    return f"{entity_name}/{entity_version}"


@dataclass
class FakeModels:
    """Version 1 to 3 of any model of catalog `main`; those of schema `embed` embed, those of `secret` are others'."""

    deleted: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)

    def servable(self, entity_name: str, entity_version: str, caller: Principal) -> ServableModel:
        del caller
        if ".secret." in entity_name:
            raise PermissionDenied("Not yours.")
        return self.served(entity_name, entity_version)

    def served(self, entity_name: str, entity_version: str) -> ServableModel:
        if not entity_name.startswith("main.") or entity_version not in ("1", "2", "3"):
            raise NotFound(f"There is no {entity_name} version {entity_version}.")
        if version_id(entity_name, entity_version) in self.lost:
            raise NotFound(f"Version {entity_version} of {entity_name} is gone.")
        task = Task.EMBEDDINGS if ".embed." in entity_name else Task.CHAT
        return ServableModel(profile(entity_name, task), frozenset({version_id(entity_name, entity_version)}))

    def are_registered(self, version_ids: frozenset[str]) -> bool:
        return self.deleted.isdisjoint(version_ids)

    def throughput(self, entity_name: str, entity_version: str) -> Throughput:
        del entity_name, entity_version
        return THROUGHPUT


class FakeKeys:
    """Encrypts by turning round."""

    def encrypt(self, plaintext: str) -> str:
        return plaintext[::-1]

    def refer(self, caller: Principal, reference: str) -> SecretReference:
        if reference != "{{secrets/scope/key}}":
            raise NotFound(f"There is no secret {reference}.")
        return SecretReference(reference, "scope", caller.id)


@dataclass
class FakeGrants:
    """Levels in a dictionary."""

    levels: dict[tuple[str, str], PermissionLevel] = field(default_factory=dict)

    def level(self, caller: Principal, endpoint_id: str) -> PermissionLevel | None:
        return self.levels.get((caller.name, endpoint_id))

    def grant(self, connection: Connection, endpoint_id: str, principal: Principal, level: PermissionLevel) -> None:
        del connection
        self.levels[principal.name, endpoint_id] = level

    def forget(self, connection: Connection, endpoint_id: str) -> None:
        del connection
        self.levels = {key: level for key, level in self.levels.items() if key[1] != endpoint_id}

    def take_over(self, connection: Connection) -> Callable[[], None]:
        del connection
        return lambda: None
