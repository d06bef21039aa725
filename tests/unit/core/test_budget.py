"""Budgets: their periods, whom they cover, and what they refuse."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfm.core.budget import (
    Budget,
    BudgetClaim,
    BudgetPeriod,
    BudgetScope,
    Spender,
    Spent,
    checked_alerts,
    checked_amount,
    checked_name,
    worst_cost,
)
from openfm.core.errors import InvalidParameterValue
from openfm.core.price import DBU, PICO, Price, PriceUnit, Target, TargetKind
from openfm.core.price_book import cost
from openfm.core.usage import Demand, TokenCounts

DAY_US = 24 * 3600 * 1_000_000


def us(*parts: int) -> int:
    year, month, day = parts
    return int(datetime(year, month, day, tzinfo=UTC).timestamp()) * 1_000_000


def budget(scope: BudgetScope = BudgetScope.ALL, target: str = "", target_id: str = "") -> Budget:
    return Budget("b", "team", scope, 10 * PICO, "USD", BudgetPeriod.MONTH, target=target, target_id=target_id)


def test_periods_are_calendar_days_and_months_in_utc() -> None:
    assert BudgetPeriod.MONTH.span_us(us(2026, 12, 31) + DAY_US - 1) == (us(2026, 12, 1), us(2027, 1, 1))
    assert BudgetPeriod.MONTH.span_us(us(2028, 2, 29)) == (us(2028, 2, 1), us(2028, 3, 1))
    assert BudgetPeriod.DAY.span_us(us(2026, 11, 23) + 5) == (us(2026, 11, 23), us(2026, 11, 24))


@given(st.integers(0, 4_000_000_000_000_000), st.sampled_from(BudgetPeriod))
def test_every_moment_is_in_its_period_and_periods_follow_each_other(at_us: int, period: BudgetPeriod) -> None:
    start_us, end_us = period.span_us(at_us)
    assert start_us <= at_us < end_us
    assert period.span_us(start_us - 1)[1] == start_us if start_us else True
    assert period.span_us(end_us)[0] == end_us


def test_a_budget_covers_whom_it_names() -> None:
    ann = Spender("7", frozenset({"red"}), "e1", {"team": "search", "a": "b=c"})
    covering = [
        budget(),
        budget(BudgetScope.USER, "ann", "7"),
        budget(BudgetScope.SERVICE_PRINCIPAL, "app", "7"),
        budget(BudgetScope.GROUP, "red", "9"),
        budget(BudgetScope.ENDPOINT, "chat", "e1"),
        budget(BudgetScope.TAG, "team=search"),
        budget(BudgetScope.TAG, "a=b=c"),
    ]
    assert all(one.covers(ann) for one in covering)
    others = [
        budget(BudgetScope.USER, "bob", "8"),
        budget(BudgetScope.GROUP, "blue", "10"),
        budget(BudgetScope.ENDPOINT, "chat", "e2"),
        budget(BudgetScope.TAG, "team=ads"),
        budget(BudgetScope.TAG, "other=search"),
    ]
    assert not any(one.covers(ann) for one in others)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.data())
def test_no_request_costs_more_than_its_worst(prompt: int, completion: int, data: st.DataObject) -> None:
    amounts = data.draw(st.dictionaries(st.sampled_from(list(PriceUnit)), st.integers(0, 10**11)))
    price = Price(1, Target(TargetKind.ENDPOINT, "*"), DBU, amounts, 0, 0, "")
    used = TokenCounts(data.draw(st.integers(0, prompt)), data.draw(st.integers(0, completion)))
    used = TokenCounts(used.prompt, used.completion, data.draw(st.integers(0, used.prompt)))
    assert cost(used, price) <= worst_cost(Demand(prompt, completion), price)


def test_a_refusal_names_the_budget_what_is_left_and_when_it_renews() -> None:
    claim = BudgetClaim(budget(BudgetScope.GROUP, "red", "9"), us(2026, 11, 1), 3 * PICO, Spent(0, 0))
    refusal = claim.refusal(8 * PICO + 1, us(2026, 11, 30))
    assert "'team' (10 USD per month for the user group red) has 1.999999999999 USD left" in refusal.message
    assert "may cost up to 3. It renews at 2026-12-01T00:00:00Z" in refusal.message
    assert refusal.retry_after_s == 24 * 3600
    assert (refusal.status, refusal.error_code, refusal.openai_code) == (
        429,
        "REQUEST_LIMIT_EXCEEDED",
        "insufficient_quota",
    )


@pytest.mark.parametrize("text", ["-1", "NaN", "Infinity", "1e10", "0.0000001", "ten", ""])
def test_absurd_amounts_are_refused(text: str) -> None:
    with pytest.raises(InvalidParameterValue, match="amount"):
        checked_amount(text)


def test_amounts_names_and_alerts_are_checked() -> None:
    assert checked_amount("0.000001") == 1_000_000
    assert checked_alerts([100, 80, 100]) == (80, 100)
    for percentages in ([0], [1001], list(range(1, 20))):
        with pytest.raises(InvalidParameterValue, match="alerts"):
            checked_alerts(percentages)
    for name in ("", "a b", "x" * 64, "-a", "a/b"):
        with pytest.raises(InvalidParameterValue, match="name"):
            checked_name(name)


def test_the_highest_reached_percentage_is_told() -> None:
    one = Budget("b", "n", BudgetScope.ALL, 1000, "USD", BudgetPeriod.DAY, alerts=(50, 80, 100))
    assert [one.alert_at(pico) for pico in (0, 499, 500, 800, 999, 1000, 5000)] == [0, 0, 50, 80, 80, 100, 100]
