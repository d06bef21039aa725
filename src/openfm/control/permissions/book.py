"""Grants in memory: what every request asks. Taken over with each commit that changes them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from openfm.control.identity import repository as identity
from openfm.control.permissions import repository
from openfm.control.permissions.objects import ALL_PRIVILEGES, EXECUTE, MANAGE, SCOPE_LEVELS, ObjectType
from openfm.control.permissions.repository import Grant, Thing
from openfm.core.errors import InvalidParameterValue
from openfm.core.principal import PermissionLevel, Principal, PrincipalKind
from openfm.core.registry import SYSTEM_CATALOG

_Levels = Mapping[tuple[ObjectType, str], Mapping[str, frozenset[str]]]
_OPEN_MODELS = f"{SYSTEM_CATALOG}.ai."


@dataclass(frozen=True, slots=True)
class GrantTable:
    """Every grant, at one moment."""

    by_thing: _Levels

    def levels(self, caller: Principal, thing_type: ObjectType, thing: str) -> frozenset[str]:
        """The levels that the caller has, by itself or through its groups. A model is named by its full name."""
        held = self.by_thing.get((thing_type, thing))
        if not held:
            return frozenset()
        return frozenset[str]().union(*(held.get(subject, frozenset()) for subject in _subjects(caller)))


def read_grants(connection: Connection) -> GrantTable:
    """Every grant as the transaction sees it."""
    return GrantTable(_by_thing(repository.all_grants(connection), repository.model_names(connection)))


class GrantBook:
    """Who may do what. Reading never waits; whoever changes grants gives `take_over` to the transaction."""

    def __init__(self) -> None:
        self._table = GrantTable({})

    def take_over(self, connection: Connection) -> Callable[[], None]:
        """See `store.database.TakeOver`."""
        return partial(self.put, read_grants(connection))

    def put(self, table: GrantTable) -> None:
        """These are the grants now."""
        self._table = table

    def levels(self, caller: Principal, thing_type: ObjectType, thing: str) -> frozenset[str]:
        """See `GrantTable.levels`."""
        return self._table.levels(caller, thing_type, thing)

    def level(self, caller: Principal, endpoint_id: str) -> PermissionLevel | None:
        """The caller's level on an endpoint, or None."""
        if caller.is_admin:
            return PermissionLevel.CAN_MANAGE
        levels = self.levels(caller, ObjectType.ENDPOINT, endpoint_id)
        return max((PermissionLevel[name] for name in levels), default=None)

    def grant(self, connection: Connection, endpoint_id: str, principal: Principal, level: PermissionLevel) -> None:
        """Give an endpoint's creator a level that nobody takes away."""
        thing = Thing(ObjectType.ENDPOINT, endpoint_id)
        repository.insert_grant(connection, thing, principal.id, level.name, is_owner=True)

    def forget(self, connection: Connection, endpoint_id: str) -> None:
        """Take all levels on an endpoint away."""
        repository.delete_grants(connection, Thing(ObjectType.ENDPOINT, endpoint_id))

    def own_model(self, connection: Connection, model_id: str, owner: Principal) -> None:
        """Make it the owner of a new model."""
        repository.insert_grant(connection, Thing(ObjectType.MODEL, model_id), owner.id, MANAGE, is_owner=True)

    def hand_over_model(self, connection: Connection, model_id: str, owner: str) -> None:
        """Make the principal of that name the owner; who was it has no level left.

        Raises `InvalidParameterValue` where there is no such principal.
        """
        found = identity.find_by_name(connection, owner)
        if found is None:
            raise InvalidParameterValue(
                f"There is no user, service principal or group called '{owner}' to own it.", param="owner"
            )
        thing = Thing(ObjectType.MODEL, model_id)
        repository.delete_owner(connection, thing)
        repository.delete_given(connection, thing, [found.id])
        repository.insert_grant(connection, thing, found.id, MANAGE, is_owner=True)

    def may_execute(self, caller: Principal, full_name: str) -> bool:
        """Whether the caller may see, download and serve a registered model; everybody may `system.ai.*`."""
        if caller.is_admin or full_name.startswith(_OPEN_MODELS):
            return True
        return not self.levels(caller, ObjectType.MODEL, full_name).isdisjoint({EXECUTE, MANAGE, ALL_PRIVILEGES})

    def may_manage(self, caller: Principal, full_name: str) -> bool:
        """Whether the caller may change a registered model and who may use it; its owner has MANAGE."""
        return caller.is_admin or MANAGE in self.levels(caller, ObjectType.MODEL, full_name)

    def may_use_scope(self, caller: Principal, scope_id: str, needed: str) -> bool:
        """Whether the caller has this level on a secret scope, or a higher one."""
        enough = SCOPE_LEVELS[SCOPE_LEVELS.index(needed) :]
        return caller.is_admin or not self.levels(caller, ObjectType.SCOPE, scope_id).isdisjoint(enough)


def _by_thing(grants: Iterable[Grant], model_names: Mapping[str, str]) -> _Levels:
    found: dict[tuple[ObjectType, str], dict[str, frozenset[str]]] = defaultdict(dict)
    for grant in grants:
        thing = grant.thing.id
        if grant.thing.type is ObjectType.MODEL:
            if thing not in model_names:
                continue
            thing = model_names[thing]
        held = found[grant.thing.type, thing]
        subject = _subject(grant.holder.kind, grant.holder.id, grant.holder.name)
        held[subject] = held.get(subject, frozenset()) | {grant.level}
    return dict(found)


def _subject(kind: PrincipalKind, identifier: str, name: str) -> str:
    return f"group {name}" if kind is PrincipalKind.GROUP else identifier


def _subjects(caller: Principal) -> Iterable[str]:
    yield caller.id
    for name in caller.groups:
        yield _subject(PrincipalKind.GROUP, "", name)
