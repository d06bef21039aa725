"""SQL of principals and their memberships."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, insert, select, update

from openfm.control.identity.records import Memberships, PrincipalRecord
from openfm.core.principal import PrincipalKind
from openfm.store.access_tables import group_members, principals

_LOOKUP_BATCH = 500  # variables of one statement; SQLite takes 32766, PostgreSQL 65535


def find(connection: Connection, identifier: str) -> PrincipalRecord | None:
    """The principal with that id."""
    row = connection.execute(select(principals).where(principals.c.id == identifier)).one_or_none()
    return None if row is None else _record(row)


def find_named(connection: Connection, kind: PrincipalKind, name: str) -> PrincipalRecord | None:
    """The principal of that kind and name."""
    condition = and_(principals.c.kind == kind.value, principals.c.name == name)
    row = connection.execute(select(principals).where(condition)).one_or_none()
    return None if row is None else _record(row)


def find_by_name(connection: Connection, name: str) -> PrincipalRecord | None:
    """The principal of that name; where several kinds share it, the user before the service principal and the group."""
    return next(filter(None, (find_named(connection, kind, name) for kind in PrincipalKind)), None)


def of_kind(connection: Connection, kind: PrincipalKind) -> Sequence[PrincipalRecord]:
    """All principals of one kind, the oldest first."""
    query = select(principals).where(principals.c.kind == kind.value)
    rows = connection.execute(query.order_by(principals.c.created_at, principals.c.id))
    return [_record(row) for row in rows]


def everybody(connection: Connection) -> Sequence[PrincipalRecord]:
    """All principals."""
    return [_record(row) for row in connection.execute(select(principals))]


def insert_principal(connection: Connection, record: PrincipalRecord) -> None:
    """Add one."""
    connection.execute(insert(principals).values(id=record.id, created_at=record.created_at, **_values(record)))


def change_principal(connection: Connection, record: PrincipalRecord) -> None:
    """Replace all but id and time."""
    connection.execute(update(principals).where(principals.c.id == record.id).values(**_values(record)))


def delete_principal(connection: Connection, identifier: str) -> None:
    """Remove one, and with it its tokens, client secrets, grants and memberships."""
    connection.execute(delete(principals).where(principals.c.id == identifier))


def memberships(connection: Connection) -> Memberships:
    """Who is in which group."""
    rows = connection.execute(select(group_members.c.group_id, group_members.c.member_id))
    return Memberships.of((row.group_id, row.member_id) for row in rows)


def existing(connection: Connection, identifiers: Iterable[str]) -> frozenset[str]:
    """Which of these ids there are."""
    wanted, found = sorted(set(identifiers)), set[str]()
    for start in range(0, len(wanted), _LOOKUP_BATCH):
        batch = wanted[start : start + _LOOKUP_BATCH]
        found.update(connection.execute(select(principals.c.id).where(principals.c.id.in_(batch))).scalars())
    return frozenset(found)


def set_members(connection: Connection, group_id: str, member_ids: Iterable[str]) -> None:
    """Replace the members of a group."""
    connection.execute(delete(group_members).where(group_members.c.group_id == group_id))
    rows = [{"group_id": group_id, "member_id": member} for member in member_ids]
    if rows:
        connection.execute(insert(group_members), rows)


def _values(record: PrincipalRecord) -> dict[str, Any]:
    return {
        "kind": record.kind.value,
        "name": record.name,
        "display_name": record.display_name,
        "is_active": record.is_active,
        "attributes": dict(record.attributes),
    }


def _record(row: Row[Any]) -> PrincipalRecord:
    return PrincipalRecord(
        id=row.id,
        kind=PrincipalKind(row.kind),
        name=row.name,
        display_name=row.display_name,
        is_active=row.is_active,
        created_at=row.created_at,
        attributes=row.attributes,
    )
