"""SQL of registered models, versions and aliases. Every function works inside the caller's transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from openfm.core.registry import FileEntry, Manifest, ModelName, ModelVersion, RegisteredModel, VersionStatus
from openfm.store.registry_tables import model_aliases, model_files, model_versions, registered_models


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who changes something, and when (ms since the epoch)."""

    by: str
    at: int


@dataclass(frozen=True, slots=True)
class Page:
    """A piece of a list: at most `limit` rows after the row with this key, all for None."""

    limit: int | None = None
    after: str | int | None = None


# ------------------------------------------------------------------------------------------------------------- models


def find_model(connection: Connection, name: ModelName) -> RegisteredModel | None:
    """The model, or None."""
    query = select(registered_models).where(registered_models.c.full_name == name.full_name)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _model(row, _aliases(connection, [name.full_name]).get(name.full_name, {}))


def model_names(connection: Connection, prefix: str, after: str | None) -> Sequence[str]:
    """Full names that begin with `prefix` and come after `after`, in order."""
    column = registered_models.c.full_name
    query = select(column).order_by(column)
    if prefix:
        query = query.where(column.startswith(prefix, autoescape=True))
    if after is not None:
        query = query.where(column > after)
    return connection.execute(query).scalars().all()


def models_named(connection: Connection, full_names: Sequence[str]) -> Sequence[RegisteredModel]:
    """These models, by name."""
    columns = registered_models.c
    query = select(registered_models).where(columns.full_name.in_(full_names)).order_by(columns.full_name)
    rows = connection.execute(query).mappings().all()
    aliases = _aliases(connection, full_names)
    return [_model(row, aliases.get(row["full_name"], {})) for row in rows]


def insert_model(connection: Connection, model: RegisteredModel) -> None:
    """A new model."""
    connection.execute(
        insert(registered_models).values(
            full_name=model.name.full_name,
            id=model.id,
            comment=model.comment,
            owner=model.owner,
            tags=dict(model.tags),
            last_version=0,
            created_at=model.created_at,
            created_by=model.created_by,
            updated_at=model.updated_at,
            updated_by=model.updated_by,
        )
    )


def change_model(connection: Connection, name: ModelName, values: Mapping[str, Any], stamp: Stamp) -> None:
    """Set these columns; a new `full_name` goes on to versions, aliases and files."""
    connection.execute(
        update(registered_models)
        .where(registered_models.c.full_name == name.full_name)
        .values(**values, updated_at=stamp.at, updated_by=stamp.by)
    )


def delete_model(connection: Connection, name: ModelName) -> None:
    """The model and all it has."""
    connection.execute(delete(registered_models).where(registered_models.c.full_name == name.full_name))


def next_version(connection: Connection, name: ModelName) -> int:
    """A version number never given before; the row's lock keeps others waiting."""
    is_model = registered_models.c.full_name == name.full_name
    connection.execute(
        update(registered_models).where(is_model).values(last_version=registered_models.c.last_version + 1)
    )
    given: int = connection.execute(select(registered_models.c.last_version).where(is_model)).scalar_one()
    return given


# ----------------------------------------------------------------------------------------------------------- versions


def find_version(connection: Connection, name: ModelName, version: int) -> ModelVersion | None:
    """The version, or None."""
    row = connection.execute(select(model_versions).where(_is_version(name, version))).mappings().one_or_none()
    return None if row is None else _version(row, _aliases(connection, [name.full_name]).get(name.full_name, {}))


def find_version_by_id(connection: Connection, version_id: str) -> ModelVersion | None:
    """The version, whatever its model is called now; or None. Its aliases are left out."""
    row = connection.execute(select(model_versions).where(model_versions.c.id == version_id)).mappings().one_or_none()
    return None if row is None else _version(row, {})


def list_versions(connection: Connection, name: ModelName, page: Page) -> Sequence[ModelVersion]:
    """The model's versions, newest first."""
    columns = model_versions.c
    query = select(model_versions).where(columns.full_name == name.full_name).order_by(columns.version.desc())
    if page.after is not None:
        query = query.where(columns.version < page.after)
    rows = connection.execute(query.limit(page.limit)).mappings().all()
    aliases = _aliases(connection, [name.full_name]).get(name.full_name, {})
    return [_version(row, aliases) for row in rows]


def versions_with_status(connection: Connection, status: VersionStatus) -> Sequence[ModelVersion]:
    """Versions of all models that have come so far."""
    rows = connection.execute(select(model_versions).where(model_versions.c.status == status.value)).mappings().all()
    return [_version(row, {}) for row in rows]


def insert_version(connection: Connection, version: ModelVersion) -> None:
    """A new version."""
    connection.execute(
        insert(model_versions).values(
            full_name=version.name.full_name,
            version=version.version,
            id=version.id,
            status=version.status.value,
            status_message=version.status_message,
            source=version.source,
            run_id=version.run_id,
            comment=version.comment,
            tags=dict(version.tags),
            facts=None if version.facts is None else dict(version.facts),
            unservable_reason=version.unservable_reason,
            digest=version.digest,
            created_at=version.created_at,
            created_by=version.created_by,
            updated_at=version.updated_at,
            updated_by=version.updated_by,
        )
    )


def change_version(
    connection: Connection, name: ModelName, version: int, values: Mapping[str, Any], stamp: Stamp
) -> None:
    """Set these columns."""
    connection.execute(
        update(model_versions)
        .where(_is_version(name, version))
        .values(**values, updated_at=stamp.at, updated_by=stamp.by)
    )


def set_status_message(connection: Connection, name: ModelName, version: int, message: str) -> None:
    """Progress for people to read: no change that would count as an update."""
    connection.execute(update(model_versions).where(_is_version(name, version)).values(status_message=message))


