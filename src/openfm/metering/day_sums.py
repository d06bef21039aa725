"""Daily sums of the ledger's rows: invoices and reports read some hundreds of rows instead of a month's.

They are over the rows up to a closing number, which is kept in the transaction that adds them; what is newer is summed
from the rows. A row that retention takes away leaves them in the same transaction. So whenever one looks, sums and
newer rows together are each closed row once: the same numbers as the rows alone, for they are whole.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from openfm.core.errors import ApiError
from openfm.core.price import MICRO
from openfm.core.report import DAY_US
from openfm.metering.adding import SUMS, SumKey, add_sums, digest
from openfm.store.budget_tables import ledger_readers
from openfm.store.database import Database
from openfm.store.ledger_tables import ledger
from openfm.store.usage_tables import ledger_sums

log = structlog.get_logger(__name__)

SUMS_READER = "sums"
"""Its name among the `ledger_readers`. Retention need not wait for it: `take_out` knows what it has read."""

_AT_ONCE = 5000
_INTERVAL_S = 2.0
_ABOUT = ("currency", "principal_id", "principal_name", "endpoint_name", "entity_name", "price_version")


def row_sums() -> list[ColumnElement[Any]]:
    """`SUMS` over rows of the ledger; the cost in two parts, for a sum of 10^-12 soon has more than 64 bits."""
    return [
        func.count(),
        func.sum(ledger.c.billed_prompt),
        func.sum(ledger.c.billed_cached),
        func.sum(ledger.c.billed_completion),
        func.sum(ledger.c.cost_pico // MICRO),
        func.sum(ledger.c.cost_pico % MICRO),
    ]


def summed_to(connection: Connection) -> int:
    """The closing number up to which rows are in the sums."""
    query = select(ledger_readers.c.closing_number).where(ledger_readers.c.name == SUMS_READER)
    return connection.execute(query).scalar_one_or_none() or 0


def take_out(connection: Connection, rows: Sequence[Any]) -> None:
    """These rows of the ledger go: what the sums have of them goes too."""
    number, lines = summed_to(connection), dict[SumKey, dict[str, Any]]()
    for row in rows:
        if row.closing_number > number:
            continue
        parts = (1, row.billed_prompt, row.billed_cached, row.billed_completion, *divmod(row.cost_pico, MICRO))
        _add(lines, row.received_us, {name: getattr(row, name) for name in _ABOUT}, [-part for part in parts])
    add_sums(connection, ledger_sums, lines)
    if lines:
        connection.execute(delete(ledger_sums).where(ledger_sums.c.requests == 0))


@dataclass(frozen=True, slots=True)
class SumKeeper:
    """Adds new rows to the sums, `at_once` a turn. Several may work at once: they do it once."""

    database: Database
    at_once: int = _AT_ONCE

    async def run(self) -> None:
        """Work until cancelled. What the database refuses is tried again."""
        while True:
            try:
                while await asyncio.to_thread(self.step):
                    pass
            except (SQLAlchemyError, ApiError) as error:
                log.warning("ledger.sums_wait", reason=str(error))
            await asyncio.sleep(_INTERVAL_S)

    def step(self) -> int:
        """Add the next rows; up to which closing number, 0 where there were none. Blocks."""
        with self.database.transaction() as connection:
            after = summed_to(connection)
            through = _next(connection, after, self.at_once)
            if through:
                add_sums(connection, ledger_sums, _sums(connection, after, through))
                _sum_to(connection, through)
        return through


def _next(connection: Connection, after: int, most: int) -> int:
    number = ledger.c.closing_number
    newer = select(number).where(number > after).order_by(number).limit(most).subquery()
    return connection.execute(select(func.max(newer.c.closing_number))).scalar_one() or 0


def _sums(connection: Connection, after: int, through: int) -> Mapping[SumKey, Mapping[str, Any]]:
    about = [ledger.c[name] for name in _ABOUT]
    day = (ledger.c.received_us - ledger.c.received_us % DAY_US).label("day_us")
    is_new = ledger.c.closing_number.between(after + 1, through)
    lines: dict[SumKey, dict[str, Any]] = {}
    for day_us, *row in connection.execute(select(day, *about, *row_sums()).where(is_new).group_by(day, *about)):
        facts, parts = row[: len(_ABOUT)], row[len(_ABOUT) :]
        _add(lines, day_us, dict(zip(_ABOUT, facts, strict=True)), [int(part) for part in parts])
    return lines


def _add(lines: dict[SumKey, dict[str, Any]], at_us: int, facts: Mapping[str, Any], parts: Sequence[int]) -> None:
    key = (at_us // DAY_US * DAY_US, digest(facts))
    line = lines.setdefault(key, {**facts, **dict.fromkeys(SUMS, 0)})
    for name, part in zip(SUMS, parts, strict=True):
        line[name] += part


def _sum_to(connection: Connection, number: int) -> None:
    is_it = ledger_readers.c.name == SUMS_READER
    if not connection.execute(update(ledger_readers).where(is_it).values(closing_number=number)).rowcount:
        connection.execute(insert(ledger_readers).values(name=SUMS_READER, closing_number=number))
