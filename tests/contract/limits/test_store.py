"""What every store of limits does: all claims or none, exact windows, true waits, what was not used comes back."""

import pytest

from openfm.core.errors import RateLimited
from openfm.core.limits import MOST, Claim, Limit, Measure
from openfm.limits.store import LimitStore
from tests.contract.limits.conftest import Clock

REQUESTS = Limit("ann", Measure.REQUESTS, 2, 60)
TOKENS = Limit("ann", Measure.TOKENS, 100, 60)
PLACES = Limit("ann", Measure.CONCURRENCY, 1, None)


def claim(limit: Limit, amount: int = 1, who: str = "ann") -> Claim:
    return Claim(f"{who}/{limit.measure}/{limit.window_s}", limit, amount)


async def refused(store: LimitStore, *claims: Claim) -> float:
    """Seconds to wait."""
    with pytest.raises(RateLimited) as refusal:
        await store.reserve(claims)
    assert refusal.value.retry_after_s is not None
    assert refusal.value.retry_after_s > 0
    return refusal.value.retry_after_s


async def test_a_refused_request_takes_nothing_of_any_limit(store: LimitStore) -> None:
    await store.reserve([claim(TOKENS, 90)])
    for _ in range(5):
        with pytest.raises(RateLimited, match="100 tokens per minute for ann is reached: 90 are used"):
            await store.reserve([claim(REQUESTS), claim(PLACES), claim(TOKENS, 20)])
    await store.reserve([claim(REQUESTS), claim(PLACES), claim(TOKENS, 10)])
    await store.reserve([claim(REQUESTS)])
    await refused(store, claim(REQUESTS))


async def test_a_retry_exactly_after_the_wait_is_admitted_and_one_before_is_not(
    store: LimitStore, clock: Clock
) -> None:
    for pause, amount in ((0, 60), (20.1234567, 20), (10.7, 20)):
        clock.now += pause
        await store.reserve([claim(TOKENS, amount)])
    wait_s = await refused(store, claim(TOKENS, 70), claim(REQUESTS))
    assert 49 < wait_s < 60
    clock.now += wait_s - 0.001
    assert await refused(store, claim(TOKENS, 70), claim(REQUESTS)) == pytest.approx(0.001, abs=2e-6)
    clock.now += 0.001
    await store.reserve([claim(TOKENS, 70), claim(REQUESTS)])


async def test_the_limit_that_binds_longest_is_named(store: LimitStore, clock: Clock) -> None:
    hourly = Limit("all callers", Measure.TOKENS, 100, 3600)
    await store.reserve([claim(TOKENS, 100), claim(hourly, 100, "all")])
    with pytest.raises(RateLimited, match="100 tokens per hour for all callers"):
        await store.reserve([claim(TOKENS, 1), claim(hourly, 1, "all")])
    clock.now += 61
    with pytest.raises(RateLimited, match="per hour"):
        await store.reserve([claim(TOKENS, 1), claim(hourly, 1, "all")])


async def test_what_was_not_used_is_given_back_and_what_was_used_beyond_counts(store: LimitStore) -> None:
    reservation = await store.reserve([claim(TOKENS, 100)])
    await store.settle(reservation, {Measure.TOKENS: 30})
    second = await store.reserve([claim(TOKENS, 70)])
    await store.settle(second, {Measure.TOKENS: 75})
    with pytest.raises(RateLimited, match="105 are used"):
        await store.reserve([claim(TOKENS)])


async def test_what_is_given_back_late_changes_nothing_that_came_since(store: LimitStore, clock: Clock) -> None:
    early = await store.reserve([claim(TOKENS, 100)])
    clock.now += 61
    await store.reserve([claim(TOKENS, 90)])
    await store.settle(early, {Measure.TOKENS: 0})
    await refused(store, claim(TOKENS, 11))
    await store.reserve([claim(TOKENS, 10)])


async def test_what_was_used_beyond_counts_also_where_the_window_is_over(store: LimitStore, clock: Clock) -> None:
    early = await store.reserve([claim(TOKENS, 10)])
    clock.now += 1000
    await store.settle(early, {Measure.TOKENS: 110})
    assert await refused(store, claim(TOKENS)) < 60.501


async def test_places_are_free_again_when_a_request_leaves(store: LimitStore) -> None:
    reservation = await store.reserve([claim(PLACES)])
    with pytest.raises(RateLimited, match="1 concurrent requests for ann"):
        await store.reserve([claim(PLACES)])
    await store.settle(reservation, {})
    await store.reserve([claim(PLACES)])


async def test_a_claim_above_its_limit_waits_until_nothing_is_used(store: LimitStore, clock: Clock) -> None:
    await store.reserve([claim(TOKENS, 60)])
    clock.now += 20
    await store.reserve([claim(TOKENS, 10)])
    clock.now += await refused(store, claim(TOKENS, 5000))
    await store.reserve([claim(TOKENS, 100)])


async def test_standings_are_of_all_limits_also_where_one_refuses(store: LimitStore) -> None:
    admitted = await store.reserve([claim(REQUESTS), claim(PLACES), claim(TOKENS, 90)])
    assert [standing.remaining for standing in admitted.standings] == [1, 0, 10]
    resets = [standing.reset_s for standing in admitted.standings]
    assert resets[1] == 0
    assert all(60 <= resets[n] < 60.501 for n in (0, 2))
    with pytest.raises(RateLimited) as refusal:
        await store.reserve([claim(REQUESTS), claim(TOKENS, 20)])
    assert [standing.remaining for standing in refusal.value.standings] == [1, 10]
    assert all(60 <= standing.reset_s < 60.501 for standing in refusal.value.standings)


async def test_a_clock_that_steps_back_lets_no_time_pass(store: LimitStore, clock: Clock) -> None:
    await store.reserve([claim(TOKENS, 100)])
    clock.now -= 3600
    wait_s = await refused(store, claim(TOKENS))
    assert wait_s < 60.501
    clock.now += wait_s
    await store.reserve([claim(TOKENS, 100)])
    clock.now -= 30
    assert await refused(store, claim(TOKENS)) < 60.501


async def test_the_greatest_amounts_are_exact(store: LimitStore) -> None:
    most = Limit("ann", Measure.TOKENS, MOST, 86_400)
    reservation = await store.reserve([claim(most, MOST - 1)])
    await store.reserve([claim(most, 1)])
    await refused(store, claim(most, 1))
    await store.settle(reservation, {Measure.TOKENS: MOST - 2})
    await store.reserve([claim(most, 1)])
    await refused(store, claim(most, 1))


async def test_a_lower_limit_binds_at_once_and_counts_what_was_taken_under_the_old(store: LimitStore) -> None:
    await store.reserve([claim(TOKENS, 60)])
    lower = Limit("ann", Measure.TOKENS, 50, 60)
    await refused(store, claim(lower, 1))


async def test_windows_of_a_second_keep_to_their_amount(store: LimitStore, clock: Clock) -> None:
    each = Limit("ann", Measure.REQUESTS, 3, 1)
    admitted: list[float] = []
    for _ in range(600):
        clock.now += 0.013
        try:
            await store.reserve([claim(each)])
        except RateLimited:
            continue
        admitted.append(clock.now)
    assert all(sum(begin <= at < begin + 1 for at in admitted) <= 3 for begin in admitted)
    assert len(admitted) >= 0.97 * 3 * (600 * 0.013)
