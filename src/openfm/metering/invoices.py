"""Invoices out of the database."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from sqlalchemy import ColumnElement, Connection, and_, func, select, true

from openfm.core.errors import InvalidParameterValue
from openfm.core.invoice import Correction, LineKey, Month, Used
from openfm.core.ledger import LedgerState
from openfm.core.price import MICRO
from openfm.core.principal import Principal
from openfm.metering.invoice import Invoice, as_csv, as_json, as_text
from openfm.metering.price_list import load_prices
from openfm.store.database import Database
from openfm.store.ledger_tables import ledger, ledger_corrections

_FORMS = {"text": as_text, "csv": as_csv, "json": as_json}
_DAY_US = 24 * 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class InvoiceDesk:
    """Writes invoices; its calls block. `clock_us` is microseconds since the epoch."""

    database: Database
    clock_us: Callable[[], int]

    def invoice(self, month: Month, caller: Principal, form: str) -> str:
        """See `control.usage.ports.Invoices`. Raises `InvalidParameterValue` for another form than text, csv, json."""
        write = _FORMS.get(form)
        if write is None:
            raise InvalidParameterValue(f"format must be one of {', '.join(_FORMS)}.", param="format")
        return write(self.made(month, caller))

    def made(self, month: Month, caller: Principal) -> Invoice:
        """The month's sums."""
        start_us, end_us = month.bounds_us
        lines: dict[LineKey, Used] = {}
        open_requests = 0
        # A day at a time: readers and writers of the database take turns.
        for first_us, next_us in pairwise([*range(start_us, end_us, _DAY_US), end_us]):
            received = and_(ledger.c.received_us >= first_us, ledger.c.received_us < next_us)
            with self.database.transaction() as connection:
                open_requests += _add_lines(connection, and_(received, _of(caller)), lines)
        with self.database.transaction() as connection:
            corrections = _corrections(connection, month, caller)
            prices = {price.version: price for price in load_prices(connection)}
        return Invoice(
            month=month,
            subject="everybody" if caller.is_admin else caller.name,
            lines=lines,
            corrections=corrections,
            prices=prices,
            open_requests=open_requests,
            is_final=not open_requests and self.clock_us() >= end_us,
        )


def _of(caller: Principal) -> ColumnElement[bool]:
    return true() if caller.is_admin else ledger.c.principal_id == caller.id


def _add_lines(connection: Connection, condition: ColumnElement[bool], lines: dict[LineKey, Used]) -> int:
    """Add these rows to the lines; how many of them are open."""
    keys = (
        ledger.c.currency,
        ledger.c.principal_name,
        ledger.c.principal_id,
        ledger.c.endpoint_name,
        ledger.c.entity_name,
        ledger.c.price_version,
    )
    sums = (
        func.count(),
        func.sum(ledger.c.billed_prompt),
        func.sum(ledger.c.billed_cached),
        func.sum(ledger.c.billed_completion),
        # In two parts: a sum of 10^-12 soon has more than 64 bits.
        func.sum(ledger.c.cost_pico // MICRO),
        func.sum(ledger.c.cost_pico % MICRO),
    )
    query = select(*keys, *sums).where(and_(condition, ledger.c.state != LedgerState.RESERVED)).group_by(*keys)
    for *key, requests, prompt, cached, completion, high, low in connection.execute(query):
        used = Used(*(int(number) for number in (requests, prompt, cached, completion, high * MICRO + low)))
        line = LineKey(*key)
        lines[line] = lines[line] + used if line in lines else used
    is_open = and_(condition, ledger.c.state == LedgerState.RESERVED)
    return connection.execute(select(func.count()).select_from(ledger).where(is_open)).scalar_one()


def _corrections(connection: Connection, month: Month, caller: Principal) -> list[Correction]:
    start_us, end_us = month.bounds_us
    made = and_(ledger_corrections.c.created_us >= start_us, ledger_corrections.c.created_us < end_us)
    of_request = ledger_corrections.c.request_id == ledger.c.request_id
    query = select(ledger_corrections).join(ledger, of_request).where(and_(made, _of(caller)))
    return [
        Correction(row.created_us, row.id, row.request_id, row.currency, row.cost_pico, row.reason)
        for row in connection.execute(query)
    ]
