"""Budgets on each kind of database: set, counted once from the ledger, alerts told once."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from sqlalchemy import insert

from openfm.control.budgets.bookkeeping import BudgetBookkeeper
from openfm.control.budgets.service import BudgetBook, BudgetRequest, visible
from openfm.core.budget import BudgetAction, BudgetClaim, Spent
from openfm.core.errors import BudgetExceeded, InvalidParameterValue, NotFound
from openfm.core.ledger import LedgerEntry
from openfm.core.price import Price, PriceUnit, Target, TargetKind
from openfm.core.principal import PrincipalKind
from openfm.limits.budget_store import InProcessBudgets
from openfm.metering.folding import reserved_row, settled_part
from openfm.store.ledger_tables import ledger
from openfm.store.tables import serving_endpoints
from tests.unit.control.access_world import World as People
from tests.unit.metering.events import entry, settlement

DOLLAR = 10**12
PRICE = Price(1, Target(TargetKind.ENDPOINT, "*"), "USD", {PriceUnit.COMPLETION: 10**6}, 0, 0, "")
"""A million tokens for a dollar: the five of each settlement cost 5 * 10^6 pico."""
COST = 5 * 10**6


@dataclass
class Shown:
    """Fulfils `Gauge`."""

    shares: dict[str, float] = field(default_factory=dict)

    def budgets_stand(self, shares: Mapping[str, float]) -> None:
        self.shares = dict(shares)


class Office:
    """People, a ledger that is written by hand, and its bookkeeper."""

    def __init__(self, folder: Path, url: str) -> None:
        self.people = People(folder, url)
        self.database, self.book = self.people.database, self.people.budgets
        self.store, self.shown = InProcessBudgets(), Shown()
        self.keeper = BudgetBookkeeper(self.database, self.book, self.store, self.shown)
        self.closed = 0
        with self.database.transaction() as connection:
            values = {"task": "llm/v1/chat", "endpoint_type": "CUSTOM_MODEL", "creator": "admin"}
            times = {"creation_timestamp": 0, "last_updated_timestamp": 0, "active_config_version": 0}
            connection.execute(insert(serving_endpoints).values(name="chat", id="e" * 32, **values, **times))

    @property
    def now_us(self) -> int:
        return self.people.clock.now * 1000

    def spend(self, who: str, count: int = 1, **facts: object) -> None:
        """Rows of requests that are closed."""
        rows = []
        for _ in range(count):
            self.closed += 1
            asked: LedgerEntry = replace(
                entry(f"r{self.closed}", received_us=self.now_us),
                principal_id=who,
                **facts,  # type: ignore[arg-type]
            )
            row = reserved_row(asked, "g") | settled_part(settlement(asked.request_id), PRICE)
            rows.append(row | {"closing_number": self.closed})
        with self.database.transaction() as connection:
            connection.execute(insert(ledger), rows)

    def count(self) -> None:
        async def all_of_it() -> None:
            while await self.keeper.turn():
                pass

        asyncio.run(all_of_it())

    def spent(self, name: str) -> int:
        return self.book.standing(name).spent_pico


@pytest.fixture
def office(tmp_path: Path, url: str) -> Iterator[Office]:
    opened = Office(tmp_path, url)
    yield opened
    opened.database.close()


def request(name: str, scope: str = "all", target: str | None = None, amount: str = "1") -> BudgetRequest:
    return BudgetRequest(name, amount, "USD", scope, target)


def test_each_scope_counts_its_own_requests_before_and_after_it_was_set(office: Office) -> None:
    ana, bob = office.people.user("ana"), office.people.user("bob")
    red = office.people.group("red", ana)
    office.people.group("outer", red)
    office.spend(ana)
    office.spend(bob, tags=(("team", "ads"),), endpoint_id="other")
    office.count()
    for one in (
        request("all"),
        request("ana", "user", "ana"),
        request("red", "user_group", "red"),
        request("outer", "user_group", "outer"),
        request("users", "user_group", "users"),
        request("chat", "endpoint", "chat"),
        request("ads", "tag", "team=ads"),
    ):
        office.book.set(one)
    expected = {"all": 2, "ana": 1, "red": 1, "outer": 1, "users": 2, "chat": 1, "ads": 1}
    assert {name: office.spent(name) for name in expected} == {name: n * COST for name, n in expected.items()}
    office.spend(ana, tags=(("team", "ads"),))
    office.spend(bob)
    office.count()
    expected = {"all": 4, "ana": 2, "red": 2, "outer": 2, "users": 4, "chat": 3, "ads": 2}
    assert {name: office.spent(name) for name in expected} == {name: n * COST for name, n in expected.items()}


def test_rows_are_counted_once_over_restarts_and_other_currencies_not_at_all(office: Office) -> None:
    office.book.set(request("all"))
    office.book.set(replace(request("euro"), currency="EUR"))
    office.spend("1", 4500)
    office.count()
    again = BudgetBook(office.database, lambda: office.now_us)
    keeper = BudgetBookkeeper(office.database, again, InProcessBudgets(), Shown())
    assert keeper.step() is None
    with office.database.transaction(again.take_over):
        pass
    assert again.standing("all").spent_pico == 4500 * COST
    assert again.standing("euro").spent_pico == 0


def test_a_row_counts_in_the_period_in_which_it_was_received(office: Office) -> None:
    office.book.set(replace(request("day"), period="day"))
    office.spend("1")
    office.people.clock.now += 24 * 3600 * 1000
    office.spend("1", 2)
    office.count()
    assert office.spent("day") == 2 * COST
    assert [pico for _, pico in office.book.history(office.book.standing("day").budget)] == [2 * COST, COST]


def test_a_percentage_is_told_once_a_period(office: Office) -> None:
    office.book.set(replace(request("all", amount="0.00002"), alerts=(50, 100), action=BudgetAction.ALERT))
    told = []
    for _ in range(5):
        office.spend("1")
        step = office.keeper.step()
        assert step is not None
        told += [alert.percent for alert in step.alerts]
    assert told == [50, 100]
    assert office.book.standing("all").alerted_percent == 100
    office.count()
    office.spend("1")
    office.count()
    assert office.shown.shares == {"all": 1.5}


def test_setting_it_again_keeps_what_is_spent_and_another_target_counts_anew(office: Office) -> None:
    ana = office.people.user("ana")
    office.book.set(request("b"))
    office.spend("1")
    office.spend(ana)
    office.count()
    assert office.book.set(request("b", amount="7")).spent_pico == 2 * COST
    assert office.book.standing("b").budget.amount_pico == 7 * DOLLAR
    assert office.book.set(request("b", "user", "ana")).spent_pico == COST
    office.book.delete("b")
    assert office.book.state.budgets == ()
    with pytest.raises(NotFound):
        office.book.delete("b")


def test_a_budget_ends_with_its_principal(office: Office) -> None:
    ana = office.people.user("ana")
    office.book.set(request("ana", "user", "ana"))
    office.people.access.principals.delete(PrincipalKind.USER, ana)
    assert office.book.state.budgets == ()


def test_one_sees_the_budgets_that_are_for_oneself(office: Office) -> None:
    ana = office.people.signed_in("ana")
    office.people.user("bob")
    for one in (
        request("all"),
        request("ana", "user", "ana"),
        request("bob", "user", "bob"),
        request("t", "tag", "a=b"),
    ):
        office.book.set(one)
    standings = office.book.standings()
    assert [one.budget.name for one in visible(standings, ana)] == ["all", "ana"]
    assert len(visible(standings, office.people.admin)) == 4


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"scope": "planet"}, InvalidParameterValue),
        ({"period": "week"}, InvalidParameterValue),
        ({"action": "shout"}, InvalidParameterValue),
        ({"currency": None}, InvalidParameterValue),
        ({"currency": "dollars"}, InvalidParameterValue),
        ({"target": "ana"}, InvalidParameterValue),
        ({"scope": "user"}, InvalidParameterValue),
        ({"scope": "user", "target": "nobody"}, NotFound),
        ({"scope": "endpoint", "target": "nothing"}, NotFound),
        ({"scope": "tag", "target": "team"}, InvalidParameterValue),
        ({"scope": "tag", "target": "a=" + "b" * 2000}, InvalidParameterValue),
        ({"amount": "-1"}, InvalidParameterValue),
    ],
)
def test_what_makes_no_sense_changes_nothing(office: Office, wrong: dict[str, str], error: type[Exception]) -> None:
    office.book.set(request("b"))
    with pytest.raises(error):
        office.book.set(replace(request("b"), **wrong))  # type: ignore[arg-type]
    assert office.book.standing("b").budget.amount_pico == DOLLAR


def test_what_is_held_of_rows_that_were_counted_before_a_crash_is_let_go(office: Office) -> None:
    office.book.set(request("all"))
    budget = office.book.standing("all").budget
    claim = BudgetClaim(budget, office.book.standing("all").start_us, DOLLAR, Spent(0, 0))
    office.spend("1")

    async def story() -> None:
        await office.store.take("r1", [claim], office.now_us)
        assert office.keeper.step() is not None, "counted; the process ends before it tells the store"
        await office.keeper.sweep(office.now_us)
        with pytest.raises(BudgetExceeded):
            await office.store.take("r2", [replace(claim, amount_pico=1)], office.now_us)
        await office.keeper.sweep(office.now_us + 61_000_000)
        await office.store.take("r2", [replace(claim, amount_pico=DOLLAR - COST)], office.now_us)
        await office.keeper.sweep(office.now_us + 61_000_000)
        assert office.store.held_pico(claim.key) == DOLLAR - COST, "it has no row yet, and may get one"
        await office.keeper.sweep(office.now_us + 7 * 3_600_000_000)
        assert office.store.held_pico(claim.key) == 0, "it never came to the ledger"

    asyncio.run(story())
