"""`system.billing`: a month in SQL is the month's invoice, whatever the prices did."""

import asyncio
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies
from sqlalchemy import delete, insert

from openfm.core.invoice import Month
from openfm.core.price import PICO, Price, PriceUnit, Target, TargetKind
from openfm.core.price_book import PriceBook, cost
from openfm.core.principal import Principal
from openfm.core.sql import SqlQuestion
from openfm.core.unit_hours import Provisioned, ReadyInterval
from openfm.core.usage import TokenCounts
from openfm.metering.invoices import InvoiceDesk
from openfm.metering.sql.archive import Archive
from openfm.metering.sql.desk import SqlDesk
from openfm.metering.sql.processes import SqlBounds, SqlProcesses
from openfm.metering.unit_hours import UnitHourWriter
from openfm.store.budget_tables import ledger_readers
from openfm.store.database import Database
from openfm.store.ledger_tables import ledger, ledger_corrections, prices
from openfm.store.usage_tables import ledger_sums, unit_hours
from tests.integration.usage_rows import drawn_rows, insert_rows

ADMIN = Principal("0", "admin", is_admin=True)
NOVEMBER = Month(2026, 11)
START_US, END_US = NOVEMBER.bounds_us
HOUR_US = 3_600_000_000
TARGETS = (
    *(Target(TargetKind.ENDPOINT, name) for name in ("*", "chat-*", "chat-1", "*-1")),
    Target(TargetKind.ENTITY, "main.default.model"),
)
JOINS = {
    "by the start": "u.usage_start_time >= p.price_start_time AND "
    "(p.price_end_time IS NULL OR u.usage_start_time < p.price_end_time)",
    "by the end": "u.usage_end_time >= p.price_start_time AND "
    "(p.price_end_time IS NULL OR u.usage_end_time < p.price_end_time)",
    "by both": "u.usage_start_time >= p.price_start_time AND "
    "(u.usage_end_time <= p.price_end_time OR p.price_end_time IS NULL)",
}
"""How notebooks for Databricks join usage and prices."""


@dataclass
class Books:
    """A ledger, and who reads it."""

    database: Database
    desk: SqlDesk

    def ask(self, text: str, caller: Principal = ADMIN) -> list[list[Any]]:
        """The rows of an answer."""
        return [list(row) for row in asyncio.run(self.desk.ask(SqlQuestion(text, 10_000), caller)).rows]

    def totals(self, text: str) -> dict[str, Decimal]:
        """An answer of two columns, currency and amount; without those that come to nothing."""
        return {str(name): Decimal(str(amount)) for name, amount in self.ask(text) if Decimal(str(amount))}

    def invoiced(self) -> dict[str, Decimal]:
        """The invoice's totals."""
        totals = InvoiceDesk(self.database, lambda: END_US).made(NOVEMBER, ADMIN).totals
        return {currency: Decimal(pico) / PICO for currency, pico in totals.items() if pico}

    def empty(self) -> None:
        """Begin anew."""
        with self.database.transaction() as connection:
            for table in (ledger_corrections, ledger, prices, unit_hours, ledger_sums, ledger_readers):
                connection.execute(delete(table))


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    database = Database(f"sqlite:///{tmp_path / 'openfm.db'}")
    database.migrate()
    processes = SqlProcesses(SqlBounds(memory_bytes=256 << 20, seconds=60.0), dict(os.environ))
    yield Books(database, SqlDesk(database, Archive(tmp_path / "usage"), processes, "7", lambda _: frozenset()))
    processes.close()
    database.close()


def drawn_prices(draw: random.Random) -> list[Price]:
    """Some prices, that begin whenever they like; two may begin at once, or on the hour."""
    found = []
    for version in range(1, draw.randrange(1, 9)):
        units = draw.sample(list(PriceUnit), draw.randrange(1, 5))
        start = START_US + draw.choice([0, HOUR_US, 2 * HOUR_US, draw.randrange(6 * HOUR_US)])
        amounts = {unit: draw.randrange(100_000_000) for unit in units}
        found.append(Price(version, draw.choice(TARGETS), draw.choice(["USD", "DBU"]), amounts, start, start, "admin"))
    return found


def fill(books: Books, seed: int) -> None:
    """A few hours of November: prices, requests, hours of model units, corrections."""
    draw = random.Random(seed)  # noqa: S311  # data, no secret
    listed = drawn_prices(draw)
    keep_prices(books, listed)
    book = PriceBook(listed)
    rows = []
    for row in drawn_rows(60, seed, days=1):
        at_us = START_US + draw.randrange(6 * HOUR_US)
        price = book.price(row["endpoint_name"], row["entity_name"], at_us)
        counts = TokenCounts(row["billed_prompt"], row["billed_completion"], row["billed_cached"])
        priced = {"cost_pico": cost(counts, price), "currency": price.currency, "price_version": price.version}
        rows.append(row | priced | {"received_us": at_us})
    insert_rows(books.database, rows)
    keep_hours(books, draw)
    corrections = [
        {"id": f"c{number}", "request_id": row["request_id"], "cost_pico": draw.randrange(-(10**9), 10**9)}
        | {"currency": row["currency"], "price_version": row["price_version"], "reason": "so", "created_by": "admin"}
        | {"created_us": START_US + draw.randrange(6 * HOUR_US), "charge_number": 10_000 + number}
        for number, row in enumerate(draw.sample(rows, 5))
    ]
    with books.database.transaction() as connection:
        connection.execute(insert(ledger_corrections), corrections)


