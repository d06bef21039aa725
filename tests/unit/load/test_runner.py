"""Requests are sent when they are due."""

import asyncio
import itertools
import random
from dataclasses import dataclass, field

from openfm.load.lengths import FixedLength
from openfm.load.outcome import Outcome
from openfm.load.runner import OpenLoop, Planned, Shapes, endless, planned, run_closed_loop

SHAPES = Shapes(FixedLength(4), FixedLength(2))


@dataclass
class Time:
    """A clock that only sleeping moves."""

    now: float = 100.0
    slept: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        await asyncio.sleep(0)  # what was due before has its turn before time goes on
        self.now += seconds
        await asyncio.sleep(0)


def requests(*due: float) -> list[Planned]:
    return [Planned(time, "a", 1) for time in due]


async def test_requests_go_out_when_due_even_if_none_was_answered() -> None:
    time, stuck, seen = Time(), asyncio.Event(), []

    async def send(_: Planned, due: float) -> Outcome:
        seen.append((due, time.now))
        await stuck.wait()
        raise AssertionError("never")

    loop = OpenLoop(send, time.clock, lambda _sent, _ended: None)
    outcomes = await loop.run(requests(0.0, 1.0, 1.5), time.sleep, patience_s=0.05)
    assert seen == [(100.0, 100.0), (101.0, 101.0), (101.5, 101.5)]
    assert [outcome.error for outcome in outcomes] == ["unfinished"] * 3
    assert [outcome.due_s for outcome in outcomes] == [100.0, 101.0, 101.5]


async def test_a_tool_that_comes_late_still_counts_from_the_due_time() -> None:
    time = Time()

    async def send(_: Planned, due: float) -> Outcome:
        sent = time.now
        time.now += 5.0  # the tool's own machine stands still
        return Outcome(due, sent, time.now, first_s=time.now)

    outcomes = await OpenLoop(send, time.clock, lambda _s, _e: None).run(requests(0.0, 1.0), time.sleep, 1.0)
    assert time.slept == [1.0]
    assert outcomes[0].ttft_s == 5.0
    assert outcomes[1].lateness_s == 5.0
    assert outcomes[1].ttft_s == 10.0


async def test_progress_counts_what_was_sent_and_what_ended() -> None:
    time, told = Time(), []

    async def send(_: Planned, due: float) -> Outcome:
        return Outcome(due, due, due)

    await OpenLoop(send, time.clock, lambda sent, ended: told.append((sent, ended))).run(
        requests(0.0, 1.0), time.sleep, 1.0
    )
    assert told[-1] == (2, 2)


async def test_a_closed_loop_keeps_as_many_under_way_as_asked() -> None:
    running, most, numbers = 0, 0, itertools.count(1)

    async def send(_: Planned, due: float) -> Outcome:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        next(numbers)
        return Outcome(due, due, due)

    chance = random.Random(0)
    outcomes = await run_closed_loop(endless(SHAPES, chance), 3, send, lambda: 0.0, lambda: next(numbers) > 20)
    assert most == 3
    assert len(outcomes) >= 3


def test_the_same_chance_plans_the_same_requests() -> None:
    one, two = (planned([0.0, 1.0], SHAPES, random.Random(4)) for _ in range(2))
    assert one == two
    assert [request.due_s for request in one] == [0.0, 1.0]
