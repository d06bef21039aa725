"""Hours of model units on each kind of database: each second once, and on the invoice."""

import json
from dataclasses import replace

import pytest

from openfm.core.errors import InvalidParameterValue
from openfm.core.invoice import Month
from openfm.core.price import PriceRequest, PriceUnit, Target, TargetKind
from openfm.core.principal import Principal
from openfm.core.report import Days, Grouping
from openfm.core.unit_hours import Provisioned, ReadyInterval
from openfm.metering.invoices import InvoiceDesk
from openfm.metering.price_list import PriceList
from openfm.metering.reports import ReportDesk
from openfm.metering.unit_hours import UnitHourWriter
from openfm.store.database import Database

ADMIN = Principal("1", "admin", is_admin=True)
NOVEMBER = Month(2026, 11)
START_US, END_US = NOVEMBER.bounds_us
START_S = START_US // 1_000_000
ENTITY = Provisioned("d", 4, "e" * 32, "pt", "admin", "main.models.m", (("team", "red"),))
PRICE = PriceRequest(Target(TargetKind.ENDPOINT, "pt"), "USD", {PriceUnit.MODEL_UNIT_HOUR: 2_000_000}, START_US)


@pytest.fixture
def writer(database: Database) -> UnitHourWriter:
    database.migrate()
    prices(database, START_US).set(PRICE, ADMIN)
    return UnitHourWriter(database, dict)


def prices(database: Database, now_us: int) -> PriceList:
    return PriceList(database, lambda: now_us, lambda _: lambda: None)


def invoice(database: Database, form: str = "json", now_us: int = END_US, caller: Principal = ADMIN) -> str:
    return InvoiceDesk(database, lambda: now_us).invoice(NOVEMBER, caller, form)


def spell(from_s: int, to_s: int) -> ReadyInterval:
    return ReadyInterval(ENTITY, START_S + from_s, START_S + to_s)


def test_hours_are_on_the_invoice_and_in_reports(writer: UnitHourWriter, database: Database) -> None:
    writer.write([spell(second, second + 7) for second in range(0, 3598, 7)])
    writer.write([spell(3598, 3600)])
    found = json.loads(invoice(database))
    (line,) = found["unit_hours"]
    assert (line["endpoint"], line["unit_seconds"], line["unit_hour_price"], line["amount"]) == (
        "pt",
        "14400",
        "2",
        "8",
    )
    assert found["totals"] == {"USD": "8"}
    assert found["lines"] == []
    assert "Hours of model units" in invoice(database, "text")
    assert "USD,admin," in invoice(database, "csv")
    assert "14400 seconds of a model unit at 2 an hour" in invoice(database, "csv")
    report = ReportDesk(database).report(
        Grouping.parse("tag:team"), Days.parse("2026-11-01", "2026-11-01"), ADMIN, "json"
    )
    assert [(one["key"], one["requests"], one["amount"]) for one in json.loads(report)["lines"]] == [("red", 0, "8")]


def test_no_second_is_billed_twice_whoever_writes_it_again(writer: UnitHourWriter, database: Database) -> None:
    writer.write([spell(0, 60)])
    again = UnitHourWriter(database, dict)
    again.write([spell(0, 60), spell(30, 90), spell(10, 20)])
    again.write([spell(90, 100)])
    (line,) = json.loads(invoice(database))["unit_hours"]
    assert line["unit_seconds"] == str(4 * 100)


def test_an_invoice_is_final_when_no_interval_can_come_any_more(writer: UnitHourWriter, database: Database) -> None:
    writer.write([spell(0, 60)])
    assert json.loads(invoice(database))["state"] == "provisional"
    final = invoice(database, now_us=END_US + 120_000_000)
    assert json.loads(final)["state"] == "final"
    writer.write([ReadyInterval(ENTITY, END_US // 1_000_000, END_US // 1_000_000 + 60)])
    assert invoice(database, now_us=END_US + 500_000_000) == final


def test_others_do_not_see_them_and_without_any_an_invoice_is_as_before(
    writer: UnitHourWriter, database: Database
) -> None:
    bob = Principal("8", "bob")
    empty = invoice(database)
    assert "unit_hours" not in empty
    writer.write([spell(0, 60)])
    assert "unit_hours" not in invoice(database, caller=bob)


def test_no_price_reaches_back_to_hours_that_were_priced(writer: UnitHourWriter, database: Database) -> None:
    writer.write([spell(600, 660)])
    with pytest.raises(InvalidParameterValue, match="priced already"):
        prices(database, END_US).set(replace(PRICE, effective_from_us=START_US + 5), ADMIN)
    prices(database, END_US).set(replace(PRICE, effective_from_us=START_US + 601_000_000), ADMIN)
