"""Models, keys and grants that say what a test needs."""

from dataclasses import dataclass, field

from sqlalchemy import Connection

from openfm.core.errors import NotFound, PermissionDenied
from openfm.core.model import ModelProfile, Task
from openfm.core.principal import PermissionLevel, Principal

ANN = Principal("7", "ann@example.org")
CHUNK = 100


def profile(name: str, task: Task = Task.CHAT) -> ModelProfile:
    return ModelProfile(name, name, name, "", "", task, 1000)


@dataclass
class FakeModels:
    """Version 1 to 3 of any model of catalog `main`; those of schema `embed` embed, those of `secret` are others'."""

    def servable(self, entity_name: str, entity_version: str, caller: Principal) -> ModelProfile:
        del caller
        if ".secret." in entity_name:
            raise PermissionDenied("Not yours.")
        return self.profile(entity_name, entity_version)

    def profile(self, entity_name: str, entity_version: str) -> ModelProfile:
        if not entity_name.startswith("main.") or entity_version not in ("1", "2", "3"):
            raise NotFound(f"There is no {entity_name} version {entity_version}.")
        return profile(entity_name, Task.EMBEDDINGS if ".embed." in entity_name else Task.CHAT)

    def throughput_chunk_size(self, entity_name: str, entity_version: str) -> int:
        del entity_name, entity_version
        return CHUNK


class FakeKeys:
    """Encrypts by turning round."""

    def encrypt(self, plaintext: str) -> str:
        return plaintext[::-1]

    def resolve_for(self, caller: Principal, reference: str) -> str:
        del caller
        if reference != "{{secrets/scope/key}}":
            raise NotFound(f"There is no secret {reference}.")
        return "secret"


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

    def reload(self) -> None:
        pass
