"""Sums over closed requests, by what one asks for: of the ledger's rows, and of daily sums of rows that are gone."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, select

from openfm.core.invoice import Used
from openfm.core.ledger import LedgerState
from openfm.core.price import MICRO
from openfm.core.principal import Principal
from openfm.metering.adding import SUMS
from openfm.metering.day_sums import row_sums, summed_to
from openfm.store.ledger_tables import IS_OPEN, ledger
from openfm.store.usage_tables import ledger_days, ledger_sums


def closed(
    connection: Connection, names: Sequence[str], span_us: tuple[int, int], caller: Principal
) -> Iterator[tuple[tuple[Any, ...], Used]]:
    """What was used, by these columns, of requests received in whole days; for an admin everybody's, else one's own.

    `tag:KEY` names the value of a tag. A key may come twice.
    """
    tables = [ledger_days]
    if any(name.startswith("tag:") for name in names):
        received = and_(ledger.c.received_us >= span_us[0], ledger.c.received_us < span_us[1])
        own = ledger.c.principal_id == caller.id
    else:
        tables.append(ledger_sums)
        received = and_(ledger.c.closing_number > summed_to(connection), _without_index(span_us))
        own = func.coalesce(ledger.c.principal_id, "") == caller.id
    keys = [key_column(ledger, name) for name in names]
    query = select(*keys, *row_sums()).where(received, ledger.c.state != LedgerState.RESERVED).group_by(*keys)
    yield from _read(connection, query if caller.is_admin else query.where(own), len(names))
    for table in tables:
        keys = [key_column(table, name) for name in names]
        day = and_(table.c.day_us >= span_us[0], table.c.day_us < span_us[1])
        query = select(*keys, *(func.sum(table.c[field]) for field in SUMS)).where(day).group_by(*keys)
        yield from _read(
            connection, query if caller.is_admin else query.where(table.c.principal_id == caller.id), len(names)
        )


def open_requests(connection: Connection, span_us: tuple[int, int], caller: Principal) -> int:
    """How many requests that were received then are not closed yet."""
    query = select(func.count()).select_from(ledger).where(IS_OPEN, _without_index(span_us))
    if not caller.is_admin:
        query = query.where(func.coalesce(ledger.c.principal_id, "") == caller.id)
    return connection.execute(query).scalar_one()


def _without_index(span_us: tuple[int, int]) -> ColumnElement[bool]:
    """Received then; an expression keeps the database from reading a whole month by that index."""
    received_us = ledger.c.received_us + 0
    return and_(received_us >= span_us[0], received_us < span_us[1])


def _read(connection: Connection, query: Any, keys: int) -> Iterator[tuple[tuple[Any, ...], Used]]:
    for row in connection.execute(query):
        requests, prompt, cached, completion, high, low = row[keys:]
        used = Used(*(int(number) for number in (requests, prompt, cached, completion, high * MICRO + low)))
        yield tuple(row[:keys]), used


def key_column(table: Any, name: str) -> ColumnElement[Any]:
    """The column of that name, or the value of the tag in `tag:KEY`; empty without it."""
    tag = name.removeprefix("tag:")
    return table.c[name] if tag == name else func.coalesce(table.c.tags[tag].as_string(), "")
