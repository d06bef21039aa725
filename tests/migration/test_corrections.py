"""Corrections of what requests cost, on each kind of database: entries beside the rows, everywhere in what is spent."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select

from openfm.control.budgets.service import BudgetBook
from openfm.core.correction import CorrectionRequest, checked_amount, checked_reason
from openfm.core.errors import Conflict, InvalidParameterValue, NotFound
from openfm.core.invoice import Month
from openfm.core.price import PICO, PriceRequest, PriceUnit, Target, TargetKind
from openfm.core.principal import Principal
from openfm.core.report import Days, Grouping
from openfm.core.unit_hours import Provisioned, ReadyInterval
from openfm.metering.corrections import CorrectionDesk
from openfm.metering.folding import reserved_row
from openfm.metering.invoices import InvoiceDesk
from openfm.metering.price_list import PriceList
from openfm.metering.reports import ReportDesk
from openfm.metering.unit_hours import UnitHourWriter
from openfm.store.database import Database, TakeOver
from openfm.store.ledger_tables import ledger, ledger_corrections
from tests.migration.test_budgets import COST, DOLLAR, Office, request
from tests.unit.metering.events import entry

ANA, BOB = Principal("a", "ana"), Principal("b", "bob")


@dataclass
class Case:
    """An office with a desk for corrections."""

    office: Office

    @property
    def database(self) -> Database:
        return self.office.database

    @property
    def desk(self) -> CorrectionDesk:
        return CorrectionDesk(self.database, lambda: self.office.now_us)

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.office.now_us // 10**6, UTC)

    def correct(self, request_id: str, amount: int | None, reason: str = "wrong") -> int:
        made = self.desk.correct(CorrectionRequest(request_id, amount, reason), self.office.people.admin)
        return made.cost_pico

    def total(self, caller: Principal) -> int:
        """The month's invoice and report, which must say the same."""
        month = Month(self.now.year, self.now.month)
        invoice = json.loads(InvoiceDesk(self.database, lambda: self.office.now_us).invoice(month, caller, "json"))
        first = self.now.replace(day=1).date().isoformat()
        days = Days.parse(first, self.now.date().isoformat())
        by_day, by_tag = (
            json.loads(ReportDesk(self.database).report(Grouping.parse(by), days, caller, "json"))["totals"]
            for by in ("day", "tag:team")
        )
        assert by_day == by_tag
        amount = checked_amount(invoice["totals"]["USD"]) if invoice["totals"]["USD"] != "0" else 0
        reported = by_day[0]["amount"]
        assert amount == (checked_amount(reported) if reported != "0" else 0)
        assert amount is not None
        return amount


@pytest.fixture
def case(tmp_path: Path, url: str) -> Iterator[Case]:
    opened = Office(tmp_path, url)
    opened.spend("a", 3, principal_name="ana", tags=(("team", "blue"),))
    opened.spend("b", 1, principal_name="bob")
    yield Case(opened)
    opened.database.close()


def test_a_correction_is_in_invoices_reports_and_budgets_and_the_row_stays_as_it_is(case: Case) -> None:
    case.office.book.set(request("all"))
    case.office.book.set(request("blue", "tag", "team=blue"))
    case.office.count()
    with case.database.transaction() as connection:
        before = connection.execute(select(ledger)).all()
    assert case.correct("r1", -COST + 1) == 1
    assert case.correct("r2", 7) == COST + 7
    case.office.count()
    assert case.office.spent("all") == 3 * COST + 8
    assert case.office.spent("blue") == 2 * COST + 8
    admin = case.office.people.admin
    assert (case.total(admin), case.total(ANA), case.total(BOB)) == (3 * COST + 8, 2 * COST + 8, COST)
    with case.database.transaction() as connection:
        assert connection.execute(select(ledger)).all() == before
    case.office.count()
    assert case.office.spent("all") == 3 * COST + 8, "each is counted once"


def test_without_an_amount_all_that_is_left_goes_back_and_then_there_is_nothing(case: Case) -> None:
    case.correct("r1", -5)
    assert case.correct("r1", None) == 0
    with pytest.raises(InvalidParameterValue, match="costs nothing"):
        case.correct("r1", None)
    assert case.correct("r1", 9, "it was right after all") == 9
    assert case.total(ANA) == 2 * COST + 9


