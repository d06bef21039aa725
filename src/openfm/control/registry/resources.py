"""What every part of the registry works with, and who may see or change a model."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Connection

from openfm.control.registry import repository
from openfm.control.registry.ports import ModelGrants, ServedVersions
from openfm.control.registry.repository import Stamp
from openfm.core.errors import Conflict, NotFound, PermissionDenied
from openfm.core.principal import Principal
from openfm.core.registry import (
    HUB_KIND,
    SOURCE_KIND_TAG,
    ModelName,
    ModelVersion,
    RegisteredModel,
    VersionStatus,
    model_not_found,
    version_not_found,
)
from openfm.store.blobs import BlobStore
from openfm.store.database import Database
from openfm.store.uploads import Uploads
from openfm.telemetry.survival import survived


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Resources:
    """The registry's state and the answers of others. `progress` tells, by a version's id, how its fetch is doing."""

    database: Database
    blobs: BlobStore
    uploads: Uploads
    grants: ModelGrants
    served: ServedVersions
    now_ms: Callable[[], int] = _now_ms
    progress: dict[str, str] = field(default_factory=dict)

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

    def version_by_id(self, connection: Connection, version_id: str) -> ModelVersion:
        """The version, whatever its model is called now. Raises `NotFound`."""
        version = repository.find_version_by_id(connection, version_id)
        if version is None:
            raise NotFound("The model version was deleted meanwhile. Make a new one.", param="version")
        return version

    def pending(self, connection: Connection, version_id: str) -> ModelVersion:
        """The version, to add files to it. Raises `NotFound`, or `Conflict` once it is final."""
        return still_pending(self.version_by_id(connection, version_id))

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

    def end_uploads(self, name: ModelName, number: int | None = None) -> None:
        """Remove the uploads to a version, or to all of a model's. Those that stay lead nowhere, and go at start."""
        with survived("registry.uploads_not_ended"):
            self.uploads.end_all(name.full_name, number)

    def _digests(self) -> frozenset[str]:
        with self.database.transaction() as connection:
            return repository.digests(connection)


def still_pending(version: ModelVersion) -> ModelVersion:
    """The version, whose files may change. Raises `Conflict` once it is final."""
    if version.status is not VersionStatus.PENDING:
        raise Conflict(
            f"Version {version.version} of '{version.name}' is {version.status.value}; its files do not change any "
            "more. Make a new version."
        )
    return version


def refuse_while_fetched(version: ModelVersion) -> None:
    """Raise `Conflict` while the server itself is fetching the version's files."""
    if version.status is VersionStatus.PENDING and version.tags.get(SOURCE_KIND_TAG) == HUB_KIND:
        raise Conflict(
            f"The server is fetching version {version.version} of '{version.name}' and makes it READY by itself. "
            "Wait for it, or delete the version."
        )
