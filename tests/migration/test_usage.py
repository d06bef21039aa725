"""Reports and retention on each kind of database: sums are exact, and stay what they are when rows go."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select

from openfm.core.errors import InvalidParameterValue
from openfm.core.invoice import Month
from openfm.core.price import Price, PriceRequest, PriceUnit, Target, TargetKind
from openfm.core.principal import Principal
from openfm.core.report import DAY_US, Days, Grouping
from openfm.core.usage import TokenCounts
from openfm.metering.day_sums import SumKeeper
from openfm.metering.folding import reserved_row, settled_part
from openfm.metering.invoices import InvoiceDesk
from openfm.metering.price_list import PriceList
from openfm.metering.reports import ReportDesk
from openfm.metering.retention import LedgerRetention
from openfm.store.budget_tables import ledger_readers
from openfm.store.database import Database
from openfm.store.ledger_tables import ledger, ledger_corrections
from openfm.store.usage_tables import ledger_days, ledger_sums
from tests.unit.metering.events import entry, settlement

ADMIN = Principal("1", "admin", is_admin=True)
ANA = Principal("7", "ana@example.com")
OCTOBER, NOVEMBER = Month(2026, 10), Month(2026, 11)
START_US = OCTOBER.bounds_us[0]
SPAN = Days.parse("2026-10-01", "2026-11-30")
DEAR = 10**11
"""A token costs so many 10^-12: sums soon have more than 64 bits."""


class Books:
    """A ledger that is written by hand, and all that reads it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now_us = START_US + 100 * DAY_US
        self.closed = 0
        self.invoices = InvoiceDesk(database, lambda: self.now_us)
        self.reports = ReportDesk(database)
        self.retention = LedgerRetention(database, 40, lambda: self.now_us)
        self.read_to(1 << 60)

    def read_to(self, number: int) -> None:
        """The budgets have counted so many rows."""
        with self.database.transaction() as connection:
            connection.execute(delete(ledger_readers).where(ledger_readers.c.name == "budgets"))
            connection.execute(insert(ledger_readers).values(name="budgets", closing_number=number))

    def write(self, count: int, seed: int, days: int = 60) -> None:
        """Rows of random requests."""
        draw = random.Random(seed)  # noqa: S311  # the same each time
        rows = []
        for _ in range(count):
            self.closed += 1
            who = draw.choice(["7", "8"])
            tags = draw.choice([(), (("team", "red"),), (("team", "blue"), ("a b", 'q"'))])
            asked = replace(
                entry(f"r{self.closed}", endpoint=draw.choice(["chat", "other"])),
                received_us=START_US + draw.randrange(days * DAY_US),
                principal_id=who,
                principal_name={"7": ANA.name, "8": "bob"}[who],
                tags=tags,
            )
            amounts = {PriceUnit.PROMPT: draw.randrange(DEAR), PriceUnit.COMPLETION: DEAR}
            price = Price(
                draw.choice([1, 2]), Target(TargetKind.ENDPOINT, "*"), draw.choice(["USD", "EUR"]), amounts, 0, 0, ""
            )
            billed = TokenCounts(draw.randrange(1000), draw.randrange(1000))
            end = settled_part(settlement(asked.request_id, billed), price)
            rows.append(reserved_row(asked, "g") | end | {"closing_number": self.closed})
        with self.database.transaction() as connection:
            connection.execute(insert(ledger), rows)

    def rows(self) -> int:
        with self.database.transaction() as connection:
            return connection.execute(select(func.count()).select_from(ledger)).scalar_one()

    def everything(self) -> list[str]:
        """Each invoice and report there is."""
        forms = [
            (month, who, form)
            for month in (OCTOBER, NOVEMBER)
            for who in (ADMIN, ANA)
            for form in ("text", "csv", "json")
        ]
        texts = [self.invoices.invoice(month, who, form) for month, who, form in forms]
        for by in ("principal", "endpoint", "day", "tag:team", "tag:a b"):
            for who in (ADMIN, ANA):
                texts += [self.reports.report(Grouping.parse(by), SPAN, who, form) for form in ("json", "csv")]
        return texts


@pytest.fixture
def books(database: Database) -> Books:
    database.migrate()
    return Books(database)


def test_a_report_sums_exactly_and_each_line_is_what_it_says(books: Books) -> None:
    books.write(300, seed=1)
    with books.database.transaction() as connection:
        rows = connection.execute(select(ledger)).all()
    ways: dict[str, Callable[[Any], str]] = {
        "principal": lambda row: str(row.principal_name),
        "endpoint": lambda row: str(row.endpoint_name),
        "tag:team": lambda row: str(row.tags.get("team", "")),
        "tag:a b": lambda row: str(row.tags.get("a b", "")),
    }
    for by, of in ways.items():
        found = json.loads(books.reports.report(Grouping.parse(by), SPAN, ADMIN, "json"))
        expected: dict[tuple[str, str], list[Any]] = {}
        for row in rows:
            requests, prompt, amount = expected.get((row.currency, of(row)), [0, 0, Decimal(0)])
            sums = [requests + 1, prompt + row.billed_prompt, amount + Decimal(row.cost_pico) / 10**12]
            expected[row.currency, of(row)] = sums
        lines = {
            (one["currency"], one["key"]): [one["requests"], one["prompt_tokens"], Decimal(one["amount"])]
            for one in found["lines"]
        }
        assert lines == expected
        assert sum(one["requests"] for one in found["totals"]) == 300


