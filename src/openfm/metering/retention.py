"""What is kept of the ledger: rows for some days, daily sums of older ones for ever.

A row goes into its day's sum and away in one transaction. Invoices and reports add both, by the same keys; so they stay
as they are, byte for byte. What is kept as a row for ever: requests with a correction, and the row that was closed last
(numbering goes on after it).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, exists, func, select

from openfm.core.ledger import LedgerState
from openfm.core.price import MICRO
from openfm.core.report import DAY_US
from openfm.metering.adding import SUMS, SumKey, add_sums, digest
from openfm.metering.day_sums import SUMS_READER, take_out
from openfm.metering.refusals import forget_refusals
from openfm.store.budget_tables import ledger_readers
from openfm.store.database import Database
from openfm.store.ledger_tables import ledger, ledger_corrections
from openfm.store.usage_tables import ledger_days

_AT_ONCE = 1000
_MINUTES_A_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class LedgerKept:
    """How much is kept. `oldest_us` is when the oldest row was received; None without rows."""

    rows: int
    oldest_us: int | None
    day_sums: int


@dataclass(frozen=True, slots=True)
class LedgerRetention:
    """Rolls up rows of requests that were received more than `days` days ago; None keeps them for ever.

    Its calls block. `clock_us` is microseconds since the epoch. What not all `ledger_readers` have read stays.
    """

    database: Database
    days: int | None
    clock_us: Callable[[], int]

    def sweep(self) -> int:
        """Roll up all that is old enough, some rows a transaction; how many rows went. Refusals of then go too."""
        total = 0
        while count := self.step():
            total += count
        if self.days is not None:
            forget_refusals(self.database, (self.clock_us() // DAY_US - self.days) * _MINUTES_A_DAY)
        return total

    def step(self) -> int:
        """Roll up some rows; how many."""
        if self.days is None:
            return 0
        before_us = (self.clock_us() // DAY_US - self.days) * DAY_US
        with self.database.transaction() as connection:
            rows = _old_rows(connection, before_us, _read_by_all(connection))
            _add(connection, rows)
            take_out(connection, rows)
            connection.execute(delete(ledger).where(ledger.c.request_id.in_([row.request_id for row in rows])))
        return len(rows)

    def kept(self) -> LedgerKept:
        """What is there now."""
        with self.database.transaction() as connection:
            rows, oldest_us = connection.execute(select(func.count(), func.min(ledger.c.received_us))).one()
            sums = connection.execute(select(func.count()).select_from(ledger_days)).scalar_one()
        return LedgerKept(rows, oldest_us, sums)


def _read_by_all(connection: Connection) -> int:
    others = select(func.min(ledger_readers.c.closing_number)).where(ledger_readers.c.name != SUMS_READER)
    return connection.execute(others).scalar_one() or 0


def _old_rows(connection: Connection, before_us: int, counted_to: int) -> Sequence[Any]:
    last = select(func.max(ledger.c.closing_number)).scalar_subquery()
    columns = (
        ledger.c.request_id,
        ledger.c.received_us,
        ledger.c.closing_number,
        ledger.c.currency,
        ledger.c.principal_id,
        ledger.c.principal_name,
        ledger.c.endpoint_name,
        ledger.c.entity_name,
        ledger.c.price_version,
        ledger.c.tags,
        ledger.c.billed_prompt,
        ledger.c.billed_cached,
        ledger.c.billed_completion,
        ledger.c.cost_pico,
    )
    is_old = and_(
        ledger.c.received_us < before_us,
        ledger.c.state != LedgerState.RESERVED,
        ledger.c.closing_number < last,
        ledger.c.closing_number <= counted_to,
        ~exists().where(ledger_corrections.c.request_id == ledger.c.request_id),
    )
    return connection.execute(select(*columns).where(is_old).order_by(ledger.c.received_us).limit(_AT_ONCE)).all()


def _add(connection: Connection, rows: Sequence[Row[Any]]) -> None:
    added: dict[SumKey, dict[str, Any]] = {}
    for row in rows:
        facts = _facts(row)
        key = (row.received_us // DAY_US * DAY_US, digest(facts))
        line = added.setdefault(key, facts | dict.fromkeys(SUMS, 0))
        parts = (1, row.billed_prompt, row.billed_cached, row.billed_completion, *divmod(row.cost_pico, MICRO))
        for name, part in zip(SUMS, parts, strict=True):
            line[name] += part
    add_sums(connection, ledger_days, added)


def _facts(row: Row[Any]) -> dict[str, Any]:
    return {
        "currency": row.currency,
        "principal_id": row.principal_id,
        "principal_name": row.principal_name,
        "endpoint_name": row.endpoint_name,
        "entity_name": row.entity_name,
        "price_version": row.price_version,
        "tags": row.tags,
    }
