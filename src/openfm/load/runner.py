"""Sends planned requests when they are due. How one is sent, and the clock, are arguments."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from openfm.load.lengths import Lengths
from openfm.load.outcome import Outcome
from openfm.load.prompts import random_prompt


@dataclass(frozen=True, slots=True)
class Planned:
    """A request to send `due_s` seconds after the run's beginning: its prompt, and how many tokens to ask for."""

    due_s: float
    prompt: str
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Shapes:
    """What requests look like; `shared` is what all prompts begin with."""

    prompt: Lengths
    output: Lengths
    shared: str = ""


Send = Callable[[Planned, float], Awaitable[Outcome]]
"""Sends one request that is due at this time of the clock. It raises nothing: a failure is an outcome."""


def planned(due: Sequence[float], shapes: Shapes, chance: random.Random) -> Sequence[Planned]:
    """A request for each due time. The same `chance` gives the same requests."""
    return [_planned(time, shapes, chance) for time in due]


def endless(shapes: Shapes, chance: random.Random) -> Iterator[Planned]:
    """Requests that are all due at once, for a closed loop."""
    while True:
        yield _planned(0.0, shapes, chance)


class OpenLoop:
    """Sends each request at its time, however many are still under way.

    `on_change` gets how many were sent and how many of them ended.
    """

    def __init__(self, send: Send, clock: Callable[[], float], on_change: Callable[[int, int], None]) -> None:
        self._send = send
        self._clock = clock
        self._on_change = on_change
        self._sent = 0
        self._outcomes: list[Outcome] = []

    async def run(
        self, requests: Sequence[Planned], sleep: Callable[[float], Awaitable[None]], patience_s: float
    ) -> Sequence[Outcome]:
        """The outcomes by due time, once the last has ended or `patience_s` after the last was sent."""
        began = self._clock()
        tasks: dict[asyncio.Task[None], float] = {}
        try:
            for request in requests:
                due = began + request.due_s
                if (wait_s := due - self._clock()) > 0:
                    await sleep(wait_s)
                self._sent += 1
                tasks[asyncio.create_task(self._one(request, due))] = due
                self._on_change(self._sent, len(self._outcomes))
            with suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    await asyncio.gather(*tasks)
        finally:
            given_up = [due for task, due in tasks.items() if not task.done() or task.cancelled()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        ended = self._clock()
        left = [Outcome(due, due, ended, error="unfinished") for due in given_up]
        return sorted([*self._outcomes, *left], key=lambda outcome: outcome.due_s)

    async def _one(self, request: Planned, due: float) -> None:
        self._outcomes.append(await self._send(request, due))
        self._on_change(self._sent, len(self._outcomes))


async def run_closed_loop(
    requests: Iterator[Planned], concurrency: int, send: Send, clock: Callable[[], float], until: Callable[[], bool]
) -> Sequence[Outcome]:
    """`concurrency` callers, each sending its next request when its last ended, until `until` says so.

    Requests under way then are ended. For measuring what a server can at most: at its own pace nothing queues.
    """
    outcomes: list[Outcome] = []

    async def caller() -> None:
        while not until():
            outcomes.append(await send(next(requests), clock()))

    await asyncio.gather(*(caller() for _ in range(concurrency)))
    return outcomes


def _planned(due_s: float, shapes: Shapes, chance: random.Random) -> Planned:
    prompt = random_prompt(shapes.prompt.draw(chance), chance, shapes.shared)
    return Planned(due_s, prompt, shapes.output.draw(chance))
