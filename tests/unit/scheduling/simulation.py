"""A seeded simulation of principals before an engine with a few places; a step is one token of every running answer."""

import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from openfm.core.usage import TokenCounts
from openfm.scheduling.fair_queue import FairQueue, TokenPrices

PRICES = TokenPrices(1.0, 2.0)


@dataclass(slots=True, eq=False)
class Request:
    """What one asks; `estimate` is what is expected of its prompt until the first token."""

    principal: str
    prompt: int
    estimate: int
    completion: int
    produced: int = 0


class Queue(Protocol):
    """What the simulation needs of a queue."""

    def __len__(self) -> int: ...

    def push(self, principal: str, item: Request) -> None: ...

    def pop(self) -> Request: ...

    def charge(self, principal: str, cost: float) -> None: ...

    def expect(self, principal: str, cost: float) -> None: ...

    def finish(self, principal: str) -> None: ...


class Fifo:
    """First come, first served: what the bound is not true of."""

    def __init__(self) -> None:
        self._items: deque[Request] = deque()

    def __len__(self) -> int:
        return len(self._items)

    def push(self, principal: str, item: Request) -> None:
        del principal
        self._items.append(item)

    def pop(self) -> Request:
        return self._items.popleft()

    def charge(self, principal: str, cost: float) -> None:
        """It does not matter here."""

    def expect(self, principal: str, cost: float) -> None:
        """It does not matter here."""

    def finish(self, principal: str) -> None:
        """It does not matter here."""


@dataclass(frozen=True, slots=True)
class World:
    """The greatest sizes; `slack` is by how much an estimate may pass the truth."""

    places: int
    prompt: int
    completion: int
    slack: int
    weights: Mapping[str, float]

    def bound(self, one: str, other: str) -> float:
        """By how much the service of two backlogged principals may differ, for their weights."""
        share = 1 / self.weights[one] + 1 / self.weights[other]
        return (self._most_charged + self._untrue) * share

    def bound_of_visitor(self, backlogged: str, visitor: str) -> float:
        """By how much a principal who comes and goes may be ahead of a backlogged one."""
        own = (self._most_charged + self._untrue) / self.weights[backlogged]
        return own + (2 * self._most_charged + self._untrue) / self.weights[visitor]

    @property
    def _most_charged(self) -> float:
        return PRICES.prompt * self.prompt + PRICES.completion * self.places * self.completion

    @property
    def _untrue(self) -> float:
        return PRICES.prompt * self.places * self.prompt * self.slack if self.has_estimates else 0.0

    @property
    def has_estimates(self) -> bool:
        """Prompts are charged when the first token comes; else at once."""
        return self.slack > 1


@dataclass(slots=True)
class Simulation:
    """Steps through time. `service` is the cost of what was really produced for each principal, for its weight."""

    world: World
    queue: Queue
    chance: random.Random
    running: list[Request] = field(default_factory=list)
    service: dict[str, float] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)
    emptied: set[str] = field(default_factory=set)
    idle_places: int = 0

    def __post_init__(self) -> None:
        self.service = dict.fromkeys(self.world.weights, 0.0)
        self.waiting = dict.fromkeys(self.world.weights, 0)

    def arrive(self, principal: str) -> None:
        """A request of random size comes."""
        prompt = self.chance.randint(1, self.world.prompt)
        estimate = prompt * self.chance.randint(1, self.world.slack)
        request = Request(principal, prompt, estimate, self.chance.randint(1, self.world.completion))
        self.queue.push(principal, request)
        self.waiting[principal] += 1

    def step(self) -> None:
        """Give free places away, then every running answer a token. `emptied` had nothing waiting in between."""
        self.emptied = {name for name, count in self.waiting.items() if not count}
        while len(self.queue) and len(self.running) < self.world.places:
            request = self.queue.pop()
            self.waiting[request.principal] -= 1
            if not self.waiting[request.principal]:
                self.emptied.add(request.principal)
            if self.world.has_estimates:
                self.queue.expect(request.principal, PRICES.prompt * request.estimate)
            else:
                self._serve(request, TokenCounts(prompt=request.prompt))
            self.running.append(request)
        self.idle_places = self.world.places - len(self.running)
        for request in self.running:
            is_first = not request.produced
            request.produced += 1
            if is_first and self.world.has_estimates:
                self.queue.expect(request.principal, -PRICES.prompt * request.estimate)
                self._serve(request, TokenCounts(prompt=request.prompt))
            self._serve(request, TokenCounts(completion=1))
        for request in [one for one in self.running if one.produced == one.completion]:
            self.running.remove(request)
            self.queue.finish(request.principal)

    def _serve(self, request: Request, counts: TokenCounts) -> None:
        cost = PRICES.cost(counts)
        self.queue.charge(request.principal, cost)
        self.service[request.principal] += cost / self.world.weights[request.principal]


@dataclass(slots=True)
class Spread:
    """The greatest difference that a quantity shows over any interval of a spell."""

    least: float
    greatest: float
    most_rise: float = 0.0
    most_fall: float = 0.0

    def see(self, value: float) -> None:
        self.most_rise = max(self.most_rise, value - self.least)
        self.most_fall = max(self.most_fall, self.greatest - value)
        self.least, self.greatest = min(self.least, value), max(self.greatest, value)


def fair(world: World, most_idle: int = 4) -> FairQueue[Request]:
    """A queue with the world's weights."""
    return FairQueue(world.weights, most_idle)
