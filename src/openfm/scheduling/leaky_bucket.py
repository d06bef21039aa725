"""Admission by utilisation: a bucket of work that leaks at the provisioned rate. Pure: every call is told the time.

The rules are those published for Azure OpenAI's provisioned deployments ("provisioned throughput", Microsoft Learn):
what a request will cost is estimated, and admitted below 100 %; what it did cost corrects the estimate when it ends;
the bucket leaks at a constant rate; above 100 % the answer says when to come back. Beyond them, a refusal *books*:
whoever comes back with the same request at the time it was told is let in, and nobody who comes between takes its room.
"""

import math
from collections import deque
from dataclasses import dataclass, field

_CLOCK_ERROR_S = 1e-6


@dataclass(frozen=True, slots=True)
class BucketPolicy:
    """Times in seconds.

    The bucket holds `burst_s` of the rate. A booking is kept for `grace_s` after its time (clients that read
    `retry-after` wait up to a second longer), and none is made further ahead than `horizon_s`.
    """

    burst_s: float = 5.0
    grace_s: float = 1.5
    horizon_s: float = 120.0

    def __post_init__(self) -> None:
        """Refuse a grace in which the whole bucket could leak away unused."""
        if not 0 < self.grace_s < self.burst_s:
            raise ValueError("grace_s must be more than 0 and less than burst_s")


@dataclass(frozen=True, slots=True)
class Wait:
    """No room now. In `retry_after_s` there is; `is_booked`: it is kept for whoever asked."""

    retry_after_s: float
    is_booked: bool


@dataclass(slots=True, eq=False)
class _Booking:
    due_s: float
    work: float
    is_open: bool = True


@dataclass(slots=True)
class LeakyBucket:
    """Work in the bucket, of one served entity. `rate` is work a second; `now` is seconds that never go back.

    **What is promised.** Let C = burst_s · rate, and E the largest estimate.

    - A request is admitted at once when the level is below C and no booked room is touched. So who keeps below the rate
      is never refused for long, and the level never passes C + 3E + rate · grace_s.
    - In every interval of T seconds the admitted work, as it was corrected, is at most that plus rate · T.
    - Who was told a time that is booked, and comes back with the same key within `grace_s` of it, is admitted.
    - Booked room that nobody calls for, and what estimates were too high, goes to the next who asks. So those who never
      come back take nothing from the rate: only from the bucket, rate · grace_s of it.
    """

    rate: float
    policy: BucketPolicy = field(default_factory=BucketPolicy)
    _level: float = 0.0
    _spare: float = 0.0  # booked room that its owner will not need
    _told_s: float = 0.0
    _booked_until: float = 0.0
    _bookings: deque[tuple[str, _Booking]] = field(default_factory=deque)
    _open: dict[str, deque[_Booking]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a rate at which nothing would ever leak."""
        _check_rate(self.rate)

    @property
    def capacity(self) -> float:
        """The work at which utilisation is 1."""
        return self.rate * self.policy.burst_s

    def utilisation(self, now: float) -> float:
        """The level as a share of the capacity: above 1 by what was admitted just below it."""
        self._leak(now)
        return self._level / self.capacity

    def take(self, work: float, key: str, now: float) -> Wait | None:
        """Let work in, or say when to come back with the same `key`."""
        self._leak(now)
        if self._claim(work, key, now) or self._is_room(work):
            self._level += work
            return None
        return self._book(work, key, now)

    def is_open(self, work: float, key: str, now: float) -> bool:
        """Whether `take` would let it in."""
        self._leak(now)
        is_free = self._level < self.capacity and (not self._open or self._spare > 0)
        return is_free or self._claimable(work, key, now) is not None

    def is_due(self, work: float, key: str, now: float) -> bool:
        """Whether this is a booked request that comes back at its time."""
        self._leak(now)
        return self._claimable(work, key, now) is not None

    def correct(self, work: float, now: float) -> None:
        """So much more was done than estimated; below zero, so much less."""
        self._leak(now)
        self._level = max(0.0, self._level + work)
        self._spare = min(self.capacity, self._spare - work)

    def change_rate(self, rate: float, now: float) -> None:
        """An update: the work in the bucket stays what it is, and what is booked is kept."""
        self._leak(now)
        _check_rate(rate)
        self.rate = rate

    def _leak(self, now: float) -> None:
        elapsed = max(0.0, now - self._told_s)
        self._told_s = max(now, self._told_s)
        self._level = max(0.0, self._level - self.rate * elapsed)
        while self._bookings and self._bookings[0][1].due_s + self.policy.grace_s < now:
            key, booking = self._bookings.popleft()
            if booking.is_open:
                self._close(key, booking)
                self._spare = min(self.capacity, self._spare + booking.work)
        if not self._open:
            self._spare, self._booked_until = 0.0, now

    def _claim(self, work: float, key: str, now: float) -> bool:
        booking = self._claimable(work, key, now)
        if booking is not None:
            self._close(key, booking)
        return booking is not None

    def _claimable(self, work: float, key: str, now: float) -> _Booking | None:
        for booking in self._open.get(key, ()):
            if booking.due_s > now + _CLOCK_ERROR_S:
                return None
            if work <= booking.work:
                return booking
        return None

    def _is_room(self, work: float) -> bool:
        if self._level >= self.capacity:
            return False
        if not self._open:
            return True
        if self._spare > 0:
            self._spare -= work
            return True
        return False

    def _book(self, work: float, key: str, now: float) -> Wait:
        """When there is room if everybody before comes at his time: bookings leak one after the other."""
        due_s = max(self._booked_until, now + max(0.0, self._level - self.capacity) / self.rate)
        if due_s - now > self.policy.horizon_s:
            return Wait(due_s - now, is_booked=False)
        booking = _Booking(due_s, work)
        self._booked_until = due_s + work / self.rate
        self._bookings.append((key, booking))
        self._open.setdefault(key, deque()).append(booking)
        return Wait(due_s - now, is_booked=True)

    def _close(self, key: str, booking: _Booking) -> None:
        booking.is_open = False
        its = self._open[key]
        its.remove(booking)
        if not its:
            del self._open[key]


def _check_rate(rate: float) -> None:
    if not 0 < rate < math.inf:
        raise ValueError("rate must be a positive number")
