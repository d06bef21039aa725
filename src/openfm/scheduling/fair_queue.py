"""Who is next when many share: the weighted virtual token counter (VTC).

Rules of Sheng et al., "Fairness in Serving Large Language Models", OSDI 2024 (arXiv 2401.00588), section 4. Pure.
"""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from heapq import nsmallest
from types import MappingProxyType
from typing import Generic, TypeVar

from openfm.core.usage import TokenCounts

Item = TypeVar("Item")

_MOST_IDLE = 1024
_EQUAL: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class TokenPrices:
    """What a token costs in service. A completion token is a step of the engine; of prompt tokens a step takes many."""

    prompt: float = 1.0
    completion: float = 2.0

    def cost(self, counts: TokenCounts) -> float:
        """The service that these tokens are."""
        return self.prompt * counts.prompt + self.completion * counts.completion


@dataclass(slots=True)
class _Account(Generic[Item]):
    """One principal: its counter, what waits (rank, number of arrival, item), how many popped items still run."""

    counter: float
    expected: float = 0.0
    waiting: deque[tuple[int, int, Item]] = field(default_factory=deque)
    running: int = 0


class FairQueue(Generic[Item]):
    """Items of many principals; next is the oldest item of the principal that was served least for its weight.

    Every principal has a counter: the cost of the tokens produced for it, divided by its weight (1 where `weights`
    names none). `pop` takes from the least counter; whoever pops charges the prompt before the next `pop`, the
    completion tokens as they are produced, and says `finish`. Who comes with nothing waiting is lifted to the level, so
    that absence saves up nothing: the least counter of those who wait or, when nobody does, the counter of who left the
    queue last. While a prompt's tokens are not known, what is expected of it counts for the order, not for the level:
    nobody is lifted to what may turn out untrue.

    **The bound.** Let S be the places, P the most prompt tokens of a request, C the most completion tokens of one (all
    its answers), and U = prompt price · P + completion price · S · C: the most that a principal can be charged after it
    was the least served, for one prompt and for all the answers it has running. H = prompt price · S · E is the most
    that can be expected of one principal's prompts, when each is expected to have up to E tokens and at least as many
    as it has; 0 where they are charged at once. Let W be the cost of the tokens produced for a principal in an
    interval, however long. Then:

    - f and g always have something waiting: |W_f/weight_f - W_g/weight_g| ≤ (U+H)/weight_f + (U+H)/weight_g. With equal
      weights and H = 0 this is the paper's 2U.
    - f always has something waiting, g comes and goes: W_f/weight_f ≥ W_g/weight_g - (U+H)/weight_f - (2U+H)/weight_g.
    - A place is never free while something waits, if the caller pops until one of them is used up.

    An expectation that is too low, or void before all of its prompts are charged, adds another H to each side.

    Memory: the accounts of those who wait or run, and at most `2 * most_idle` more. A counter at or below the level
    says nothing that the lift would not, so forgetting it changes no choice. Beyond `most_idle` others the least are
    forgotten too: that forgives a principal at most U, once in so many principals that were served meanwhile.
    """

    def __init__(self, weights: Mapping[str, float] = _EQUAL, most_idle: int = _MOST_IDLE) -> None:
        if not all(0 < weight < math.inf for weight in weights.values()):
            raise ValueError("A weight must be a positive number.")
        self._weights = weights
        self._most_idle = most_idle
        self._accounts: dict[str, _Account[Item]] = {}
        self._active: dict[str, _Account[Item]] = {}  # those of `_accounts` with something waiting
        self._length = 0
        self._arrivals = 0
        self._level = 0.0
        self._last_to_leave: str | None = None
        self._opened = 0

    def __len__(self) -> int:
        return self._length

    @property
    def remembered(self) -> int:
        """How many counters are kept."""
        return len(self._accounts)

    def waiting(self, principal: str) -> int:
        """How many items of the principal wait."""
        account = self._active.get(principal)
        return 0 if account is None else len(account.waiting)

    def push(self, principal: str, item: Item, rank: int = 0) -> None:
        """The item waits, behind those of the same principal that have its rank or a lower one.

        A rank changes nothing for other principals: who is next is decided between them first.
        """
        account = self._account(principal)
        if not account.waiting:
            self._raise_level()
            account.counter = max(account.counter, self._level)
            self._active[principal] = account
        self._arrivals += 1
        place = len(account.waiting)
        while place and account.waiting[place - 1][0] > rank:
            place -= 1
        account.waiting.insert(place, (rank, self._arrivals, item))
        self._length += 1

    def pop(self) -> Item:
        """Take out the next item; it runs until `finish`. Raises `IndexError` when nothing waits."""
        if not self._active:
            raise IndexError("nothing waits")
        principal = min(self._active, key=self._turn)
        account = self._active[principal]
        _, _, item = account.waiting.popleft()
        account.running += 1
        self._left(principal, account)
        return item

    def charge(self, principal: str, cost: float) -> None:
        """So much service was produced for the principal."""
        self._account(principal).counter += cost / self._weight(principal)

    def expect(self, principal: str, cost: float) -> None:
        """So much more service is on its way to the principal; below zero, so much is not, or is charged now."""
        self._account(principal).expected += cost

    def finish(self, principal: str) -> None:
        """One popped item of the principal will be charged no more, and nothing is expected of it."""
        self._accounts[principal].running -= 1

    def remove(self, principal: str, item: Item) -> bool:
        """Take this very item out, whose caller left; False if it does not wait."""
        account = self._active.get(principal)
        if account is None:
            return False
        for place, (_, _, other) in enumerate(account.waiting):
            if other is item:
                del account.waiting[place]
                self._left(principal, account)
                return True
        return False

    def make_room(self, principal: str, capacity: int) -> Item | None:
        """Take out whose place one more item of the principal may have, in a queue of `capacity`.

        That is the newest item of who has most waiting for its weight. None if there is room, or if with one more the
        principal had more than its share: `capacity` divided by weight among all who wait, itself included. So who is
        sent away has more than its share, and never comes back by the same way.
        """
        if self._length < capacity:
            return None
        weight = self._weight(principal)
        others = sum(self._weight(other) for other in self._active if other != principal)
        if self.waiting(principal) + 1 > capacity * weight / (weight + others):
            return None
        crowd = max(self._active, key=self._crowding)
        account = self._active[crowd]
        _, _, item = account.waiting.pop()
        self._left(crowd, account)
        return item

    def _turn(self, principal: str) -> tuple[float, int]:
        account = self._active[principal]
        # Divided here: what was expected is taken back whole, even where the weight changed meanwhile.
        return account.counter + account.expected / self._weight(principal), account.waiting[0][1]

    def _crowding(self, principal: str) -> tuple[float, int]:
        waiting = self._active[principal].waiting
        return len(waiting) / self._weight(principal), waiting[-1][1]

    def _weight(self, principal: str) -> float:
        return self._weights.get(principal, 1.0)

    def _left(self, principal: str, account: _Account[Item]) -> None:
        """An item of the principal waits no more."""
        self._length -= 1
        if not account.waiting:
            del self._active[principal]
            self._last_to_leave = principal

    def _raise_level(self) -> None:
        if self._active:
            least = min(account.counter for account in self._active.values())
            self._level = max(self._level, least)
        elif self._last_to_leave in self._accounts:
            self._level = max(self._level, self._accounts[self._last_to_leave].counter)

    def _account(self, principal: str) -> _Account[Item]:
        account = self._accounts.get(principal)
        if account is None:
            self._opened += 1
            if self._opened >= self._most_idle:
                self._opened = 0
                self._forget()
            account = self._accounts[principal] = _Account(self._level)
        return account

    def _forget(self) -> None:
        """Drop the counters of those who neither wait nor run and whom the lift would treat the same, and a surplus."""
        self._raise_level()
        idle = {name: it.counter for name, it in self._accounts.items() if not it.waiting and not it.running}
        above = [name for name, counter in idle.items() if counter > self._level]
        surplus = nsmallest(len(above) - self._most_idle, above, key=idle.__getitem__)
        for name in (idle.keys() - above) | set(surplus):
            del self._accounts[name]
