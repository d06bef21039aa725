"""Limits: what one is, whom it binds, and the sliding window that keeps it. Pure: whoever needs the time is given it.

Windows slide, and err on the safe side only: time is cut into ticks of 1/120 of the window, and what was admitted in a
tick counts until the tick's *end* is a window old. So in no window, wherever it begins, is more admitted than the
limit; at most 1/120 of it stays unused. (A token bucket admits twice its size in a window that begins with a full one.)
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

TICKS = 120
"""Ticks of a window."""

MOST = 10**15
"""The greatest amount of a limit; sums of so many stay exact in a double, by which Redis' scripts count."""


class Measure(StrEnum):
    """What is counted. TOKENS are input and output together; CONCURRENCY is requests under way."""

    REQUESTS = "requests"
    INPUT_TOKENS = "input_tokens"
    OUTPUT_TOKENS = "output_tokens"
    TOKENS = "tokens"
    CONCURRENCY = "concurrency"

    @property
    def words(self) -> str:
        """For people."""
        return "concurrent requests" if self is Measure.CONCURRENCY else self.value.replace("_", " ")


class LimitScope(StrEnum):
    """Whom a rule binds. A group's members share what it has; of users each has its own, and so service principals."""

    ALL = "all"
    USER = "user"
    SERVICE_PRINCIPAL = "service_principal"
    GROUP = "user_group"


@dataclass(frozen=True, slots=True)
class LimitRule:
    """At most `amount` per `window_s` seconds, for whom `scope` and `principal` say, on one endpoint or on all.

    `principal` is a name; None for a USER is each user by himself. `endpoint_id` is None for all endpoints together;
    `endpoint` is its name. `window_s` is None for CONCURRENCY alone.
    """

    scope: LimitScope
    measure: Measure
    amount: int
    window_s: int | None
    principal: str | None = None
    endpoint: str | None = None
    endpoint_id: str | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """A rule as it binds one caller; `name` says whose limit it is, for people ("user ann on endpoint chat")."""

    name: str
    measure: Measure
    amount: int
    window_s: int | None

    @property
    def words(self) -> str:
        """Like "1000 tokens per minute for user ann"."""
        period = "" if self.window_s is None else f" per {_PERIODS.get(self.window_s, f'{self.window_s} s')}"
        return f"{self.amount} {self.measure.words}{period} for {self.name}"


_PERIODS = {1: "second", 60: "minute", 3600: "hour", 86_400: "day"}


@dataclass(slots=True)  # not frozen: a request makes several, and frozen they take three times as long
class Claim:
    """What one request takes of one limit. Claims of the same `key` draw on the same count. Never changed."""

    key: str
    limit: Limit
    amount: int


@dataclass(frozen=True, slots=True)
class PastClaim:
    """One that was made `age_s` seconds ago."""

    claim: Claim
    age_s: float


@dataclass(slots=True)  # as `Claim`
class Standing:
    """How a limit stands after a request was admitted or refused. `reset_s`: until it is wholly free again."""

    limit: Limit
    used: int
    reset_s: float

    @property
    def remaining(self) -> int:
        """What is left."""
        return max(0, self.limit.amount - self.used)


class SteadyTime:
    """Seconds of a clock, without its steps backwards: where it goes back, no time passed. So things count longer."""

    __slots__ = ("_clock", "_last", "_lost")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last = clock()
        self._lost = 0.0

    def __call__(self) -> float:
        """Never less than before."""
        now = self._clock()
        if now < self._last:
            self._lost += self._last - now
        self._last = now
        return now + self._lost


class SlidingWindow:
    """What was admitted lately, by ticks. `now` is seconds of one clock that never goes back (`SteadyTime`)."""

    __slots__ = ("_amounts", "_next_expiry", "_tick_s", "_used", "_window_s")

    def __init__(self, window_s: int) -> None:
        self._window_s = window_s
        self._tick_s = window_s / TICKS
        self._amounts: dict[int, int] = {}  # in the order of time
        self._next_expiry = math.inf
        self._used = 0

    def used(self, now: float) -> int:
        """What counts now."""
        while self._next_expiry <= now:
            self._used -= self._amounts.pop(next(iter(self._amounts)))
            first = next(iter(self._amounts), None)
            self._next_expiry = math.inf if first is None else self._expiry(first)
        return self._used

    def add(self, amount: int, now: float) -> int:
        """Count more; the tick it counts in."""
        tick = math.floor(now / self._tick_s)
        if not self._amounts:
            self._next_expiry = self._expiry(tick)
        self._amounts[tick] = self._amounts.get(tick, 0) + amount
        self._used += amount
        return tick

    def give_back(self, tick: int, amount: int) -> None:
        """Count less, of what was added in that tick; nothing where it does not count any more."""
        if tick in self._amounts:
            amount = min(amount, self._amounts[tick])
            self._amounts[tick] -= amount
            self._used -= amount

    def wait_s(self, room: int, now: float) -> float:
        """Seconds until at most `room` is used, if nothing comes; at `now` plus so many it is."""
        excess = self.used(now) - room
        if excess <= 0:
            return 0.0
        expiry = now
        for tick, amount in self._amounts.items():
            excess -= amount
            expiry = self._expiry(tick)
            if excess <= 0:
                break
        return expiry - now + math.ulp(expiry)

    def reset_s(self, now: float) -> float:
        """Seconds until nothing is used, if nothing comes."""
        for tick, amount in reversed(self._amounts.items()):
            if amount:
                return max(0.0, self._expiry(tick) - now)
        return 0.0

    def _expiry(self, tick: int) -> float:
        return (tick + 1) * self._tick_s + self._window_s


def tightest(standings: Sequence[Standing]) -> Standing | None:
    """The one with the least left, as a share of its amount."""
    if len(standings) > 1:
        return min(standings, key=lambda standing: standing.remaining / standing.limit.amount)
    return standings[0] if standings else None