def keep_prices(books: Books, listed: list[Price]) -> None:
    stored = [
        {"version": price.version, "unit": unit, "target_kind": price.target.kind, "target": price.target.name}
        | {"amount_micro": amount, "currency": price.currency, "effective_from_us": price.effective_from_us}
        | {"created_us": price.created_us, "created_by": price.created_by}
        for price in listed
        for unit, amount in price.amounts.items()
    ]
    if stored:
        with books.database.transaction() as connection:
            connection.execute(insert(prices), stored)


def keep_hours(books: Books, draw: random.Random) -> None:
    tags = (("team", "red"),)
    entity = Provisioned("d", draw.randrange(1, 50), "e1", "chat-1", "admin", "main.default.model", tags)
    second = START_US // 1_000_000
    intervals = []
    for _ in range(200):
        length = draw.randrange(1, 61)
        intervals.append(ReadyInterval(entity, second, second + length))
        second += length + draw.choice([0, 0, 0, 17])
    UnitHourWriter(books.database, dict).write(intervals)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=strategies.integers(0, 1 << 32))
def test_a_month_in_sql_is_the_invoice_to_the_last_digit_however_one_asks(books: Books, seed: int) -> None:
    books.empty()
    fill(books, seed)
    invoiced = books.invoiced()
    month = "usage_date BETWEEN DATE '2026-11-01' AND DATE '2026-11-30'"
    assert books.totals(f"SELECT currency, sum(cost) FROM system.billing.usage WHERE {month} GROUP BY 1") == invoiced
    for join in JOINS.values():
        # Hours are no whole decimals, so their product is rounded to what is billed: whole 10^-12.
        asked = (
            "SELECT currency_code, sum(round(usage_quantity * pricing.effective_list.default, 12)), "
            "sum(usage_quantity * pricing.default) FILTER (WHERE u.usage_unit <> 'HOUR') - "
            "sum(cost) FILTER (WHERE u.usage_unit <> 'HOUR') FROM system.billing.usage u JOIN "
            f"system.billing.list_prices p ON u.cloud = p.cloud AND u.sku_name = p.sku_name AND {join} "
            f"WHERE {month} GROUP BY 1"
        )
        found = books.ask(asked)
        assert {name: Decimal(str(total)) for name, total, _ in found if Decimal(str(total))} == invoiced
        assert all(not Decimal(str(rest or 0)) for _, _, rest in found)


def test_a_row_has_databricks_columns_filled_as_far_as_they_are_known(books: Books) -> None:
    listed = [Price(1, TARGETS[2], "DBU", {PriceUnit.PROMPT: 500_000}, START_US, START_US, "admin")]
    keep_prices(books, listed)
    row = next(row for row in drawn_rows(9, seed=1) if row["endpoint_name"] == "chat-1")
    facts = {"billed_prompt": 3_000_000, "billed_cached": 1_000_000, "billed_completion": 0, "currency": "DBU"}
    insert_rows(books.database, [row | facts | {"price_version": 1, "received_us": START_US + 90 * 60_000_000}])
    columns = "sku_name, usage_unit, usage_quantity, cost, record_type, usage_type, identity_metadata.run_as, "
    columns += "usage_metadata.endpoint_name, usage_metadata.job_id, product_features.model_serving.offering_type, "
    found = books.ask(
        f"SELECT {columns} usage_start_time, usage_end_time FROM system.billing.usage ORDER BY sku_name DESC"
    )
    assert [(one[0], Decimal(one[2]), Decimal(one[3])) for one in found] == [
        ("PAY_PER_TOKEN_PROMPT/ENDPOINT/chat-1", Decimal(2), Decimal(1)),
        ("PAY_PER_TOKEN_CACHED/ENDPOINT/chat-1", Decimal(1), Decimal("0.5")),
    ]
    for one in found:
        assert one[1] == "MILLION_TOKENS"
        assert one[4:10] == ["ORIGINAL", "TOKEN", row["principal_name"], "chat-1", None, "PAY_PER_TOKEN"]
        assert one[10:] == ["2026-11-01T01:00:00", "2026-11-01T02:00:00"]
    units = "SELECT sku_name, pricing.default FROM system.billing.list_prices ORDER BY 1"
    assert [(sku.partition("/")[0], Decimal(amount)) for sku, amount in books.ask(units)] == [
        ("PAY_PER_TOKEN_CACHED", Decimal("0.5")),
        ("PAY_PER_TOKEN_COMPLETION", Decimal(0)),
        ("PAY_PER_TOKEN_PROMPT", Decimal("0.5")),
        ("PROVISIONED_THROUGHPUT", Decimal(0)),
    ]


def test_corrections_and_hours_of_model_units_are_their_own_alone(books: Books) -> None:
    fill(books, seed=5)
    kinds = "SELECT DISTINCT record_type, identity_metadata.run_as FROM system.billing.usage"
    assert {kind for kind, _ in books.ask(kinds)} == {"ORIGINAL", "RETRACTION", "RESTATEMENT"}
    ann = Principal("p1", "user1@example.org")
    assert {who for _, who in books.ask(kinds, ann)} == {ann.name}
    hours = "SELECT count(*) FROM system.billing.usage WHERE usage_type = 'COMPUTE_TIME'"
    assert books.ask(hours) != [[0]]
    assert books.ask(hours, ann) == [[0]]
