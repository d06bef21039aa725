"""The line before an entity is fair across principals; one who crowds it gives way."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

from openfm.core.errors import EngineFailed, Overloaded
from openfm.core.usage import TokenCounts
from openfm.gateway.admission import Admission, QueueLimits, Seats

KEY = "m"


@dataclass
class Crowd:
    """Callers before one place: each gets in, uses so many tokens, and leaves."""

    admission: Admission
    order: list[str] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def come(self, principals: Iterable[str], tokens: int = 10, estimate: int = 10) -> None:
        """They join the line in this order."""
        for principal in principals:
            self.tasks.append(asyncio.create_task(self._call(principal, tokens, estimate)))
            await asyncio.sleep(0)

    async def end(self) -> str:
        """All have left; whose turn it was, in order."""
        await asyncio.gather(*self.tasks, return_exceptions=True)
        return "".join(self.order)

    async def _call(self, principal: str, tokens: int, estimate: int) -> None:
        async with self.admission.admit(KEY, Seats(1), principal, estimate) as ticket:
            self.order.append(principal)
            await asyncio.sleep(0)
            ticket.charge(TokenCounts(prompt=tokens))


def make(length: int = 100, deadline_s: float = 60.0, **weights: float) -> Admission:
    return Admission(QueueLimits(length, deadline_s), lambda: 0.0, weights)


async def taken(admission: Admission, asked: str, tokens: int = 10, estimate: int = 10) -> str:
    """The order in which callers get in who came in the order of `asked`, while the place was held by another."""
    crowd = Crowd(admission)
    async with admission.admit(KEY, Seats(1), "z"):
        await crowd.come(asked, tokens, estimate)
    return await crowd.end()


async def test_one_request_of_a_small_principal_does_not_wait_behind_all_of_a_big_one() -> None:
    assert await taken(make(), "aaaaaaaaaabb") == "ababaaaaaaaa"


async def test_a_principal_with_three_times_the_weight_gets_three_times_the_turns() -> None:
    order = (await taken(make(a=3.0), "a" * 12 + "b" * 12))[:12]
    assert (order.count("a"), order.count("b")) == (9, 3)


async def test_an_estimate_that_was_too_high_is_made_good() -> None:
    admission = make()
    crowd = Crowd(admission)
    async with admission.admit(KEY, Seats(1), "z"):
        await crowd.come("aaaa", tokens=10, estimate=1000)
        await crowd.come("bbbb", tokens=10, estimate=10)
    assert await crowd.end() == "abababab"


async def test_completion_tokens_count_while_they_are_produced() -> None:
    admission = make()
    crowd = Crowd(admission)
    async with admission.admit(KEY, Seats(1), "a") as ticket:
        await crowd.come("aaabbb")
        for number in range(1, 50):
            ticket.charge(TokenCounts(prompt=10, completion=number))
            assert admission.waiting == 6
    assert await crowd.end() == "bbbaaa"


async def test_who_failed_before_anything_was_done_has_paid_nothing() -> None:
    admission = make()
    crowd = Crowd(admission)

    async def fail() -> None:
        async with admission.admit(KEY, Seats(1), "a", 10_000):
            await crowd.come("baba")
            raise EngineFailed("It does not start. Look at its log.")

    with pytest.raises(EngineFailed):
        await fail()
    assert await crowd.end() == "baba"


async def test_who_hangs_up_while_its_prompt_is_read_pays_for_the_prompt() -> None:
    admission = make()
    crowd = Crowd(admission)
    async with admission.admit(KEY, Seats(1), "a", 1000):
        await crowd.come("aaabbb")
    assert await crowd.end() == "bbbaaa"


async def test_a_full_line_lets_one_in_who_has_less_than_its_share_and_turns_the_newest_of_the_most_away() -> None:
    admission = make(length=4)
    crowd = Crowd(admission)
    async with admission.admit(KEY, Seats(1), "z"):
        await crowd.come("aaaa")
        await crowd.come("b")
        await asyncio.sleep(0)
        newest = crowd.tasks[3]
        assert newest.done()
        error = newest.exception()
        assert isinstance(error, Overloaded)
        assert error.status == 503
        assert "your share" in str(error)
        assert error.retry_after_s is not None
        assert error.retry_after_s >= 1
        assert admission.waiting == 4
    assert await crowd.end() == "abaa"
    assert (admission.outstanding, admission.waiting) == (0, 0)


async def test_a_full_line_refuses_one_who_has_its_share() -> None:
    admission = make(length=4)
    crowd = Crowd(admission)
    async with admission.admit(KEY, Seats(1), "z"):
        await crowd.come("aaabbb")
        await asyncio.sleep(0)
        refused = [task for task in crowd.tasks if task.done()]
        assert refused == [crowd.tasks[2], crowd.tasks[5]], "the newest of a gave way; the third of b was too many"
        assert all(isinstance(task.exception(), Overloaded) for task in refused)
    assert sorted(await crowd.end()) == ["a", "a", "b", "b"]


async def test_who_is_turned_away_and_leaves_in_the_same_step_leaves_nothing_behind() -> None:
    admission = make(length=2)
    crowd = Crowd(admission)
    async with admission.admit(KEY, Seats(1), "z"):
        await crowd.come("aa")
        late = asyncio.create_task(admission.admit(KEY, Seats(1), "b").__aenter__())
        asyncio.get_running_loop().call_soon(crowd.tasks[1].cancel)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        late.cancel()
        await asyncio.gather(late, return_exceptions=True)
    assert await crowd.end() == "a"
    assert (admission.outstanding, admission.waiting) == (0, 0)


async def test_more_places_than_before_are_used_at_once() -> None:
    admission = make(length=1)
    crowd = Crowd(admission)
    async with admission.admit(KEY, Seats(1), "z"):
        await crowd.come("a")
        async with admission.admit(KEY, Seats(3), "b"):
            assert (admission.outstanding, admission.waiting) == (3, 0)
    assert await crowd.end() == "a"
