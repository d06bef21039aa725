"""Counts of one process: together or not at all, given back, forgotten."""

from dataclasses import dataclass

import pytest

from openfm.core.errors import RateLimited
from openfm.core.limits import Claim, Limit, Measure
from openfm.limits.in_process import InProcessLimits

REQUESTS = Limit("ann", Measure.REQUESTS, 2, 60)
TOKENS = Limit("ann", Measure.TOKENS, 100, 60)
PLACES = Limit("ann", Measure.CONCURRENCY, 1, None)


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limits(clock: Clock) -> InProcessLimits:
    return InProcessLimits(clock)


def claim(limit: Limit, amount: int = 1, who: str = "ann") -> Claim:
    return Claim(f"{who}/{limit.measure}", limit, amount)


async def test_a_refused_request_takes_nothing_of_any_limit(limits: InProcessLimits) -> None:
    await limits.reserve([claim(TOKENS, 90)])
    for _ in range(5):
        with pytest.raises(RateLimited, match="100 tokens per minute for ann"):
            await limits.reserve([claim(REQUESTS), claim(TOKENS, 20)])
    await limits.reserve([claim(REQUESTS), claim(TOKENS, 10)])
    await limits.reserve([claim(REQUESTS)])
    with pytest.raises(RateLimited):
        await limits.reserve([claim(REQUESTS)])


async def test_a_retry_after_the_wait_is_admitted(limits: InProcessLimits, clock: Clock) -> None:
    await limits.reserve([claim(TOKENS, 60)])
    clock.now = 20.0
    await limits.reserve([claim(TOKENS, 40)])
    with pytest.raises(RateLimited) as refused:
        await limits.reserve([claim(TOKENS, 50)])
    wait_s = refused.value.retry_after_s
    assert wait_s is not None
    assert wait_s == pytest.approx(40.5)
    clock.now += wait_s
    await limits.reserve([claim(TOKENS, 50)])


async def test_what_was_not_used_is_given_back_and_what_was_used_beyond_counts(limits: InProcessLimits) -> None:
    reservation = await limits.reserve([claim(TOKENS, 100)])
    await limits.settle(reservation, {Measure.TOKENS: 30})
    second = await limits.reserve([claim(TOKENS, 70)])
    await limits.settle(second, {Measure.TOKENS: 75})
    with pytest.raises(RateLimited, match="105 are used"):
        await limits.reserve([claim(TOKENS)])


async def test_places_are_free_again_when_a_request_leaves(limits: InProcessLimits) -> None:
    reservation = await limits.reserve([claim(PLACES)])
    with pytest.raises(RateLimited, match="1 concurrent requests for ann"):
        await limits.reserve([claim(PLACES)])
    await limits.settle(reservation, {})
    await limits.reserve([claim(PLACES)])


async def test_standings_are_of_all_limits_also_where_one_refuses(limits: InProcessLimits) -> None:
    admitted = await limits.reserve([claim(REQUESTS), claim(TOKENS, 90)])
    assert [standing.remaining for standing in admitted.standings] == [1, 10]
    assert all(60 <= standing.reset_s <= 60.5 for standing in admitted.standings)
    with pytest.raises(RateLimited) as refused:
        await limits.reserve([claim(REQUESTS), claim(TOKENS, 20)])
    assert [standing.remaining for standing in refused.value.standings] == [1, 10]


async def test_callers_who_are_gone_are_forgotten(limits: InProcessLimits, clock: Clock) -> None:
    for number in range(5000):
        clock.now += 1.0
        reservation = await limits.reserve([claim(TOKENS, 1, str(number)), claim(PLACES, 1, str(number))])
        await limits.settle(reservation, {Measure.TOKENS: 1})
    assert limits.counts < 1000
