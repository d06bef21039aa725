"""Memory of counts in one process; what they do is in tests/contract/limits."""

from dataclasses import dataclass

from openfm.core.limits import Claim, Limit, Measure
from openfm.limits.in_process import InProcessLimits

TOKENS = Limit("ann", Measure.TOKENS, 100, 60)
REQUESTS = Limit("ann", Measure.REQUESTS, 100, 1)
PLACES = Limit("ann", Measure.CONCURRENCY, 1, None)


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


async def use_once(limits: InProcessLimits, who: str) -> None:
    claims = [Claim(f"{who}/{limit.measure}", limit, 1) for limit in (TOKENS, REQUESTS, PLACES)]
    await limits.settle(await limits.reserve(claims), {Measure.TOKENS: 1})


async def test_callers_who_are_gone_are_forgotten() -> None:
    clock = Clock()
    limits = InProcessLimits(clock)
    for number in range(5000):
        clock.now += 1.0
        await use_once(limits, str(number))
    assert limits.counts < 250


async def test_a_thousand_callers_of_ten_endpoints_leave_nothing_behind() -> None:
    clock = Clock()
    limits = InProcessLimits(clock)
    for round_ in range(3):
        for number in range(10_000):
            await use_once(limits, f"{round_}/{number}")
    assert limits.counts == 60_000
    clock.now += 120.0
    for _ in range(60_000 // 4 + 2):
        clock.now += 1.0
        await use_once(limits, "one")
    assert limits.counts == 2