@pytest.mark.parametrize(
    ("request_id", "amount", "error"),
    [
        ("r9", -1, NotFound),
        ("r1", -COST - 1, InvalidParameterValue),
        ("r1", PICO, InvalidParameterValue),
        ("open", -1, Conflict),
    ],
)
def test_what_makes_no_sense_changes_nothing(case: Case, request_id: str, amount: int, error: type[Exception]) -> None:
    with case.database.transaction() as connection:
        connection.execute(insert(ledger).values(reserved_row(entry("open"), "g")))
    with pytest.raises(error):
        case.correct(request_id, amount)
    with case.database.transaction() as connection:
        assert connection.execute(select(ledger_corrections)).all() == []


def test_the_same_correction_sent_again_is_made_once(case: Case) -> None:
    case.correct("r1", -5)
    with pytest.raises(Conflict, match="made already"):
        case.correct("r1", -5)
    assert case.correct("r1", -5, "once more, meant so") == COST - 10


@pytest.mark.parametrize("text", ["0", "-0", "1e7", "-1000001", "NaN", "much", "", "0.0000000000001"])
def test_amounts_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(InvalidParameterValue, match="amount must be"):
        checked_amount(text)


@pytest.mark.parametrize("text", ["", "  ", "a\nb", "x" * 501])
def test_a_reason_is_one_line(text: str) -> None:
    with pytest.raises(InvalidParameterValue, match="reason must"):
        checked_reason(text)


def test_each_sees_the_corrections_of_ones_own_requests(case: Case) -> None:
    case.correct("r1", -5)
    case.correct("r4", -6)
    month = Month(case.now.year, case.now.month)
    assert [(one.request_id, one.cost_pico) for one in case.desk.of_month(month, ANA)] == [("r1", COST - 5)]
    assert len(case.desk.of_month(month, case.office.people.admin)) == 2


def test_a_budget_that_is_set_later_counts_what_was_corrected_and_the_hours_of_model_units(case: Case) -> None:
    office = case.office
    ana = office.people.user("ana")
    office.spend(ana)
    price = PriceRequest(Target(TargetKind.ENDPOINT, "big"), "USD", {PriceUnit.MODEL_UNIT_HOUR: 3600 * 10**6})
    PriceList(case.database, lambda: office.now_us - 10**9, lambda _: lambda: None).set(price, office.people.admin)
    began_s = office.now_us // 10**6
    interval = Provisioned("d", 2, "e" * 32, "big", "ana", "m", (("team", "blue"),))
    writer = UnitHourWriter(case.database, dict)
    writer.write([ReadyInterval(interval, began_s, began_s + 10)])
    case.correct("r1", -5)
    before = office.keeper
    office.book.set(request("early"))
    office.count()
    writer.write([ReadyInterval(interval, began_s + 10, began_s + 11)])
    for one in (request("all"), request("ana", "user", "ana"), request("blue", "tag", "team=blue")):
        office.book.set(one)
    office.count()
    hours = 11 * 2 * DOLLAR
    expected = {"early": 5 * COST - 5 + hours, "all": 5 * COST - 5 + hours}
    expected |= {"ana": COST + hours, "blue": 3 * COST - 5 + hours}
    assert {name: office.spent(name) for name in expected} == expected
    assert before.step() is None
    again = BudgetBook(case.database, lambda: office.now_us)
    with case.database.transaction(again.take_over):
        pass
    assert again.state == office.book.state


def test_a_price_is_not_needed_for_a_correction_to_keep_its_version(case: Case) -> None:
    case.correct("r1", -5)
    with case.database.transaction() as connection:
        (row,) = connection.execute(select(ledger_corrections))
    assert (row.price_version, row.currency, row.created_by, row.charge_number) == (1, "USD", "admin", 1)


class Meanwhile(Database):
    """After each transaction somebody does something."""

    def __init__(self, url: str, act: Callable[[], None]) -> None:
        super().__init__(url)
        self._act = act

    @contextmanager
    def transaction(self, take_over: TakeOver | None = None) -> Iterator[Connection]:
        """See `Database`."""
        with super().transaction(take_over) as connection:
            yield connection
        self._act()


def test_rows_that_are_closed_and_counted_while_a_budget_is_set_are_counted_once(case: Case, url: str) -> None:
    office = case.office

    def spend() -> None:
        office.spend("a")
        if office.closed % 2:
            office.count()

    database = Meanwhile(url, spend)
    BudgetBook(database, lambda: office.now_us).set(request("all"))
    database.close()
    office.count()
    assert office.closed > 8
    assert office.spent("all") == office.closed * COST
