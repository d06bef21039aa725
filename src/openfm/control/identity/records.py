"""Principals as they are kept, and what follows from their memberships."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from openfm.control.identity.well_known import ADMINS, ADMINS_ID, USERS, USERS_ID
from openfm.core.principal import Principal, PrincipalKind


@dataclass(frozen=True, slots=True)
class PrincipalRecord:
    """A user, service principal or group.

    `name` is a user's name, a service principal's application id, a group's display name. `attributes` are what SCIM
    clients keep with it and nothing here depends on.
    """

    id: str
    kind: PrincipalKind
    name: str
    display_name: str
    is_active: bool
    created_at: int
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Memberships:
    """Who is in which group, by id, and which members a group has; groups may be in groups."""

    groups_of: Mapping[str, frozenset[str]]
    members_of: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Self:
        """From pairs of group and member."""
        groups: dict[str, set[str]] = defaultdict(set)
        members: dict[str, set[str]] = defaultdict(set)
        for group, member in pairs:
            groups[member].add(group)
            members[group].add(member)
        return cls(_frozen(groups), _frozen(members))

    def all_groups_of(self, member: str) -> frozenset[str]:
        """Ids of the groups that it is in, also through other groups; circles do no harm."""
        found: set[str] = set()
        waiting = [member]
        while waiting:
            new = self.groups_of.get(waiting.pop(), frozenset()) - found
            found |= new
            waiting += new
        return frozenset(found)


def _frozen(sets: Mapping[str, set[str]]) -> Mapping[str, frozenset[str]]:
    return {key: frozenset(values) for key, values in sets.items()}


def groups_of(memberships: Memberships, caller: str) -> frozenset[str]:
    """The ids of all groups that a user or service principal is in: `users` has everybody."""
    return memberships.all_groups_of(caller) | memberships.all_groups_of(USERS_ID) | {USERS_ID}


def callers(records: Iterable[PrincipalRecord], memberships: Memberships) -> Mapping[str, Principal]:
    """The active users and service principals as they call, by id."""
    known = {record.id: record for record in records}
    return {
        record.id: _caller(record, known, memberships)
        for record in known.values()
        if record.is_active and record.kind is not PrincipalKind.GROUP
    }


def _caller(record: PrincipalRecord, known: Mapping[str, PrincipalRecord], memberships: Memberships) -> Principal:
    groups = groups_of(memberships, record.id)
    return Principal(
        id=record.id,
        name=record.name,
        is_admin=ADMINS_ID in groups,
        kind=record.kind,
        groups=frozenset(known[group].name for group in groups if group in known),
    )


ALWAYS_THERE = ((ADMINS_ID, ADMINS), (USERS_ID, USERS))
"""Groups of every workspace."""