def delete_version(connection: Connection, name: ModelName, version: int) -> None:
    """The version, its files and the aliases to it."""
    connection.execute(delete(model_versions).where(_is_version(name, version)))


# ------------------------------------------------------------------------------------------------------------ aliases


def set_alias(connection: Connection, name: ModelName, alias: str, version: int) -> None:
    """Point the alias to the version."""
    delete_alias(connection, name, alias)
    connection.execute(insert(model_aliases).values(full_name=name.full_name, alias=alias, version=version))


def delete_alias(connection: Connection, name: ModelName, alias: str) -> bool:
    """Remove the alias; whether there was one."""
    columns = model_aliases.c
    gone = connection.execute(delete(model_aliases).where(columns.full_name == name.full_name, columns.alias == alias))
    return gone.rowcount > 0


# -------------------------------------------------------------------------------------------------------------- files


def manifest(connection: Connection, name: ModelName, version: int) -> Manifest:
    """The version's files."""
    query = select(model_files).where(_has_file(name, version)).order_by(model_files.c.path)
    rows = connection.execute(query).mappings()
    return MappingProxyType({row["path"]: FileEntry(row["digest"], row["size"], row["modified_at"]) for row in rows})


def paths(connection: Connection, name: ModelName, version: int) -> frozenset[str]:
    """Where the version has files."""
    return frozenset(connection.execute(select(model_files.c.path).where(_has_file(name, version))).scalars())


def put_files(connection: Connection, name: ModelName, version: int, entries: Manifest) -> None:
    """Name the contents of some hundred paths; what was there is replaced."""
    if not entries:
        return
    connection.execute(delete(model_files).where(_has_file(name, version), model_files.c.path.in_(entries)))
    rows = [
        {
            "full_name": name.full_name,
            "version": version,
            "path": path,
            "digest": entry.digest,
            "size": entry.size,
            "modified_at": entry.modified_at,
        }
        for path, entry in entries.items()
    ]
    connection.execute(insert(model_files), rows)


def remove_file(connection: Connection, name: ModelName, version: int, path: str) -> bool:
    """Forget a path; whether there was one."""
    gone = connection.execute(delete(model_files).where(_has_file(name, version), model_files.c.path == path))
    return gone.rowcount > 0


def remove_files(connection: Connection, name: ModelName, version: int) -> None:
    """Forget every path of a version."""
    connection.execute(delete(model_files).where(_has_file(name, version)))


def version_ids(connection: Connection, name: ModelName) -> frozenset[str]:
    """The ids of the model's versions."""
    found = select(model_versions.c.id).where(model_versions.c.full_name == name.full_name)
    return frozenset(connection.execute(found).scalars())


def known_version_ids(connection: Connection, wanted: frozenset[str]) -> frozenset[str]:
    """Those of these ids that a version has."""
    return frozenset(connection.execute(select(model_versions.c.id).where(model_versions.c.id.in_(wanted))).scalars())


def version_digests(connection: Connection) -> frozenset[str]:
    """What all versions' files together hash to."""
    found = connection.execute(select(model_versions.c.digest).where(model_versions.c.digest.is_not(None))).scalars()
    return frozenset(digest for digest in found if digest)


def digests(connection: Connection) -> frozenset[str]:
    """The contents that some version needs."""
    return frozenset(connection.execute(select(model_files.c.digest).distinct()).scalars())


def holders(connection: Connection, wanted: Sequence[str]) -> Sequence[tuple[str, int, str]]:
    """Where these contents are: digest, size, full name of a model that has it."""
    columns = model_files.c
    query = select(columns.digest, columns.size, columns.full_name).where(columns.digest.in_(wanted)).distinct()
    return [(row[0], row[1], row[2]) for row in connection.execute(query)]


# ------------------------------------------------------------------------------------------------------------- helpers


def _is_version(name: ModelName, version: int) -> Any:
    return (model_versions.c.full_name == name.full_name) & (model_versions.c.version == version)


def _has_file(name: ModelName, version: int) -> Any:
    return (model_files.c.full_name == name.full_name) & (model_files.c.version == version)


def _aliases(connection: Connection, full_names: Sequence[str]) -> Mapping[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    query = select(model_aliases).where(model_aliases.c.full_name.in_(full_names))
    if full_names:
        for row in connection.execute(query.order_by(model_aliases.c.alias)).mappings():
            found.setdefault(row["full_name"], {})[row["alias"]] = row["version"]
    return found


def _model(row: RowMapping, aliases: Mapping[str, int]) -> RegisteredModel:
    return RegisteredModel(
        name=ModelName.parse(row["full_name"]),
        id=row["id"],
        comment=row["comment"],
        owner=row["owner"],
        created_at=row["created_at"],
        created_by=row["created_by"],
        updated_at=row["updated_at"],
        updated_by=row["updated_by"],
        tags=MappingProxyType(row["tags"]),
        aliases=MappingProxyType(dict(aliases)),
    )


def _version(row: RowMapping, aliases: Mapping[str, int]) -> ModelVersion:
    return ModelVersion(
        name=ModelName.parse(row["full_name"]),
        version=row["version"],
        id=row["id"],
        status=VersionStatus(row["status"]),
        status_message=row["status_message"],
        source=row["source"],
        run_id=row["run_id"],
        comment=row["comment"],
        created_at=row["created_at"],
        created_by=row["created_by"],
        updated_at=row["updated_at"],
        updated_by=row["updated_by"],
        tags=MappingProxyType(row["tags"]),
        aliases=tuple(alias for alias, version in aliases.items() if version == row["version"]),
        facts=None if row["facts"] is None else MappingProxyType(row["facts"]),
        unservable_reason=row["unservable_reason"],
        digest=row["digest"],
    )
