"""Sums over closed requests, by what one asks for: of the ledger's rows, and of daily sums of rows that are gone."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, select

from openfm.core.invoice import Used
from openfm.core.ledger import LedgerState
from openfm.core.price import MICRO
from openfm.core.principal import Principal
from openfm.store.ledger_tables import ledger
from openfm.store.usage_tables import ledger_days


def closed(
    connection: Connection, names: Sequence[str], span_us: tuple[int, int], caller: Principal
) -> Iterator[tuple[tuple[Any, ...], Used]]:
    """What was used, by these columns, of requests received in whole days; for an admin everybody's, else one's own.

    `tag:KEY` names the value of a tag. A key may come twice.
    """
    start_us, end_us = span_us
    received = and_(ledger.c.received_us >= start_us, ledger.c.received_us < end_us)
    # In two parts: a sum of 10^-12 soon has more than 64 bits.
    sums: list[ColumnElement[Any]] = [
        func.count(),
        func.sum(ledger.c.billed_prompt),
        func.sum(ledger.c.billed_cached),
        func.sum(ledger.c.billed_completion),
        func.sum(ledger.c.cost_pico // MICRO),
        func.sum(ledger.c.cost_pico % MICRO),
    ]
    keys = [key_column(ledger, name) for name in names]
    query = select(*keys, *sums).where(received, ledger.c.state != LedgerState.RESERVED).group_by(*keys)
    if not caller.is_admin:
        query = query.where(ledger.c.principal_id == caller.id)
    yield from _read(connection, query, len(names))
    day = and_(ledger_days.c.day_us >= start_us, ledger_days.c.day_us < end_us)
    fields = ("requests", "prompt", "cached", "completion", "cost_micro", "cost_rest")
    keys = [key_column(ledger_days, name) for name in names]
    query = select(*keys, *(func.sum(ledger_days.c[field]) for field in fields)).where(day).group_by(*keys)
    if not caller.is_admin:
        query = query.where(ledger_days.c.principal_id == caller.id)
    yield from _read(connection, query, len(names))


def open_requests(connection: Connection, span_us: tuple[int, int], caller: Principal) -> int:
    """How many requests that were received then are not closed yet."""
    start_us, end_us = span_us
    query = (
        select(func.count())
        .select_from(ledger)
        .where(ledger.c.received_us >= start_us, ledger.c.received_us < end_us, ledger.c.state == LedgerState.RESERVED)
    )
    if not caller.is_admin:
        query = query.where(ledger.c.principal_id == caller.id)
    return connection.execute(query).scalar_one()


def _read(connection: Connection, query: Any, keys: int) -> Iterator[tuple[tuple[Any, ...], Used]]:
    for row in connection.execute(query):
        requests, prompt, cached, completion, high, low = row[keys:]
        used = Used(*(int(number) for number in (requests, prompt, cached, completion, high * MICRO + low)))
        yield tuple(row[:keys]), used


def key_column(table: Any, name: str) -> ColumnElement[Any]:
    """The column of that name, or the value of the tag in `tag:KEY`; empty without it."""
    tag = name.removeprefix("tag:")
    return table.c[name] if tag == name else func.coalesce(table.c.tags[tag].as_string(), "")
