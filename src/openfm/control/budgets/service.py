"""Budgets: set, listed, removed. In memory for every request; methods that change them block."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection

from openfm.control.budgets import repository
from openfm.control.identity import repository as identity
from openfm.control.identity.records import Memberships, groups_of
from openfm.core.budget import (
    PRINCIPAL_KINDS,
    Budget,
    BudgetAction,
    BudgetPeriod,
    BudgetScope,
    Spender,
    checked_alerts,
    checked_amount,
    checked_name,
)
from openfm.core.errors import Conflict, InvalidParameterValue, NotFound
from openfm.core.price import checked_currency
from openfm.core.principal import Principal
from openfm.core.report import DAY_US
from openfm.limits.budgets import BudgetState
from openfm.store.database import Database

KEPT_US = 62 * 24 * 3600 * 1_000_000
"""Periods that began longer ago are not kept in memory."""

_MOST_BUDGETS = 1000  # each is looked at by every request
_LONGEST_TAG = 1024
_NONE: frozenset[str] = frozenset()
_Word = TypeVar("_Word", BudgetScope, BudgetPeriod, BudgetAction)


@dataclass(frozen=True, slots=True)
class BudgetRequest:
    """A budget to set, in a client's words. `target` is what the scope wants: a name, or `key=value` of a tag."""

    name: str
    amount: str
    currency: str | None
    scope: str = BudgetScope.ALL
    target: str | None = None
    period: str = BudgetPeriod.MONTH
    action: str = BudgetAction.STOP
    alerts: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """A budget, its period now, and what is spent in it. `alerted_percent` is 0 where no percentage was reached."""

    budget: Budget
    start_us: int
    end_us: int
    spent_pico: int
    alerted_percent: int


def _nobody() -> None:
    """Nobody wants to know."""


class BudgetBook:
    """The budgets and what is spent. Reading never waits; `on_change` is called when a budget was set or removed.

    `clock_us` is microseconds since the epoch.
    """

    def __init__(
        self, database: Database, clock_us: Callable[[], int], on_change: Callable[[], None] = _nobody
    ) -> None:
        self._database = database
        self._clock_us = clock_us
        self._on_change = on_change
        self._state = BudgetState()
        self._alerted: Mapping[str, int] = {}

    @property
    def state(self) -> BudgetState:
        """As they are now."""
        return self._state

    def standings(self) -> Sequence[Standing]:
        """How each budget stands now, by name."""
        state, alerted, now_us = self._state, self._alerted, self._clock_us()
        found = []
        for budget in state.budgets:
            start_us, end_us = budget.period.span_us(now_us)
            key = budget.key(start_us)
            found.append(Standing(budget, start_us, end_us, state.spent.get(key, 0), alerted.get(key, 0)))
        return found

    def standing(self, name: str) -> Standing:
        """How one stands now. Raises `NotFound`."""
        for one in self.standings():
            if one.budget.name == name:
                return one
        raise _no_budget(name)

    def history(self, budget: Budget) -> Sequence[tuple[int, int]]:
        """When each of its periods began, and what was spent in it, the latest first. Blocks."""
        with self._database.transaction() as connection:
            return repository.periods_of(connection, budget.id)

    def take_over(self, connection: Connection) -> Callable[[], None]:
        """See `store.database.TakeOver`. What is spent, and principals that budgets name, may have changed too."""
        spent = repository.spent_since(connection, self._clock_us() - KEPT_US)
        by_key = {f"{budget_id}/{start_us}": one for (budget_id, start_us), one in spent.items()}
        counted = repository.counted_to(connection)
        state = BudgetState(
            repository.all_budgets(connection),
            {key: pico for key, (pico, _) in by_key.items()},
            counted.number,
            counted.rows,
        )
        return partial(self._put, state, {key: percent for key, (_, percent) in by_key.items()})

    def _put(self, state: BudgetState, alerted: Mapping[str, int]) -> None:
        is_changed = state.budgets != self._state.budgets
        self._state, self._alerted = state, alerted
        if is_changed:
            self._on_change()

    def set(self, request: BudgetRequest) -> Standing:
        """Add a budget, or change the one of that name. Raises `InvalidParameterValue`, `NotFound`. Blocks.

        Of one for another target, currency or period the spending begins anew with the period's rows in the ledger.
        """
        asked = _parsed(request)
        span_us = asked.period.span_us(self._clock_us())
        read = self._read(asked, span_us)
        with self._database.transaction(self.take_over) as connection:
            asked = replace(asked, target_id=_target_id(connection, asked))
            known = repository.all_budgets(connection)
            before = next((one for one in known if one.name == asked.name), None)
            if before is not None and _subject(before) == _subject(asked):
                repository.change_budget(connection, replace(asked, id=before.id))
            else:
                if before is not None:
                    repository.delete_budget(connection, before.name)
                elif len(known) >= _MOST_BUDGETS:
                    raise InvalidParameterValue(f"There are {_MOST_BUDGETS} budgets already. Delete some first.")
                repository.insert_budget(connection, asked)
                self._begin(connection, asked, span_us, read)
        return self.standing(asked.name)

    def delete(self, name: str) -> None:
        """Remove a budget. Raises `NotFound`. Blocks."""
        with self._database.transaction(self.take_over) as connection:
            if not repository.delete_budget(connection, name):
                raise _no_budget(name)

    def _read(self, budget: Budget, span_us: tuple[int, int]) -> "_Read":
        """What the period's rows cost so far; a day at a time, for readers and writers of the database take turns."""
        with self._database.transaction() as connection:
            budget = replace(budget, target_id=_target_id(connection, budget))
            known = repository.all_budgets(connection)
            is_new = all((one.name, *_subject(one)) != (budget.name, *_subject(budget)) for one in known)
            # Where there is nothing to read and then is, because it was deleted meanwhile, all is read at the end.
            read = _Read(budget.target_id, repository.counted_to(connection).rows if is_new else 0)
        if is_new:
            for day_us in range(*span_us, DAY_US):
                rows = repository.received_in((day_us, day_us + DAY_US), read.through)
                with self._database.transaction() as connection:
                    read.add(repository.spent_by_principal(connection, budget, rows))
        return read

    def _begin(self, connection: Connection, budget: Budget, span_us: tuple[int, int], read: "_Read") -> None:
        """What was read before, and what was closed since, is spent already."""
        if read.target_id != budget.target_id:
            raise Conflict(f"'{budget.target}' was made anew meanwhile. Try again.")
        counted = repository.counted_to(connection)
        rows = repository.closed_since(span_us, read.through, counted.rows)
        read.add(repository.spent_by_principal(connection, budget, rows))
        memberships = identity.memberships(connection) if budget.scope is BudgetScope.GROUP else Memberships.of(())
        is_group = budget.scope is BudgetScope.GROUP
        spent = sum(
            pico for who, pico in read.spent.items() if not is_group or budget.target_id in groups_of(memberships, who)
        )
        for one in repository.charged(connection, span_us, counted.charges):
            groups = (
                frozenset({budget.target}) if budget.target_id in groups_of(memberships, one.principal_id) else _NONE
            )
            spender = Spender(one.principal_id, groups, one.endpoint_id, one.tags)
            if one.currency == budget.currency and budget.covers(spender):
                spent += one.cost_pico
        repository.put_spent(connection, (budget.id, span_us[0]), spent, budget.alert_at(spent))


