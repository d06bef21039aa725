"""The operator's limits: set, listed, removed. In memory for every request; methods that change them block."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection

from openfm.control.endpoints.defaults import alias_id
from openfm.control.identity import repository as identity
from openfm.control.limits import repository
from openfm.control.limits.repository import StoredRule
from openfm.core.errors import InvalidParameterValue, NotFound
from openfm.core.limits import MOST, LimitRule, LimitScope, Measure
from openfm.core.principal import Principal, PrincipalKind
from openfm.store.database import Database

PERIODS_S = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_KINDS = {
    LimitScope.USER: PrincipalKind.USER,
    LimitScope.SERVICE_PRINCIPAL: PrincipalKind.SERVICE_PRINCIPAL,
    LimitScope.GROUP: PrincipalKind.GROUP,
}
_Word = TypeVar("_Word", LimitScope, Measure)
_MOST_RULES = 1000  # each is looked at by every request


@dataclass(frozen=True, slots=True)
class LimitRequest:
    """A limit to set, in a client's words. `period` is empty for concurrency."""

    scope: str
    measure: str
    amount: int
    period: str | None = None
    principal: str | None = None
    endpoint: str | None = None


def _nobody() -> None:
    """Nobody wants to know."""


class LimitBook:
    """The operator's limits. Reading never waits; `on_change` is called whenever they were taken over.

    `aliases` are names that answer as endpoints without being any: those that stand in for models not served here.
    """

    def __init__(
        self,
        database: Database,
        on_change: Callable[[], None] = _nobody,
        aliases: frozenset[str] = frozenset(),
    ) -> None:
        self._database = database
        self._aliases = aliases
        self._on_change = on_change
        self._stored: Sequence[StoredRule] = ()
        self._rules: tuple[LimitRule, ...] = ()

    @property
    def rules(self) -> Sequence[LimitRule]:
        """As they are now."""
        return self._rules

    @property
    def stored(self) -> Sequence[StoredRule]:
        """As they are now, with their ids."""
        return self._stored

    def take_over(self, connection: Connection) -> Callable[[], None]:
        """See `store.database.TakeOver`. Principals and endpoints that rules name may have changed too."""
        return partial(self._put, tuple(repository.rules(connection)))

    def _put(self, stored: Sequence[StoredRule]) -> None:
        self._stored = stored
        self._rules = tuple(one.rule for one in stored)
        self._on_change()

    def set(self, request: LimitRequest) -> StoredRule:
        """Add a limit, in the place of one for the same. Raises `InvalidParameterValue`, `NotFound`."""
        rule = _parsed(request)
        with self._database.transaction(self.take_over) as connection:
            principal_id = _principal_id(connection, rule)
            stored = self._at_endpoint(connection, StoredRule(uuid.uuid4().hex, rule, principal_id))
            known = repository.rules(connection)
            for other in known:
                if _same(other, stored):
                    repository.delete_rule(connection, other.id)
            if len(known) >= _MOST_RULES:
                raise InvalidParameterValue(f"There are {_MOST_RULES} limits already. Delete some first.")
            repository.insert_rule(connection, stored)
        return stored

    def _at_endpoint(self, connection: Connection, stored: StoredRule) -> StoredRule:
        """With the id of the endpoint that the rule names. Raises `NotFound`."""
        name = stored.rule.endpoint
        if name is None:
            return stored
        found = repository.endpoint_id(connection, name)
        if found is None and name not in self._aliases:
            raise NotFound(f"There is no serving endpoint called '{name}'.", param="endpoint")
        rule = replace(stored.rule, endpoint_id=found or alias_id(name))
        return replace(stored, rule=rule, is_of_alias=found is None)

    def delete(self, identifier: str) -> None:
        """Remove a limit. Raises `NotFound`."""
        with self._database.transaction(self.take_over) as connection:
            if not repository.delete_rule(connection, identifier):
                raise NotFound(f"There is no limit with the id '{identifier}'. `openfm limits list` shows them.")


def binding(stored: Sequence[StoredRule], caller: Principal) -> Sequence[StoredRule]:
    """Those that may bind the caller; an admin sees all."""
    return [one for one in stored if caller.is_admin or _may_bind(one, caller)]


def _may_bind(stored: StoredRule, caller: Principal) -> bool:
    rule = stored.rule
    if rule.scope is LimitScope.GROUP:
        return rule.principal in caller.groups
    return stored.principal_id in (None, caller.id)


def _same(one: StoredRule, other: StoredRule) -> bool:
    """Whether both limit the same of the same for the same; amounts may differ."""
    return one.principal_id == other.principal_id and replace(one.rule, amount=0) == replace(other.rule, amount=0)


def _parsed(request: LimitRequest) -> LimitRule:
    scope, measure = _word(LimitScope, request.scope, "scope"), _word(Measure, request.measure, "measure")
    if not 0 <= request.amount <= MOST:
        raise InvalidParameterValue(f"amount must be 0 (nothing is admitted) to {MOST}.", param="amount")
    if measure is Measure.CONCURRENCY:
        if request.period:
            raise InvalidParameterValue("A limit of concurrency has no period. Leave it out.", param="period")
    elif request.period not in PERIODS_S:
        raise InvalidParameterValue(f"period must be one of: {', '.join(PERIODS_S)}.", param="period")
    if request.principal and scope is LimitScope.ALL:
        raise InvalidParameterValue(
            "A limit for all callers together names no principal. Use the scope user, user_group or service_principal.",
            param="principal",
        )
    if not request.principal and scope in (LimitScope.GROUP, LimitScope.SERVICE_PRINCIPAL):
        raise InvalidParameterValue(f"A limit with scope {scope} needs a principal.", param="principal")
    window_s = PERIODS_S[request.period] if request.period else None
    return LimitRule(scope, measure, request.amount, window_s, request.principal or None, request.endpoint or None)


def _word(kind: type[_Word], text: str, field: str) -> _Word:
    try:
        return kind(text)
    except ValueError:
        raise InvalidParameterValue(f"{field} must be one of: {', '.join(kind)}.", param=field) from None


def _principal_id(connection: Connection, rule: LimitRule) -> str | None:
    if rule.principal is None:
        return None
    kind = _KINDS[rule.scope]
    found = identity.find_named(connection, kind, rule.principal)
    if found is None:
        raise NotFound(f"There is no {kind} called '{rule.principal}'. An admin can create it.", param="principal")
    return found.id
