"""Who may start now: a bounded queue with a deadline before every served entity, fair across principals.

The gateway holds the queue, so that the engines' own stay short and a caller who hangs up while waiting has cost
nothing. See DESIGN.md.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

from openfm.core.errors import ApiError, Overloaded
from openfm.core.job import ServiceTier
from openfm.core.usage import TokenCounts
from openfm.gateway.provision import NothingPromised, Provisions
from openfm.scheduling.fair_queue import FairQueue, TokenPrices

_SMOOTHING = 0.2
_PRICES = TokenPrices()
_EQUAL: Mapping[str, float] = MappingProxyType({})
_RANKS = MappingProxyType({ServiceTier.PRIORITY: 0, ServiceTier.DEFAULT: 1})


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """`length` requests may wait, each up to `deadline_s` seconds.

    `has_precedence`: while provisioned throughput waits, others do not start on its hardware.
    """

    length: int = 256
    deadline_s: float = 60.0
    has_precedence: bool = True


@dataclass(frozen=True, slots=True)
class Seats:
    """What a deployment has: `places` for requests, on this hardware; whether its throughput is provisioned."""

    places: int
    hardware: frozenset[str] = frozenset()
    is_provisioned: bool = False


@dataclass(slots=True, eq=False)
class Ticket:
    """A request that was let in, after `waited_s` seconds in line.

    `prompt_tokens` is an estimate from above: what is expected of it until the tokens are known. `on_begun` is called
    once, when the engine answers it, or it left.
    """

    principal: str
    prompt_tokens: int
    _queue: FairQueue["_Turn"]
    tier: ServiceTier = ServiceTier.DEFAULT
    on_begun: Callable[[], None] | None = None
    waited_s: float = 0.0
    _charged: float = 0.0
    _expected: float = 0.0

    def charge(self, used: TokenCounts) -> None:
        """The request has used so much in all by now; what was charged before is part of it."""
        self._stop_expecting()
        self._tell_begun()
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
        self._tell_begun()

    def _tell_begun(self) -> None:
        if self.on_begun is not None:
            self.on_begun()
            self.on_begun = None

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
    """The line before one served entity. `starting` were let in, and have no answer yet."""

    queue: FairQueue[_Turn]
    seats: Seats
    ongoing: int = 0
    starting: int = 0
    service_s: float = 1.0

    @property
    def is_pressing(self) -> bool:
        """Whether somebody waits for what was promised to him."""
        return self.seats.is_provisioned and (len(self.queue) > 0 or self.starting > 0)

    def gives_way_to(self, other: "_Line") -> bool:
        """Whether it computes on the same hardware, without a promise of its own."""
        return not self.seats.is_provisioned and not self.seats.hardware.isdisjoint(other.seats.hardware)


class Admission:
    """Places in engines. A place is held inside `admit` and returned on the way out, however one leaves.

    `weights` are principals' shares by id; who is not named has 1. `provisions` says who may use what was promised.
    """

    def __init__(
        self,
        limits: QueueLimits,
        clock: Callable[[], float],
        weights: Mapping[str, float] = _EQUAL,
        provisions: Provisions | None = None,
    ) -> None:
        self.provisions = provisions or Provisions(NothingPromised(), clock)
        self._limits = limits
        self._clock = clock
        self._weights = weights
        self._lines: dict[str, _Line] = {}
        self._promised: dict[str, _Line] = {}

    @property
    def outstanding(self) -> int:
        """Places held now."""
        return sum(line.ongoing for line in self._lines.values())

    @property
    def waiting(self) -> int:
        """Requests in line now."""
        return sum(len(line.queue) for line in self._lines.values())

    def waiting_for(self, key: str) -> int:
        """Requests in line before the deployment now."""
        line = self._lines.get(key)
        return 0 if line is None else len(line.queue)

    def is_idle(self, key: str) -> bool:
        """Whether nobody waits before the deployment and at least half of its places are free."""
        line = self._lines.get(key)
        return line is not None and not line.queue and 2 * line.ongoing <= line.seats.places

    @asynccontextmanager
    async def admit(
        self,
        key: str,
        seats: Seats,
        principal: str,
        prompt_tokens: int = 0,
        tier: ServiceTier = ServiceTier.DEFAULT,
    ) -> AsyncIterator[Ticket]:
        """Hold one of the places that the deployment `key` has, for the principal of this id.

        Raises `Overloaded` when the line is full, its deadline passes, or another principal's request needs the room.
        """
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = _Line(FairQueue(self._weights), seats)
        line.seats = seats
        if seats.is_provisioned:
            self._promised[key] = line
        ticket = Ticket(principal, prompt_tokens, line.queue, tier)
        joined = self._clock()
        await self._enter(line, ticket)
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
            self._leave(line, ticket)

    async def _enter(self, line: _Line, ticket: Ticket) -> None:
        self._advance(line)  # there may be more places than when last one left
        if line.ongoing >= line.seats.places or self._is_held_back(line):
            self._find_room(line, ticket.principal)
        turn = _Turn(ticket)
        line.queue.push(ticket.principal, turn, _RANKS[ticket.tier])
        self._advance(line)
        if turn.called.done():
            return
        try:
            async with asyncio.timeout(self._limits.deadline_s):
                await turn.called
        except TimeoutError:
            self._give_up(line, turn)
            raise Overloaded(
                f"The request waited {self._limits.deadline_s:.0f} s for its turn. Try again later.",
                retry_after_s=self._expected_wait_s(line),
            ) from None
        except asyncio.CancelledError:
            self._give_up(line, turn)
            raise

    def _find_room(self, line: _Line, principal: str) -> None:
        """Raises `Overloaded` when the line is full, and nobody has to give way to this principal."""
        waiting = len(line.queue)
        if waiting < self._limits.length:
            return
        other = line.queue.make_room(principal, self._limits.length)
        if other is None:
            raise Overloaded(
                f"{waiting} requests are waiting already, as many as may. Try again later.",
                retry_after_s=self._expected_wait_s(line),
            )
        if not other.called.done():
            other.called.set_exception(
                Overloaded(
                    f"{waiting} requests are waiting, as many as may, and more than your share of them are yours. "
                    "Try again later.",
                    retry_after_s=self._expected_wait_s(line),
                )
            )

    def _give_up(self, line: _Line, turn: _Turn) -> None:
        if line.queue.remove(turn.ticket.principal, turn):
            self._release_others(line)
            return
        called = turn.called
        if called.done() and not called.cancelled() and called.exception() is None:
            turn.ticket.refund()  # the place came in the same step: pass it on
            turn.ticket.close()
            self._leave(line, turn.ticket)

    def _leave(self, line: _Line, ticket: Ticket) -> None:
        line.ongoing -= 1
        line.queue.finish(ticket.principal)
        self._advance(line)

    def _advance(self, line: _Line) -> None:
        while line.queue and line.ongoing < line.seats.places and not self._is_held_back(line):
            turn = line.queue.pop()
            if turn.called.done():  # its caller left in this step
                line.queue.finish(turn.ticket.principal)
                continue
            line.ongoing += 1
            line.starting += 1
            turn.ticket.on_begun = partial(self._begun, line)
            turn.ticket.begin()
            turn.called.set_result(None)
        self._release_others(line)

    def _begun(self, line: _Line) -> None:
        line.starting -= 1
        self._release_others(line)

    def _is_held_back(self, line: _Line) -> bool:
        """Whether somebody waits for what he was promised on the hardware that this line computes on."""
        if line.seats.is_provisioned or not self._limits.has_precedence:
            return False
        return any(other.is_pressing and line.gives_way_to(other) for other in self._promised.values())

    def _release_others(self, line: _Line) -> None:
        """Nobody may be waiting here any more: then those who gave way go on."""
        if not line.seats.is_provisioned or line.is_pressing:
            return
        for other in self._lines.values():
            if other.queue and other.gives_way_to(line):
                self._advance(other)

    def _expected_wait_s(self, line: _Line) -> float:
        return max(1.0, line.service_s * (len(line.queue) + 1) / max(line.seats.places, 1))
