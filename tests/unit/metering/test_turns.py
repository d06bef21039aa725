"""Questions in SQL take turns."""

import asyncio
from dataclasses import dataclass, field

import pytest

from openfm.core.errors import Unavailable
from openfm.metering.sql.turns import Turns


@dataclass
class Room:
    """Where questions are answered until they are let go."""

    turns: Turns
    inside: list[str] = field(default_factory=list)
    goes: dict[str, asyncio.Event] = field(default_factory=dict)

    def ask(self, name: str) -> asyncio.Task[None]:
        """A question of the caller whose name it begins with."""
        self.goes[name] = asyncio.Event()
        return asyncio.create_task(self._stay(name))

    async def _stay(self, name: str) -> None:
        async with self.turns.turn(name[0]):
            self.inside.append(name)
            try:
                await self.goes[name].wait()
            finally:
                self.inside.remove(name)


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_caller_has_one_question_answered_at_a_time_and_others_go_on() -> None:
    room = Room(Turns(at_once=3))
    asked = [room.ask(name) for name in ("a1", "a2", "b1")]
    await settled()
    assert room.inside == ["a1", "b1"]
    room.goes["a1"].set()
    await settled()
    assert room.inside == ["b1", "a2"]
    for name in ("a2", "b1"):
        room.goes[name].set()
    await asyncio.gather(*asked)
    assert room.inside == []


async def test_a_place_goes_to_who_has_waited_longest_since_its_last_one() -> None:
    room = Room(Turns(at_once=1))
    asked = [room.ask(name) for name in ("a1", "a2", "a3", "b1", "c1", "b2")]
    order: list[str] = []
    while len(order) < len(asked):
        await settled()
        (name,) = room.inside
        order.append(name)
        room.goes[name].set()
    await asyncio.gather(*asked)
    assert order == ["a1", "b1", "c1", "a2", "b2", "a3"]


async def test_one_that_is_cancelled_leaves_its_place_wherever_it_was() -> None:
    room = Room(Turns(at_once=1))
    first, second, third, fourth = (room.ask(name) for name in ("a1", "b1", "c1", "d1"))
    await settled()
    second.cancel()
    first.cancel()
    await settled()
    assert room.inside == ["c1"]
    room.goes["c1"].set()
    fourth.cancel()
    await asyncio.gather(first, second, third, fourth, return_exceptions=True)
    last = room.ask("a2")
    await settled()
    assert room.inside == ["a2"]
    last.cancel()


async def test_one_that_waits_too_long_is_refused() -> None:
    room = Room(Turns(at_once=1, longest_wait_s=0.01))
    first = room.ask("a1")
    await settled()
    with pytest.raises(Unavailable, match="Ask again"):
        await room.ask("b1")
    room.goes["a1"].set()
    await first
    last = room.ask("b2")
    room.goes["b2"].set()
    await last
