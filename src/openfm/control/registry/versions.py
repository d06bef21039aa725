"""Versions of registered models, from the first file to READY. Every method blocks."""

import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection

from openfm.control.registry import repository
from openfm.control.registry.own_tags import check_changes, check_values
from openfm.control.registry.ports import Inspector
from openfm.control.registry.repository import Page
from openfm.control.registry.resources import Resources, refuse_while_fetched
from openfm.control.registry.service import (
    changed_tags,
    checked_comment,
    checked_tags,
    page_limit,
    page_token_after,
    version_after,
)
from openfm.core.errors import Conflict, InvalidParameterValue
from openfm.core.principal import Principal
from openfm.core.registry import (
    QUANTIZATION_TAG,
    SOURCE_KIND_TAG,
    Manifest,
    ModelName,
    ModelVersion,
    VersionStatus,
    manifest_digest,
)
from openfm.weights.errors import UnsupportedModel


@dataclass(frozen=True, slots=True)
class NewVersion:
    """What a client says of a version that it is about to upload."""

    source: str = ""
    run_id: str = ""
    comment: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VersionPage:
    """Some versions, newest first, and the token of the next page, empty at the end."""

    versions: Sequence[ModelVersion]
    next_page_token: str


class Versions:
    """Model versions."""

    def __init__(self, resources: Resources, inspector: Inspector) -> None:
        self._own = resources
        self._inspector = inspector

    def create(self, name: ModelName, caller: Principal, new: NewVersion) -> ModelVersion:
        """A version that waits for its files."""
        checked_comment(new.comment)
        check_values(checked_tags(new.tags))
        stamp = self._own.stamp(caller)
        with self._own.database.transaction() as connection:
            self._own.changeable(connection, name, caller)
            version = ModelVersion(
                name=name,
                version=repository.next_version(connection, name),
                id=uuid.uuid4().hex,
                status=VersionStatus.PENDING,
                status_message="",
                source=new.source,
                run_id=new.run_id,
                comment=new.comment,
                created_at=stamp.at,
                created_by=stamp.by,
                updated_at=stamp.at,
                updated_by=stamp.by,
                tags=new.tags,
            )
            repository.insert_version(connection, version)
        return version

    def get(self, name: ModelName, caller: Principal, number: int) -> ModelVersion:
        """The version. Raises `NotFound`, `PermissionDenied`."""
        with self._own.database.transaction() as connection:
            self._own.viewable(connection, name, caller)
            return self._with_progress(self._own.version(connection, name, number))

    def list(self, name: ModelName, caller: Principal, max_results: int | None, page_token: str) -> VersionPage:
        """The model's versions, newest first."""
        limit = page_limit(max_results)
        with self._own.database.transaction() as connection:
            self._own.viewable(connection, name, caller)
            found = repository.list_versions(connection, name, Page(limit + 1, version_after(page_token)))
        shown = [self._with_progress(version) for version in found[:limit]]
        return VersionPage(shown, page_token_after(str(shown[-1].version)) if len(found) > limit else "")

    def update(self, name: ModelName, caller: Principal, number: int, comment: str | None) -> ModelVersion:
        """Change the comment; None leaves it."""
        values = {} if comment is None else {"comment": checked_comment(comment)}
        return self._change(name, caller, number, values)

    def set_tags(
        self, name: ModelName, caller: Principal, number: int, changes: Mapping[str, str | None]
    ) -> ModelVersion:
        """Set tags; None removes one. Raises `Conflict` for how to convert what an endpoint serves already."""
        with self._own.served.settled(), self._own.database.transaction() as connection:
            self._own.changeable(connection, name, caller)
            version = self._own.version(connection, name, number)
            check_changes(version, changes)
            if changes.get(QUANTIZATION_TAG, version.tags.get(QUANTIZATION_TAG)) != version.tags.get(QUANTIZATION_TAG):
                which = f"Version {number} of '{name}'"
                self._own.refuse_while_served(frozenset({version.id}), which, "converted in another way")
            values = {"tags": dict(changed_tags(version.tags, changes))}
            repository.change_version(connection, name, number, values, self._own.stamp(caller))
            return self._own.version(connection, name, number)

    def delete(self, name: ModelName, caller: Principal, number: int) -> None:
        """Remove the version and what no other needs of its files. Raises `Conflict` while an endpoint serves it."""
        with self._own.served.settled(), self._own.database.transaction() as connection:
            self._own.changeable(connection, name, caller)
            version = self._own.version(connection, name, number)
            self._own.refuse_while_served(frozenset({version.id}), f"Version {number} of '{name}'", "deleted")
            repository.delete_version(connection, name, number)
        self._own.end_uploads(name, number)
        self._own.collect()

    def manifest(self, name: ModelName, caller: Principal, number: int) -> Manifest:
        """The version's files."""
        with self._own.database.transaction() as connection:
            self._own.viewable(connection, name, caller)
            self._own.version(connection, name, number)
            return repository.manifest(connection, name, number)

    def finalize(self, name: ModelName, caller: Principal, number: int) -> ModelVersion:
        """Look at the files and end the registration: READY, or FAILED with the reason.

        A version that `openfm models register` made fails when its files are corrupt or refused. Everything else is
        READY, a model that nothing here serves too (an MLflow model of another flavor); it keeps the reason. Raises
        `Conflict` when files arrive meanwhile, and while the server fetches them itself.
        """
        with self._own.database.transaction() as connection:
            self._own.changeable(connection, name, caller)
            version = self._own.version(connection, name, number)
        refuse_while_fetched(version)
        return self.conclude(version.id, caller)

    def conclude(self, version_id: str, caller: Principal) -> ModelVersion:
        """`finalize` for whoever knows the version by its id, and may do it. Raises `NotFound` once it is deleted."""
        with self._own.database.transaction() as connection:
            version = self._own.version_by_id(connection, version_id)
            manifest = repository.manifest(connection, version.name, version.version)
        if version.status is not VersionStatus.PENDING:
            return _concluded(version)
        outcome = self._inspected(version, manifest)
        with self._own.database.transaction() as connection:
            version = self._own.version_by_id(connection, version_id)  # it may be called otherwise, or be final by now
            if version.status is not VersionStatus.PENDING:
                return _concluded(version)
            done = self._settle(connection, version, manifest, outcome, caller)
        self._own.end_uploads(done.name, done.version)
        if done.status is VersionStatus.FAILED:
            self._own.collect()
        return done

    def fail(self, version_id: str, caller: Principal, reason: str) -> None:
        """End a registration without a result. A version that is final, or gone, stays as it is."""
        values = {"status": VersionStatus.FAILED.value, "status_message": reason}
        with self._own.database.transaction() as connection:
            version = repository.find_version_by_id(connection, version_id)
            if version is not None and version.status is VersionStatus.PENDING:
                repository.change_version(connection, version.name, version.version, values, self._own.stamp(caller))
                repository.remove_files(connection, version.name, version.version)
        self._own.collect()

    def _settle(
        self,
        connection: Connection,
        version: ModelVersion,
        manifest: Manifest,
        outcome: Mapping[str, Any],
        caller: Principal,
    ) -> ModelVersion:
        """Keep what inspection of these files said. Raises `Conflict` if they are not the version's files any more."""
        name, number = version.name, version.version
        if manifest_digest(repository.manifest(connection, name, number)) != manifest_digest(manifest):
            raise Conflict(f"Files of version {number} of '{name}' are still arriving. Finalize when all are here.")
        repository.change_version(connection, name, number, outcome, self._own.stamp(caller))
        if outcome["status"] == VersionStatus.FAILED.value:
            repository.remove_files(connection, name, number)
        return self._own.version(connection, name, number)

    def _change(self, name: ModelName, caller: Principal, number: int, values: Mapping[str, Any]) -> ModelVersion:
        with self._own.database.transaction() as connection:
            self._own.changeable(connection, name, caller)
            self._own.version(connection, name, number)
            repository.change_version(connection, name, number, values, self._own.stamp(caller))
            return self._own.version(connection, name, number)

    def _inspected(self, version: ModelVersion, manifest: Manifest) -> dict[str, Any]:
        """The columns that inspection decides."""
        folder = self._own.blobs.root / "layouts" / uuid.uuid4().hex
        ready: dict[str, Any] = {
            "status": VersionStatus.READY.value,
            "status_message": "",
            "digest": manifest_digest(manifest),
        }
        try:
            self._own.blobs.materialize(manifest, folder)
            return ready | {"facts": self._inspector(folder).to_json()}
        except InvalidParameterValue as error:
            if SOURCE_KIND_TAG in version.tags and not isinstance(error, UnsupportedModel):
                return {"status": VersionStatus.FAILED.value, "status_message": error.message}
            return ready | {"unservable_reason": error.message}
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _with_progress(self, version: ModelVersion) -> ModelVersion:
        told = self._own.progress.get(version.id)
        return replace(version, status_message=told) if told and version.status is VersionStatus.PENDING else version


def _concluded(version: ModelVersion) -> ModelVersion:
    """The READY version. Raises `InvalidParameterValue` for one that failed."""
    if version.status is VersionStatus.FAILED:
        raise InvalidParameterValue(
            f"Version {version.version} of '{version.name}' failed: {version.status_message} Make a new version.",
            param="version",
        )
    return version