@dataclass(slots=True)
class _Read:
    """What rows up to a closing number cost a target, by principal."""

    target_id: str
    through: int
    spent: dict[str, int] = field(default_factory=dict)

    def add(self, more: Mapping[str, int]) -> None:
        for who, pico in more.items():
            self.spent[who] = self.spent.get(who, 0) + pico


def visible(standings: Sequence[Standing], caller: Principal) -> Sequence[Standing]:
    """Those for the caller itself, its groups or everybody; an admin sees all."""
    return [one for one in standings if caller.is_admin or _is_for(one.budget, caller)]


def _is_for(budget: Budget, caller: Principal) -> bool:
    match budget.scope:
        case BudgetScope.ALL:
            return True
        case BudgetScope.GROUP:
            return budget.target in caller.groups
        case BudgetScope.USER | BudgetScope.SERVICE_PRINCIPAL:
            return budget.target_id == caller.id
        case BudgetScope.ENDPOINT | BudgetScope.TAG:
            return False


def _no_budget(name: str) -> NotFound:
    return NotFound(f"There is no budget called '{name}'. `openfm budgets list` shows them.", param="name")


def _subject(budget: Budget) -> tuple[object, ...]:
    target = budget.target if budget.scope is BudgetScope.TAG else budget.target_id
    return budget.scope, target, budget.currency, budget.period


def _parsed(request: BudgetRequest) -> Budget:
    scope = _word(BudgetScope, request.scope, "scope")
    target = request.target or ""
    if scope is BudgetScope.ALL and target:
        raise InvalidParameterValue("A budget for everybody names no target. Choose another scope.", param="target")
    if scope is not BudgetScope.ALL and not target:
        raise InvalidParameterValue(f"A budget with scope {scope} needs a target.", param="target")
    if scope is BudgetScope.TAG:
        key, _, value = target.partition("=")
        if not key or not value or len(target) > _LONGEST_TAG or not target.isprintable() or '"' in key:
            raise InvalidParameterValue("A tag is written key=value, as in team=search.", param="target")
    return Budget(
        id=uuid.uuid4().hex,
        name=checked_name(request.name),
        scope=scope,
        amount_pico=checked_amount(request.amount),
        currency=checked_currency(request.currency),
        period=_word(BudgetPeriod, request.period, "period"),
        action=_word(BudgetAction, request.action, "action"),
        alerts=checked_alerts(request.alerts),
        target=target,
    )


def _word(kind: type[_Word], text: str, field: str) -> _Word:
    try:
        return kind(text)
    except ValueError:
        raise InvalidParameterValue(f"{field} must be one of: {', '.join(kind)}.", param=field) from None


def _target_id(connection: Connection, budget: Budget) -> str:
    if budget.scope in (BudgetScope.ALL, BudgetScope.TAG):
        return ""
    if budget.scope is BudgetScope.ENDPOINT:
        endpoint_id = repository.endpoint_id(connection, budget.target)
        if endpoint_id is None:
            raise NotFound(f"There is no serving endpoint called '{budget.target}'.", param="target")
        return endpoint_id
    kind = PRINCIPAL_KINDS[budget.scope]
    found = identity.find_named(connection, kind, budget.target)
    if found is None:
        raise NotFound(f"There is no {kind} called '{budget.target}'. An admin can create it.", param="target")
    return found.id
