"""Who may start now: a bounded queue with a deadline before every served entity.

The gateway holds the queue, so that the engines' own stay short and a caller who hangs up while waiting has cost
nothing. See DESIGN.md.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from openfm.core.errors import Overloaded

_SMOOTHING = 0.2


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """`length` requests may wait, each up to `deadline_s` seconds."""

    length: int = 256
    deadline_s: float = 60.0


@dataclass(slots=True)
class _Line:
    """The line before one served entity."""

    ongoing: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)
    service_s: float = 1.0


class Admission:
    """Places in engines. A place is held inside `admit` and returned on the way out, however one leaves."""

    def __init__(self, limits: QueueLimits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._lines: dict[str, _Line] = {}

    @property
    def outstanding(self) -> int:
        """Places held now."""
        return sum(line.ongoing for line in self._lines.values())

    @property
    def waiting(self) -> int:
        """Requests in line now."""
        return sum(len(line.waiting) for line in self._lines.values())

    @asynccontextmanager
    async def admit(self, key: str, places: int) -> AsyncIterator[float]:
        """Hold one of the `places` that the deployment `key` has; gives the seconds spent in line.

        Raises `Overloaded` when the line is full or its deadline passes.
        """
        line = self._lines.setdefault(key, _Line())
        joined = self._clock()
        await self._enter(line, places)
        admitted = self._clock()
        try:
            yield admitted - joined
        finally:
            line.service_s += _SMOOTHING * (self._clock() - admitted - line.service_s)
            self._leave(line, places)

    async def _enter(self, line: _Line, places: int) -> None:
        if line.ongoing < places and not line.waiting:
            line.ongoing += 1
            return
        if len(line.waiting) >= self._limits.length:
            raise Overloaded(
                f"{len(line.waiting)} requests are waiting already, as many as may. Try again later.",
                retry_after_s=self._expected_wait_s(line, places),
            )
        turn = asyncio.get_running_loop().create_future()
        line.waiting.append(turn)
        try:
            async with asyncio.timeout(self._limits.deadline_s):
                await turn
        except TimeoutError:
            self._give_up(line, turn, places)
            raise Overloaded(
                f"The request waited {self._limits.deadline_s:.0f} s for its turn. Try again later.",
                retry_after_s=self._expected_wait_s(line, places),
            ) from None
        except asyncio.CancelledError:
            self._give_up(line, turn, places)
            raise

    def _give_up(self, line: _Line, turn: asyncio.Future[None], places: int) -> None:
        if turn in line.waiting:
            line.waiting.remove(turn)
        elif turn.done() and not turn.cancelled():  # the place came in the same step: pass it on
            self._leave(line, places)

    def _leave(self, line: _Line, places: int) -> None:
        line.ongoing -= 1
        while line.waiting and line.ongoing < places:
            turn = line.waiting.popleft()
            if not turn.done():
                line.ongoing += 1
                turn.set_result(None)

    def _expected_wait_s(self, line: _Line, places: int) -> float:
        return max(1.0, line.service_s * (len(line.waiting) + 1) / max(places, 1))
