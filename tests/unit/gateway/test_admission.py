"""Places and the line before them."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openfm.core.errors import Overloaded
from openfm.gateway.admission import Admission, QueueLimits, Seats

KEY = "m"


class Clock:
    """Seconds that pass only when told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def make(length: int = 100, deadline_s: float = 60.0) -> Admission:
    return Admission(QueueLimits(length, deadline_s), Clock())


async def test_a_place_is_returned_however_one_leaves() -> None:
    admission = make()
    async with admission.admit(KEY, Seats(1), "ann"):
        assert admission.outstanding == 1
    with pytest.raises(RuntimeError, match="on purpose"):
        async with admission.admit(KEY, Seats(1), "ann"):
            raise RuntimeError("on purpose")
    assert admission.outstanding == 0


async def test_who_came_first_goes_first() -> None:
    admission, order = make(), []

    async def caller(number: int) -> None:
        async with admission.admit(KEY, Seats(1), "ann"):
            order.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*(caller(number) for number in range(10)))
    assert order == list(range(10))


async def test_a_full_line_refuses_at_once_and_says_when_to_come_back() -> None:
    admission = make(length=1)
    async with admission.admit(KEY, Seats(1), "ann"):
        waiting = asyncio.create_task(admission.admit(KEY, Seats(1), "ann").__aenter__())
        await asyncio.sleep(0)
        with pytest.raises(Overloaded) as refused:
            async with admission.admit(KEY, Seats(1), "ann"):
                pass
        assert refused.value.retry_after_s is not None
        assert refused.value.retry_after_s >= 1
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert (admission.outstanding, admission.waiting) == (0, 0)


async def test_a_wait_ends_at_its_deadline() -> None:
    admission = make(deadline_s=0.01)
    async with admission.admit(KEY, Seats(1), "ann"):
        with pytest.raises(Overloaded, match="waited"):
            async with admission.admit(KEY, Seats(1), "ann"):
                pass
    assert (admission.outstanding, admission.waiting) == (0, 0)


async def test_lines_of_different_entities_do_not_meet() -> None:
    admission = make()
    async with admission.admit(KEY, Seats(1), "ann"), admission.admit("other", Seats(1), "ann"):
        assert admission.outstanding == 2


@settings(max_examples=60)
@given(
    places=st.integers(1, 4),
    callers=st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=40),
)
def test_places_are_never_exceeded_and_never_lost(places: int, callers: list[tuple[int, bool]]) -> None:
    async def run() -> None:
        admission, most = make(), 0

        async def caller(steps: int) -> None:
            nonlocal most
            async with admission.admit(KEY, Seats(places), "ann"):
                most = max(most, admission.outstanding)
                for _ in range(steps):
                    await asyncio.sleep(0)

        tasks = []
        for steps, gives_up in callers:
            task = asyncio.create_task(caller(steps))
            tasks.append(task)
            await asyncio.sleep(0)
            if gives_up:
                tasks[len(tasks) // 2].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert most <= places
        assert (admission.outstanding, admission.waiting) == (0, 0)
        async with AsyncExitStack() as stack:  # every place can be had again
            for _ in range(places):
                await stack.enter_async_context(admission.admit(KEY, Seats(places), "ann"))

    asyncio.run(run())