def test_one_who_is_no_admin_gets_a_report_about_oneself(books: Books) -> None:
    books.write(50, seed=2)
    found = json.loads(books.reports.report(Grouping.parse("principal"), SPAN, ANA, "json"))
    assert found["for"] == ANA.name
    assert {one["key"] for one in found["lines"]} == {ANA.name}


@pytest.mark.parametrize("by", ["", "team", "tag:", "tag:" + "x" * 256, 'tag:a"b', "month"])
def test_other_groupings_are_refused(by: str) -> None:
    with pytest.raises(InvalidParameterValue, match="tag:KEY"):
        Grouping.parse(by)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2026-11-02", "2026-11-01"),
        ("2026-11-31", "2026-12-01"),
        ("", "2026-11-01"),
        ("now", "then"),
        ("2000-01-01", "2026-01-01"),
    ],
)
def test_days_that_make_no_sense_are_refused(first: str, last: str) -> None:
    with pytest.raises(InvalidParameterValue):
        Days.parse(first, last)


def test_when_rows_go_every_invoice_and_report_stays_the_same_byte_for_byte(books: Books) -> None:
    books.write(5000, seed=3)
    before = books.everything()
    went = books.retention.sweep()
    assert went > 0
    assert books.rows() == 5000 - went
    assert books.everything() == before
    assert books.retention.sweep() == 0
    books.now_us += 100 * DAY_US
    books.retention.sweep()
    assert books.rows() == 1, "numbering goes on after the last row"
    assert books.everything() == before
    kept = books.retention.kept()
    assert kept.rows == 1
    assert kept.day_sums > 60


def test_sums_and_newer_rows_together_say_what_the_rows_say_whoever_added_how_much(books: Books) -> None:
    books.retention = replace(books.retention, days=70)
    keepers = [SumKeeper(books.database, at_once=size) for size in (7, 60)]
    for seed in range(6):
        books.write(100, seed)
        for keeper in keepers:
            keeper.step()
        books.retention.step()
        by_day, by_tag = (
            json.loads(books.reports.report(Grouping.parse(by), SPAN, ANA, "json"))["totals"]
            for by in ("day", "tag:team")  # tags are in rows alone
        )
        assert by_day == by_tag


def test_sums_of_rows_that_all_went_are_no_lines(books: Books) -> None:
    books.write(20, seed=9, days=1)
    books.everything()
    books.retention.sweep()
    with books.database.transaction() as connection:
        assert connection.execute(select(func.sum(ledger_sums.c.requests))).scalar_one() == 1
        assert connection.execute(select(func.min(ledger_sums.c.requests))).scalar_one() == 1


def test_rows_that_are_closed_late_are_added_to_their_day(books: Books) -> None:
    books.write(200, seed=4, days=3)
    books.retention.sweep()
    books.write(200, seed=5, days=3)
    before = books.everything()
    books.retention.sweep()
    assert books.everything() == before


def test_a_request_with_a_correction_stays(books: Books) -> None:
    books.write(10, seed=6, days=1)
    with books.database.transaction() as connection:
        facts = {"currency": "USD", "price_version": 1, "reason": "wrong", "created_by": "admin"}
        connection.execute(
            insert(ledger_corrections).values(id="c", request_id="r3", cost_pico=-5, created_us=START_US, **facts)
        )
    before = books.everything()
    books.retention.sweep()
    assert books.rows() == 2
    assert books.everything() == before


def test_what_others_have_not_read_stays_and_without_a_setting_everything(books: Books) -> None:
    books.write(10, seed=7, days=1)
    books.read_to(4)
    assert books.retention.sweep() == 4
    assert replace(books.retention, days=None).sweep() == 0
    with books.database.transaction() as connection:
        assert connection.execute(select(func.sum(ledger_days.c.requests))).scalar_one() == 4


def test_no_price_reaches_back_into_days_that_were_summed(books: Books) -> None:
    books.write(10, seed=8, days=1)
    books.retention.sweep()
    prices = PriceList(books.database, lambda: books.now_us, lambda _: lambda: None)
    request = PriceRequest(Target(TargetKind.ENDPOINT, "*"), "USD", {PriceUnit.PROMPT: 1}, START_US + 5)
    with pytest.raises(InvalidParameterValue, match="priced already"):
        prices.set(request, ADMIN)
    assert prices.set(replace(request, effective_from_us=START_US + DAY_US), ADMIN).version == 1
