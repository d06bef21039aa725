"""Users, groups and service principals: made, found, changed, deleted. Every method blocks."""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from openfm.control.identity import repository
from openfm.control.identity.books import Books
from openfm.control.identity.records import ALWAYS_THERE, PrincipalRecord
from openfm.control.identity.scim_patch import Operation, patched
from openfm.control.identity.scim_resources import COLLECTIONS, Draft, Seen, parse_draft, resource_of
from openfm.control.identity.well_known import ADMIN_ID, ADMIN_NAME, ADMINS_ID, USERS_ID
from openfm.control.permissions import repository as grants
from openfm.control.permissions.objects import ALL_TOKENS, CAN_USE, ObjectType
from openfm.control.permissions.repository import Thing
from openfm.core.errors import AlreadyExists, InvalidParameterValue, NotFound
from openfm.core.principal import PrincipalKind
from openfm.store.database import Database

_RESERVED_NAMES = ("system", "account users")  # owner of what comes with openfm; Unity Catalog's name for `users`
_GROUP_IDS = frozenset(identifier for identifier, _ in ALWAYS_THERE)


class Principals:
    """The principals of the workspace."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def list(self, kind: PrincipalKind) -> Sequence[Seen]:
        """All of one kind, the oldest first."""
        with self._books.database.transaction() as connection:
            return _Sight(connection).everything(repository.of_kind(connection, kind))

    def get(self, kind: PrincipalKind, identifier: str) -> Seen:
        """One. Raises `NotFound`."""
        with self._books.database.transaction() as connection:
            return _Sight(connection).one(_found(connection, kind, identifier))

    def create(self, kind: PrincipalKind, draft: Draft) -> Seen:
        """A new one. Raises `AlreadyExists`, `InvalidParameterValue` for members that are not there."""
        record = PrincipalRecord(
            id=str(10**15 + secrets.randbelow(8 * 10**15)),  # a number that JavaScript can hold
            kind=kind,
            name=draft.name,
            display_name=draft.display_name,
            is_active=draft.is_active is not False,
            created_at=self._books.now_ms(),
            attributes=draft.attributes,
        )
        with self._books.change() as connection:
            _check_name(connection, record)
            repository.insert_principal(connection, record)
            if kind is PrincipalKind.GROUP:
                _set_members(connection, record.id, draft.member_ids)
            return _Sight(connection).one(record)

    def replace(self, kind: PrincipalKind, identifier: str, resource: Mapping[str, Any]) -> Seen:
        """Make it what the resource says; names of users and application ids stay. Raises `NotFound`."""
        return self._change(kind, identifier, lambda current: {**_fixed_names(current), **resource})

    def patch(self, kind: PrincipalKind, identifier: str, operations: Iterable[Operation]) -> Seen:
        """Apply the operations, all or none. Raises `NotFound`, `InvalidParameterValue`."""
        return self._change(kind, identifier, lambda current: patched(current, operations))

    def delete(self, kind: PrincipalKind, identifier: str) -> None:
        """Remove it with its tokens, secrets and permissions. Raises `NotFound`."""
        with self._books.change() as connection:
            record = _found(connection, kind, identifier)
            if record.id == ADMIN_ID or record.id in _GROUP_IDS:
                raise InvalidParameterValue(f"'{record.name}' is part of every workspace and cannot be deleted.")
            repository.delete_principal(connection, record.id)

    def _change(
        self, kind: PrincipalKind, identifier: str, rule: Callable[[dict[str, Any]], Mapping[str, Any]]
    ) -> Seen:
        with self._books.change() as connection:
            current = _found(connection, kind, identifier)
            seen = _Sight(connection).one(current)
            draft = parse_draft(kind, rule(resource_of(seen)))
            changed = replace(
                current,
                name=draft.name if kind is PrincipalKind.GROUP else current.name,
                display_name=draft.display_name,
                is_active=current.is_active if draft.is_active is None else draft.is_active,
                attributes=draft.attributes,
            )
            _check_fixed(current, changed)
            if changed.name != current.name:
                _check_name(connection, changed)
            repository.change_principal(connection, changed)
            if kind is PrincipalKind.GROUP:
                _change_members(connection, seen, draft.member_ids)
            return _Sight(connection).one(changed)


def ensure_principals(database: Database, now_ms: int) -> None:
    """Make the admin, the groups `admins` and `users`, and what these may do, if they were never made. Blocks."""
    with database.transaction() as connection:
        if repository.find(connection, ADMIN_ID) is not None:
            return
        admin = PrincipalRecord(ADMIN_ID, PrincipalKind.USER, ADMIN_NAME, ADMIN_NAME, is_active=True, created_at=now_ms)
        repository.insert_principal(connection, admin)
        for identifier, name in ALWAYS_THERE:
            group = PrincipalRecord(identifier, PrincipalKind.GROUP, name, name, is_active=True, created_at=now_ms)
            repository.insert_principal(connection, group)
        repository.set_members(connection, ADMINS_ID, [ADMIN_ID])
        grants.insert_grant(connection, Thing(ObjectType.TOKENS, ALL_TOKENS), USERS_ID, CAN_USE, is_owner=False)


class _Sight:
    """Sees principals with their groups and members; two queries are enough for all."""

    def __init__(self, connection: Connection) -> None:
        self._known = {record.id: record for record in repository.everybody(connection)}
        self._memberships = repository.memberships(connection)

    def everything(self, records: Iterable[PrincipalRecord]) -> Sequence[Seen]:
        return [self.one(record) for record in records]

    def one(self, record: PrincipalRecord) -> Seen:
        direct = self._memberships.groups_of.get(record.id, frozenset())
        groups = self._memberships.all_groups_of(record.id)
        if record.kind is not PrincipalKind.GROUP:
            direct, groups = direct | {USERS_ID}, groups | {USERS_ID}
        members = (
            self._memberships.members_of.get(record.id, frozenset()) if record.id != USERS_ID else self._everybody()
        )
        return Seen(record, self._named(groups - {record.id}), direct, self._named(members))

    def _everybody(self) -> Iterable[str]:
        return [record.id for record in self._known.values() if record.kind is not PrincipalKind.GROUP]

    def _named(self, identifiers: Iterable[str]) -> Sequence[PrincipalRecord]:
        found = [self._known[identifier] for identifier in identifiers]
        return sorted(found, key=lambda record: (record.kind, record.name))


def _found(connection: Connection, kind: PrincipalKind, identifier: str) -> PrincipalRecord:
    record = repository.find(connection, identifier)
    if record is None or record.kind is not kind:
        raise NotFound(f"None of the {COLLECTIONS[kind]} has the id '{identifier}'. List them to see their ids.")
    return record


def _check_name(connection: Connection, record: PrincipalRecord) -> None:
    """No two principals of any kind share a name: owners of models are known by name."""
    if record.name.lower() in _RESERVED_NAMES:
        raise InvalidParameterValue(f"The name '{record.name}' is reserved. Choose another.", param="name")
    for kind in PrincipalKind:
        if repository.find_named(connection, kind, record.name) is not None:
            raise AlreadyExists(f"A {kind} called '{record.name}' exists already. Choose another name.", param="name")


def _check_fixed(current: PrincipalRecord, changed: PrincipalRecord) -> None:
    if current.id in _GROUP_IDS and changed.name != current.name:
        raise InvalidParameterValue(f"The group '{current.name}' is part of every workspace and keeps its name.")
    if current.id == ADMIN_ID and not changed.is_active:
        raise InvalidParameterValue("The first admin cannot be deactivated: without it nobody could let others in.")


def _change_members(connection: Connection, seen: Seen, member_ids: frozenset[str]) -> None:
    if member_ids == {member.id for member in seen.members}:
        return
    if seen.record.id == USERS_ID:
        raise InvalidParameterValue("Everybody is in the group 'users'. Make another group for fewer.", param="members")
    if seen.record.id == ADMINS_ID and ADMIN_ID not in member_ids:
        raise InvalidParameterValue(f"'{ADMIN_NAME}' stays in the group 'admins'.", param="members")
    _set_members(connection, seen.record.id, member_ids)


def _set_members(connection: Connection, group_id: str, member_ids: frozenset[str]) -> None:
    missing = member_ids - repository.existing(connection, member_ids)
    if missing:
        raise InvalidParameterValue(f"No principal has the id '{min(missing)}'.", param="members")
    if group_id in member_ids or USERS_ID in member_ids:
        raise InvalidParameterValue("A group cannot be in itself, nor 'users' in another group.", param="members")
    repository.set_members(connection, group_id, member_ids)


def _fixed_names(current: Mapping[str, Any]) -> dict[str, Any]:
    """What a PUT need not repeat."""
    return {key: current[key] for key in ("userName", "applicationId", "displayName") if key in current}
