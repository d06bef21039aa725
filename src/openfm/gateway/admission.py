"""Who may start now: a bounded queue with a deadline before every served entity, fair across principals.

The gateway holds the queue, so that the engines' own stay short and a caller who hangs up while waiting has cost
nothing. See DESIGN.md.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import MappingProxyType

from openfm.core.errors import ApiError, Overloaded
from openfm.core.usage import TokenCounts
from openfm.scheduling.fair_queue import FairQueue, TokenPrices

_SMOOTHING = 0.2
_PRICES = TokenPrices()
_EQUAL: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """`length` requests may wait, each up to `deadline_s` seconds."""

    length: int = 256
    deadline_s: float = 60.0


@dataclass(slots=True, eq=False)
class Ticket:
    """A request that was let in, after `waited_s` seconds in line.

    `prompt_tokens` is an estimate from above: what is expected of it until the tokens are known.
    """

    principal: str
    prompt_tokens: int
    _queue: FairQueue["_Turn"]
    waited_s: float = 0.0
    _charged: float = 0.0
    _expected: float = 0.0

    def charge(self, used: TokenCounts) -> None:
        """The request has used so much in all by now; what was charged before is part of it."""
        self._stop_expecting()
        cost = _PRICES.cost(used)
        if cost > self._charged:
            self._queue.charge(self.principal, cost - self._charged)
            self._charged = cost

    def begin(self) -> None:
        """It is let in."""
        self._expected = _PRICES.cost(TokenCounts(prompt=self.prompt_tokens))
        self._queue.expect(self.principal, self._expected)

    def refund(self) -> None:
        """It failed: if its tokens are not known by now, nothing was done for it."""
        self._stop_expecting()

    def close(self) -> None:
        """It left: if its tokens are not known by now, the engine was at its prompt, which costs as estimated."""
        if self._expected:
            self.charge(TokenCounts(prompt=self.prompt_tokens))

    def _stop_expecting(self) -> None:
        if self._expected:
            self._queue.expect(self.principal, -self._expected)
            self._expected = 0.0


@dataclass(slots=True, eq=False)
class _Turn:
    """A ticket in line; `called` is when its turn comes."""

    ticket: Ticket
    called: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


@dataclass(slots=True)
class _Line:
    """The line before one served entity."""

    queue: FairQueue[_Turn]
    ongoing: int = 0
    service_s: float = 1.0


class Admission:
    """Places in engines. A place is held inside `admit` and returned on the way out, however one leaves.

    `weights` are principals' shares by id; who is not named has 1.
    """

    def __init__(self, limits: QueueLimits, clock: Callable[[], float], weights: Mapping[str, float] = _EQUAL) -> None:
        self._limits = limits
        self._clock = clock
        self._weights = weights
        self._lines: dict[str, _Line] = {}

    @property
    def outstanding(self) -> int:
        """Places held now."""
        return sum(line.ongoing for line in self._lines.values())

    @property
    def waiting(self) -> int:
        """Requests in line now."""
        return sum(len(line.queue) for line in self._lines.values())

    @asynccontextmanager
    async def admit(self, key: str, places: int, principal: str, prompt_tokens: int = 0) -> AsyncIterator[Ticket]:
        """Hold one of the `places` that the deployment `key` has, for the principal of this id.

        Raises `Overloaded` when the line is full, its deadline passes, or another principal's request needs the room.
        """
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = _Line(FairQueue(self._weights))
        ticket = Ticket(principal, prompt_tokens, line.queue)
        joined = self._clock()
        await self._enter(line, ticket, places)
        admitted = self._clock()
        ticket.waited_s = admitted - joined
        try:
            yield ticket
        except ApiError:
            ticket.refund()
            raise
        finally:
            ticket.close()
            line.service_s += _SMOOTHING * (self._clock() - admitted - line.service_s)
            self._leave(line, ticket, places)

    async def _enter(self, line: _Line, ticket: Ticket, places: int) -> None:
        self._advance(line, places)  # there may be more places than when last one left
        if line.ongoing >= places:
            self._find_room(line, ticket.principal, places)
        turn = _Turn(ticket)
        line.queue.push(ticket.principal, turn)
        self._advance(line, places)
        if turn.called.done():
            return
        try:
            async with asyncio.timeout(self._limits.deadline_s):
                await turn.called
        except TimeoutError:
            self._give_up(line, turn, places)
            raise Overloaded(
                f"The request waited {self._limits.deadline_s:.0f} s for its turn. Try again later.",
                retry_after_s=self._expected_wait_s(line, places),
            ) from None
        except asyncio.CancelledError:
            self._give_up(line, turn, places)
            raise

    def _find_room(self, line: _Line, principal: str, places: int) -> None:
        """Raises `Overloaded` when the line is full, and nobody has to give way to this principal."""
        waiting = len(line.queue)
        if waiting < self._limits.length:
            return
        other = line.queue.make_room(principal, self._limits.length)
        if other is None:
            raise Overloaded(
                f"{waiting} requests are waiting already, as many as may. Try again later.",
                retry_after_s=self._expected_wait_s(line, places),
            )
        if not other.called.done():
            other.called.set_exception(
                Overloaded(
                    f"{waiting} requests are waiting, as many as may, and more than your share of them are yours. "
                    "Try again later.",
                    retry_after_s=self._expected_wait_s(line, places),
                )
            )

    def _give_up(self, line: _Line, turn: _Turn, places: int) -> None:
        if line.queue.remove(turn.ticket.principal, turn):
            return
        called = turn.called
        if called.done() and not called.cancelled() and called.exception() is None:
            turn.ticket.refund()  # the place came in the same step: pass it on
            self._leave(line, turn.ticket, places)

    def _leave(self, line: _Line, ticket: Ticket, places: int) -> None:
        line.ongoing -= 1
        line.queue.finish(ticket.principal)
        self._advance(line, places)

    def _advance(self, line: _Line, places: int) -> None:
        while line.queue and line.ongoing < places:
            turn = line.queue.pop()
            if turn.called.done():  # its caller left in this step
                line.queue.finish(turn.ticket.principal)
                continue
            line.ongoing += 1
            turn.ticket.begin()
            turn.called.set_result(None)

    def _expected_wait_s(self, line: _Line, places: int) -> float:
        return max(1.0, line.service_s * (len(line.queue) + 1) / max(places, 1))
