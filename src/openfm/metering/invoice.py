"""Invoices: sums of the ledger and the prices they were made by, as text that is the same byte for byte each time.

Lines are summed from costs that were fixed when each request was closed. A request belongs to the month in which it was
received, a correction to the month in which it was made; so the invoice of a past month stays as it is.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from openfm.core.invoice import Correction, LineKey, Month, Used
from openfm.core.price import Price, PriceUnit, shown_micro, shown_pico
from openfm.core.price_book import FREE
from openfm.core.unit_hours import UnitSeconds

_COLUMNS = (
    "currency",
    "principal",
    "principal_id",
    "endpoint",
    "entity",
    "price_version",
    "requests",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "prompt_price",
    "cached_price",
    "completion_price",
    "amount",
)
_HOUR_COLUMNS = (*_COLUMNS[:6], "unit_seconds", "unit_hour_price", "amount")
_NUMBERS_FROM = _COLUMNS.index("price_version")
_DANGEROUS_IN_SPREADSHEETS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Invoice:
    """A month's usage. `open_requests` are not priced yet; with any, or before the month's end, it is provisional."""

    month: Month
    subject: str
    lines: Mapping[LineKey, Used]
    unit_hours: Mapping[LineKey, UnitSeconds]
    corrections: Sequence[Correction]
    prices: Mapping[int, Price]
    open_requests: int
    is_final: bool

    @property
    def totals(self) -> Mapping[str, int]:
        """10^-12 of each currency, by currency."""
        found: dict[str, int] = {}
        for key, used in self.lines.items():
            found[key.currency] = found.get(key.currency, 0) + used.cost_pico
        for key, hours in self.unit_hours.items():
            found[key.currency] = found.get(key.currency, 0) + hours.cost_pico
        for correction in self.corrections:
            found[correction.currency] = found.get(correction.currency, 0) + correction.cost_pico
        return dict(sorted(found.items()))

    @property
    def state(self) -> str:
        """`final`: it will never change."""
        return "final" if self.is_final else "provisional"


def as_json(invoice: Invoice) -> str:
    """One JSON object; amounts are strings, for they are exact."""
    body = {
        "month": str(invoice.month),
        "for": invoice.subject,
        "state": invoice.state,
        "open_requests": invoice.open_requests,
        "lines": [_numbered(dict(zip(_COLUMNS, row, strict=True))) for row in _rows(invoice)],
        **_hours_body(invoice),
        "corrections": [
            {
                "id": one.id,
                "request_id": one.request_id,
                "currency": one.currency,
                "amount": shown_pico(one.cost_pico),
                "reason": one.reason,
            }
            for one in sorted(invoice.corrections)
        ],
        "totals": {currency: shown_pico(pico) for currency, pico in invoice.totals.items()},
    }
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def as_csv(invoice: Invoice) -> str:
    """A header and one record a line, corrections last: their requests, tokens and prices are empty."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((*_COLUMNS, "note"))
    for row in _rows(invoice):
        writer.writerow([*map(safe, row[:_NUMBERS_FROM]), *row[_NUMBERS_FROM:], ""])
    for currency, principal, principal_id, endpoint, entity, version, seconds, price, amount in _hours(invoice):
        named = map(safe, (currency, principal, principal_id, endpoint, entity))
        empty = [""] * (len(_COLUMNS) - 7)
        writer.writerow([*named, version, *empty, amount, f"{seconds} seconds of a model unit at {price} an hour"])
    for one in sorted(invoice.corrections):
        empty = [""] * (len(_COLUMNS) - 2)
        note = f"correction {one.id} of request {one.request_id}: {one.reason}"
        writer.writerow([one.currency, *empty, shown_pico(one.cost_pico), note])
    return out.getvalue()


def as_text(invoice: Invoice) -> str:
    """For people: a table, corrections, totals."""
    out = [f"Invoice {invoice.month} (UTC), {invoice.state}", f"For {invoice.subject}"]
    if invoice.open_requests:
        out.append(f"Requests that are not closed yet: {invoice.open_requests}")
    out += ["", *_table([_COLUMNS, *_rows(invoice)])]
    if invoice.unit_hours:
        out += ["", "Hours of model units", *_table([_HOUR_COLUMNS, *_hours(invoice)])]
    out += [""] if not invoice.corrections else ["", "Corrections"]
    for one in sorted(invoice.corrections):
        out.append(f"  {one.currency} {shown_pico(one.cost_pico)}  request {one.request_id}: {_one_line(one.reason)}")
    out += [f"Total {currency} {shown_pico(pico)}" for currency, pico in invoice.totals.items()]
    if not invoice.totals:
        out.append("Nothing was used.")
    return "\n".join(out) + "\n"


def _rows(invoice: Invoice) -> list[tuple[str, ...]]:
    rows = []
    for key in sorted(invoice.lines):
        used, price = invoice.lines[key], invoice.prices.get(key.price_version, FREE)
        units = (PriceUnit.PROMPT, PriceUnit.CACHED, PriceUnit.COMPLETION)
        rows.append(
            (
                key.currency,
                key.principal_name,
                key.principal_id,
                key.endpoint_name,
                key.entity_name,
                *map(str, (key.price_version, used.requests, used.prompt, used.cached, used.completion)),
                *(shown_micro(price.micro(unit)) for unit in units),
                shown_pico(used.cost_pico),
            )
        )
    return rows


def _hours_body(invoice: Invoice) -> dict[str, object]:
    """Only where there are some: invoices without stay byte for byte what they were."""
    hours = [dict(zip(_HOUR_COLUMNS, row, strict=True)) for row in _hours(invoice)]
    return {"unit_hours": hours} if hours else {}


def _hours(invoice: Invoice) -> list[tuple[str, ...]]:
    """One a line of hours of model units, in `_HOUR_COLUMNS`."""
    rows: list[tuple[str, ...]] = []
    for key in sorted(invoice.unit_hours):
        hours, price = invoice.unit_hours[key], invoice.prices.get(key.price_version, FREE)
        named = (key.currency, key.principal_name, key.principal_id, key.endpoint_name, key.entity_name)
        shown = (shown_micro(price.micro(PriceUnit.MODEL_UNIT_HOUR)), shown_pico(hours.cost_pico))
        rows.append((*named, str(key.price_version), str(hours.seconds), *shown))
    return rows


def _numbered(row: dict[str, str]) -> dict[str, str | int]:
    counted = ("price_version", "requests", "prompt_tokens", "cached_tokens", "completion_tokens")
    return {name: int(value) if name in counted else value for name, value in row.items()}


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    shown = [[_one_line(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = []
    for row in shown:
        cells = [
            cell.rjust(width) if number >= _NUMBERS_FROM else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def _one_line(text: str) -> str:
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def safe(text: str) -> str:
    """A spreadsheet would run it."""
    return f"'{text}" if text.startswith(_DANGEROUS_IN_SPREADSHEETS) else text
