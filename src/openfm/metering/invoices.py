"""Invoices out of the database."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, and_, select

from openfm.core.errors import InvalidParameterValue
from openfm.core.invoice import Correction, LineKey, Month, Used
from openfm.core.principal import Principal
from openfm.core.unit_hours import LONGEST_S
from openfm.metering.day_sums import SumKeeper
from openfm.metering.invoice import Invoice, as_csv, as_json, as_text
from openfm.metering.price_list import load_prices
from openfm.metering.sums import closed, open_requests
from openfm.metering.unit_hours import unit_lines
from openfm.store.database import Database
from openfm.store.ledger_tables import ledger, ledger_corrections

_FORMS = {"text": as_text, "csv": as_csv, "json": as_json}
_LATE_US = 2 * LONGEST_S * 1_000_000


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
        """The month's sums: all as of one moment."""
        keeper = SumKeeper(self.database)
        while keeper.step():  # some rows a turn; what is left to the sum below is short
            pass
        lines: dict[LineKey, Used] = {}
        with self.database.transaction() as connection:
            _add_lines(connection, month.bounds_us, caller, lines)
            still_open = open_requests(connection, month.bounds_us, caller)
            corrections = _corrections(connection, month, caller)
            hours = unit_lines(connection, month.bounds_us, caller)
            prices = {price.version: price for price in load_prices(connection)}
        return Invoice(
            month=month,
            subject="everybody" if caller.is_admin else caller.name,
            lines=lines,
            unit_hours=hours,
            corrections=corrections,
            prices=prices,
            open_requests=still_open,
            is_final=not still_open and self.clock_us() >= month.bounds_us[1] + (_LATE_US if hours else 0),
        )


def _add_lines(connection: Connection, span_us: tuple[int, int], caller: Principal, lines: dict[LineKey, Used]) -> None:
    names = ("currency", "principal_name", "principal_id", "endpoint_name", "entity_name", "price_version")
    for key, used in closed(connection, names, span_us, caller):
        line = LineKey(*key)
        lines[line] = lines[line] + used if line in lines else used


def _corrections(connection: Connection, month: Month, caller: Principal) -> list[Correction]:
    start_us, end_us = month.bounds_us
    made = and_(ledger_corrections.c.created_us >= start_us, ledger_corrections.c.created_us < end_us)
    of_request = ledger_corrections.c.request_id == ledger.c.request_id
    query = select(ledger_corrections).where(made)
    if not caller.is_admin:
        query = query.join(ledger, of_request).where(ledger.c.principal_id == caller.id)
    return [
        Correction(row.created_us, row.id, row.request_id, row.currency, row.cost_pico, row.reason)
        for row in connection.execute(query)
    ]
