"""Counts closed rows of the ledger, corrections and hours of model units as spent, each once.

That holds whenever and however often this process ends: up to which numbers they are counted is kept in the transaction
that counts them. What the requests held is let go after that; where this process ends in between, `sweep` does it.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from sqlalchemy import Connection, Row
from sqlalchemy.exc import SQLAlchemyError

from openfm.control.budgets import repository
from openfm.control.budgets.repository import Counted
from openfm.control.budgets.service import KEPT_US, BudgetBook, Standing
from openfm.control.identity import repository as identity
from openfm.control.identity.records import groups_of
from openfm.core.budget import Budget, BudgetScope, Spender, Spent
from openfm.core.errors import ApiError
from openfm.core.price import shown_pico
from openfm.limits.budget_store import Booked, BudgetStore
from openfm.store.database import Database

log = structlog.get_logger(__name__)

_AT_ONCE = 2000
_INTERVAL_S = 0.5
_SWEEP_S = 30.0
_OLD_US = 60 * 1_000_000
_LOST_US = 6 * 3600 * 1_000_000
_ID_BATCH = 500


class Gauge(Protocol):
    """Shows how budgets stand."""

    def budgets_stand(self, shares: Mapping[str, float]) -> None:
        """The share of each that is spent, by name: 1 is all of it."""
        ...


@dataclass(frozen=True, slots=True)
class Alert:
    """A percentage of a budget was reached."""

    budget: Budget
    percent: int
    spent_pico: int


@dataclass(frozen=True, slots=True)
class Step:
    """What one step counted: so many rows and charges."""

    booked: Booked
    alerts: Sequence[Alert]
    counted: int


class BudgetBookkeeper:
    """Reads the ledger for the budgets. Several may run at once: they do the work once."""

    def __init__(self, database: Database, book: BudgetBook, store: BudgetStore, gauge: Gauge) -> None:
        self._database = database
        self._book = book
        self._store = store
        self._gauge = gauge

    async def run(self, clock_us: Callable[[], int]) -> None:
        """Work until cancelled. What the database or the store refuses is tried again."""
        loop = asyncio.get_running_loop()
        swept_s = -_SWEEP_S
        while True:
            try:
                while await self.turn():
                    pass
                if loop.time() - swept_s >= _SWEEP_S:
                    await self.sweep(clock_us())
                    swept_s = loop.time()
            except (SQLAlchemyError, ApiError, OSError) as error:
                log.warning("budgets.bookkeeper_waits", reason=str(error))
            await asyncio.sleep(_INTERVAL_S)

    async def turn(self) -> int:
        """Count what is new, at most so much at once; how much. Raises as `run` meets."""
        step = await asyncio.to_thread(self.step)
        if step is None:
            return 0
        for alert in step.alerts:
            _tell(alert)
        await self._store.book(step.booked)
        self._show()
        return step.counted

    def step(self) -> Step | None:
        """Count the next rows in the database alone; None where there are none. Blocks."""
        with self._database.transaction() as connection:
            counted, last = repository.counted_to(connection), repository.last_numbers(connection)
        if last.rows <= counted.rows and last.charges <= counted.charges:
            self._catch_up(counted)
            return None
        with self._database.transaction(self._book.take_over) as connection:
            counted = repository.counted_to(connection)
            rows = repository.closed_after(connection, counted.rows, _AT_ONCE)
            charges = repository.charges_after(connection, counted.charges, _AT_ONCE)
            if not rows and not charges:
                return None
            counted = Counted(
                rows[-1].closing_number if rows else counted.rows,
                charges[-1].charge_number if charges else counted.charges,
            )
            added = _added(connection, repository.all_budgets(connection), [*rows, *charges])
            spent, alerts = _put(connection, added, counted.number)
            repository.count_to(connection, counted)
        return Step(Booked(spent, [row.request_id for row in rows]), alerts, len(rows) + len(charges))

    async def follow(self) -> None:
        """Know what others count, until cancelled: for a process that has no requests, and cannot reach the store."""
        while True:
            try:
                await asyncio.to_thread(self._look)
            except (SQLAlchemyError, ApiError) as error:
                log.warning("budgets.bookkeeper_waits", reason=str(error))
            self._show()
            await asyncio.sleep(_INTERVAL_S)

    def _look(self) -> None:
        with self._database.transaction() as connection:
            counted = repository.counted_to(connection)
        self._catch_up(counted)

    def _catch_up(self, counted: Counted) -> None:
        """Others may have counted."""
        if counted.number != self._book.state.number:
            with self._database.transaction(self._book.take_over):
                pass

    def _show(self) -> None:
        self._gauge.budgets_stand({one.budget.name: _share(one) for one in self._book.standings()})

    async def sweep(self, now_us: int) -> None:
        """Let go what requests hold that are counted, or never came to the ledger; say again what is spent."""
        state = self._book.state
        held = await self._store.held_since(now_us - _OLD_US)
        lost = frozenset(await self._store.held_since(now_us - _LOST_US))
        gone = await asyncio.to_thread(self._gone, held, lost, state.rows)
        await self._store.book(Booked({key: state.spent_of(key) for key in state.spent}, gone))
        await self._store.forget(now_us - KEPT_US)
        self._show()

    def _gone(self, held: Sequence[str], lost: frozenset[str], number: int) -> Sequence[str]:
        gone = []
        for start in range(0, len(held), _ID_BATCH):
            batch = held[start : start + _ID_BATCH]
            with self._database.transaction() as connection:
                states = repository.states_of(connection, batch)
            for request_id in batch:
                if request_id not in states:
                    is_gone = request_id in lost
                else:
                    closed = states[request_id]
                    is_gone = closed is not None and closed <= number
                if is_gone:
                    gone.append(request_id)
        return gone


_Added = dict[tuple[str, int], tuple[Budget, int]]


def _added(connection: Connection, budgets: Sequence[Budget], rows: Sequence[Row[Any]]) -> _Added:
    """What the rows add, by budget and beginning of the period."""
    added: _Added = {}
    groups = _groups(connection, budgets, {row.principal_id for row in rows if row.cost_pico})
    for row in rows:
        if not row.cost_pico:
            continue
        spender = Spender(row.principal_id, groups[row.principal_id], row.endpoint_id, row.tags)
        for budget in budgets:
            if budget.currency == row.currency and budget.covers(spender):
                key = (budget.id, budget.period.span_us(row.received_us)[0])
                added[key] = (budget, added.get(key, (budget, 0))[1] + row.cost_pico)
    return added


def _groups(connection: Connection, budgets: Sequence[Budget], who: set[str]) -> Mapping[str, frozenset[str]]:
    """The names of the groups with budgets that each is in."""
    of_groups = [budget for budget in budgets if budget.scope is BudgetScope.GROUP]
    if not of_groups:
        return dict.fromkeys(who, frozenset())
    memberships = identity.memberships(connection)
    found = {}
    for principal_id in who:
        ids = groups_of(memberships, principal_id)
        found[principal_id] = frozenset(budget.target for budget in of_groups if budget.target_id in ids)
    return found


def _put(connection: Connection, added: _Added, number: int) -> tuple[Mapping[str, Spent], Sequence[Alert]]:
    spent, alerts = {}, []
    known = repository.spent_since(connection, min((start_us for _, start_us in added), default=0)) if added else {}
    for key, (budget, pico) in added.items():
        before, alerted = known.get(key, (0, 0))
        total = before + pico
        reached = budget.alert_at(total)
        if reached > alerted:
            alerts.append(Alert(budget, reached, total))
        repository.put_spent(connection, key, total, max(reached, alerted))
        spent[budget.key(key[1])] = Spent(number, total)
    return spent, alerts


def _share(standing: Standing) -> float:
    amount = standing.budget.amount_pico
    return standing.spent_pico / amount if amount else float(standing.spent_pico > 0)


def _tell(alert: Alert) -> None:
    budget = alert.budget
    log.warning(
        "budget.alert",
        budget=budget.name,
        percent=alert.percent,
        spent=shown_pico(alert.spent_pico),
        amount=shown_pico(budget.amount_pico),
        currency=budget.currency,
        period=budget.period.value,
    )
