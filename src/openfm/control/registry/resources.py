"""What every part of the registry works with, and who may see or change a model."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Connection

from openfm.control.registry import repository
from openfm.control.registry.ports import ModelGrants, ServedVersions
from openfm.control.registry.repository import Stamp
from openfm.core.errors import Conflict, PermissionDenied
from openfm.core.principal import Principal
from openfm.core.registry import ModelName, ModelVersion, RegisteredModel, model_not_found, version_not_found
from openfm.store.blobs import BlobStore
from openfm.store.database import Database
from openfm.store.uploads import Uploads
from openfm.telemetry.survival import survived


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Resources:
    """The registry's state and the answers of others.

    `progress` tells how registrations in progress are doing, by the version's id. `on_collect` are called, in the
    thread of whoever deletes, when contents went: what others made of them can go too.
    """

    database: Database
    blobs: BlobStore
    uploads: Uploads
    grants: ModelGrants
    served: ServedVersions
    now_ms: Callable[[], int] = _now_ms
    progress: dict[str, str] = field(default_factory=dict)
    on_collect: list[Callable[[], None]] = field(default_factory=list)

    def stamp(self, caller: Principal) -> Stamp:
        """A change by this caller, now."""
        return Stamp(caller.name, self.now_ms())

    def model(self, connection: Connection, name: ModelName) -> RegisteredModel:
        """The model, whoever asks. Raises `NotFound`."""
        model = repository.find_model(connection, name)
        if model is None:
            raise model_not_found(name)
        return model

    def viewable(self, connection: Connection, name: ModelName, caller: Principal) -> RegisteredModel:
        """The model. Raises `NotFound`, or `PermissionDenied` without EXECUTE."""
        model = self.model(connection, name)
        if not self.grants.may_execute(caller, name.full_name):
            raise PermissionDenied(f"You have no EXECUTE on the model '{name}'. Ask its owner ({model.owner}) for it.")
        return model

    def changeable(self, connection: Connection, name: ModelName, caller: Principal) -> RegisteredModel:
        """The model, to change it. Raises `NotFound`, or `PermissionDenied` without MANAGE."""
        model = self.viewable(connection, name, caller)
        if name.is_system:
            raise PermissionDenied(
                f"'{name}' comes with openfm and cannot be changed. Register your own model instead."
            )
        if not self.grants.may_manage(caller, name.full_name):
            raise PermissionDenied(
                f"You may use the model '{name}', but not change it. Ask its owner ({model.owner}) for MANAGE."
            )
        return model

    def version(self, connection: Connection, name: ModelName, number: int) -> ModelVersion:
        """The version. Raises `NotFound`."""
        version = repository.find_version(connection, name, number)
        if version is None:
            raise version_not_found(name, number)
        return version

    def refuse_while_served(self, version_ids: frozenset[str], which: str, what: str) -> None:
        """Raise `Conflict` while an endpoint needs one of these versions; only `served.settled()` keeps it true."""
        endpoints = self.served.serving(version_ids)
        if endpoints:
            raise Conflict(
                f"{which} is served by {', '.join(sorted(endpoints))} and cannot be {what}. "
                "Take it out of these endpoints first."
            )

    def collect(self) -> None:
        """Remove contents that no version names any more. What is not removed now goes the next time, or at start."""
        with survived("registry.not_collected"):
            self.blobs.collect(self._digests)
            for listener in self.on_collect:
                listener()

    def end_uploads(self, name: ModelName, number: int | None = None) -> None:
        """Remove the uploads to a version, or to all of a model's. Those that stay lead nowhere, and go at start."""
        with survived("registry.uploads_not_ended"):
            self.uploads.end_all(name.full_name, number)

    def _digests(self) -> frozenset[str]:
        with self.database.transaction() as connection:
            return repository.digests(connection)
