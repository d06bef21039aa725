"""Gateways, requests and a clock, beside a count of our own that knows nothing of ticks: every admission is judged."""

import heapq
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from openfm.core.errors import RateLimited
from openfm.core.limits import Claim, Limit, Measure
from openfm.limits.store import LimitStore, Reservation
from tests.contract.limits.conftest import Clock

LEASE_S = 30
LIMITS = {
    "requests/1": Limit("ann", Measure.REQUESTS, 7, 1),
    "tokens/60": Limit("ann", Measure.TOKENS, 1000, 60),
    "output/60": Limit("team", Measure.OUTPUT_TOKENS, 700, 60),
    "tokens/3600": Limit("all callers", Measure.TOKENS, 9000, 3600),
    "places": Limit("ann", Measure.CONCURRENCY, 5, None),
}
Renew = Callable[[LimitStore], Awaitable[None]]


@dataclass
class Counted:
    """What was admitted in the last window, by the definition: each amount at its moment."""

    window_s: int
    events: deque[list[float]] = field(default_factory=deque)
    total: float = 0

    def add(self, now: float, amount: float) -> list[float]:
        """Remember it; what is given back is taken from what this returns."""
        event = [now, amount]
        self.events.append(event)
        self.total += amount
        return event

    def give_back(self, event: list[float], amount: float) -> None:
        """It was not used."""
        event[1] -= amount
        if self.events and event[0] >= self.events[0][0]:
            self.total -= amount

    def within(self, now: float) -> float:
        """The sum over the window that ends now; an event of exactly a window ago is not in it."""
        while self.events and self.events[0][0] + self.window_s <= now + 1e-9:
            self.total -= self.events.popleft()[1]
        return self.total


@dataclass
class Running:
    """A request under way."""

    gateway: LimitStore
    reservation: Reservation
    events: Mapping[str, list[float]]
    place: str | None


@dataclass
class World:
    """Judges a store. `time` is the sum of the steps forward that the clock took."""

    clock: Clock
    gateways: list[LimitStore]
    renew: Renew
    time: float = 0.0
    running: list[Running] = field(default_factory=list)
    orphans: list[float] = field(default_factory=list)
    admitted: int = 0
    refused: int = 0

    def __post_init__(self) -> None:
        """Nothing was counted yet."""
        self.counted = {name: Counted(one.window_s) for name, one in LIMITS.items() if one.window_s is not None}

    async def ask(self, gateway: int, amounts: Mapping[str, int]) -> float | None:
        """A request comes; the seconds it is told to wait, if it is refused."""
        store = self.gateways[gateway % len(self.gateways)]
        claims = [Claim(name, LIMITS[name], amount) for name, amount in amounts.items()]
        try:
            reservation = await store.reserve(claims)
        except RateLimited as refusal:
            self.refused += 1
            return refusal.retry_after_s or 0.0
        self.admitted += 1
        events = {name: self.counted[name].add(self.time, n) for name, n in amounts.items() if name in self.counted}
        for name in events:
            within = self.counted[name].within(self.time)
            assert within <= LIMITS[name].amount, f"{name}: {within} in a window"
        for standing in reservation.standings:
            assert 0 <= standing.used <= standing.limit.amount
        self.running.append(Running(store, reservation, events, "places" if "places" in amounts else None))
        if "places" in amounts:
            held = sum(one.place is not None for one in self.running) + len(self.orphans)
            assert held <= LIMITS["places"].amount + self._ended_orphans()
        return None

    async def end(self, which: int, share: float) -> None:
        """A request ends, having used a share of its tokens."""
        if not self.running:
            return
        one = self.running.pop(which % len(self.running))
        used: dict[Measure, int] = {}
        for claim in one.reservation.claims:
            measure = claim.limit.measure
            if measure not in (Measure.REQUESTS, Measure.CONCURRENCY):
                used.setdefault(measure, int(claim.amount * share))
        await one.gateway.settle(one.reservation, used)
        for claim in one.reservation.claims:
            limit, name = claim.limit, claim.key
            rest = claim.amount - used.get(limit.measure, claim.amount)
            if name in one.events and rest > 0:
                self.counted[name].give_back(one.events[name], rest)
            elif name in self.counted and rest < 0:
                self.counted[name].add(self.time, -rest)

    async def crash(self, gateway: int, reborn: LimitStore) -> None:
        """A gateway is gone with all it knew; another takes its place."""
        index = gateway % len(self.gateways)
        gone, self.gateways[index] = self.gateways[index], reborn
        self.orphans += [self.time + LEASE_S for one in self.running if one.gateway is gone and one.place]
        self.running = [one for one in self.running if one.gateway is not gone]

    async def advance(self, seconds: float) -> None:
        """Time passes, and leases are renewed."""
        while seconds > 0:
            step = min(seconds, LEASE_S / 3)
            self.clock.now += step
            self.time += step
            seconds -= step
            for gateway in self.gateways:
                await self.renew(gateway)

    def step_back(self, seconds: float) -> None:
        """Somebody sets the clock back: no time passed."""
        self.clock.now -= seconds

    def _ended_orphans(self) -> int:
        return sum(end <= self.time + 1e-5 for end in self.orphans)


def amounts_of(names: Sequence[str], tokens: int) -> dict[str, int]:
    """What a request of so many tokens takes of these limits."""
    return {name: tokens if "tokens" in name or "output" in name else 1 for name in names}


async def operate(world: World, chance: random.Random) -> None:
    """Do one thing at random."""
    match chance.randrange(10):
        case 0 | 1 | 2 | 3:
            names = chance.sample(list(LIMITS), chance.randint(1, len(LIMITS)))
            await world.ask(chance.randrange(8), amounts_of(names, chance.randint(0, 300)))
        case 4 | 5 | 6:
            await world.end(chance.randrange(100), chance.choice((0.0, 0.4, 1.0, 1.0, 1.1)))
        case 7 | 8:
            await world.advance(chance.expovariate(1.0))
        case _:
            world.step_back(chance.choice((0.0, 0.1, 5.0, 3600.0)))


@dataclass
class Crowd:
    """Clients that come again as soon as they were served, or when they are told to. Each reserves twice what it uses.

    What is reserved and not used is free for nobody until its request ends; so requests are short here.
    """

    store: LimitStore
    limit: Limit
    clock: Clock
    chance: random.Random
    used: list[tuple[float, int]] = field(default_factory=list)
    _due: list[tuple[float, int, Reservation | None]] = field(default_factory=list)

    async def run(self, clients: int, until: float) -> None:
        """Time goes on to `until`."""
        self._due = [(self.clock.now + self.chance.random(), client, None) for client in range(clients)]
        heapq.heapify(self._due)
        while self._due[0][0] < until:
            self.clock.now, client, reservation = heapq.heappop(self._due)
            if reservation is None:
                await self._come(client)
            else:
                await self._leave(client, reservation)

    async def _come(self, client: int) -> None:
        try:
            reservation = await self.store.reserve([Claim("all", self.limit, 200)])
        except RateLimited as refusal:
            heapq.heappush(self._due, (self.clock.now + (refusal.retry_after_s or 0.0), client, None))
        else:
            heapq.heappush(self._due, (self.clock.now + self.chance.uniform(0.1, 0.5), client, reservation))

    async def _leave(self, client: int, reservation: Reservation) -> None:
        tokens = self.chance.randint(50, 150)
        await self.store.settle(reservation, {self.limit.measure: tokens})
        self.used.append((self.clock.now, tokens))
        heapq.heappush(self._due, (self.clock.now, client, None))
