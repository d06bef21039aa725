"""Counts of one process. Nothing here waits, so no two requests are between looking and taking."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from openfm.core.limits import Claim, Measure, PastClaim, SlidingWindow, Standing, SteadyTime
from openfm.limits.store import PLACE_WAIT_S, Reservation, Verdict, refusal

_SWEPT_PER_TAKE = 4
_SWEEP_EVERY_S = 1.0


class _Places:
    """Requests under way; counts as `SlidingWindow` does, but what is taken stays so until it is given back."""

    __slots__ = ("taken",)

    def __init__(self) -> None:
        self.taken = 0

    def used(self, now: float) -> int:
        del now
        return self.taken

    def add(self, amount: int, now: float) -> int:
        del now
        self.taken += amount
        return 0

    def wait_s(self, room: int, now: float) -> float:
        del room, now
        return PLACE_WAIT_S

    def reset_s(self, now: float) -> float:
        del now
        return 0.0


class InProcessLimits:
    """Fulfils `LimitStore`. `clock` gives seconds; where it steps back, no time passes.

    `past` was taken of windows before this process began, the oldest first for each.
    """

    def __init__(self, clock: Callable[[], float], past: Iterable[PastClaim] = ()) -> None:
        self._clock = SteadyTime(clock)
        self._counts: dict[str, SlidingWindow | _Places] = {}
        for one in past:
            self._count(one.claim).add(one.claim.amount, self._clock() - one.age_s)
        self._unswept: list[str] = []
        self._next_sweep = 0.0

    async def reserve(self, claims: Sequence[Claim]) -> Reservation:
        """See `LimitStore`."""
        now = self._clock()
        self._sweep(now)
        counts = [self._count(claim) for claim in claims]
        used = [count.used(now) for count in counts]
        for claim, before in zip(claims, used, strict=True):
            if before + claim.amount > claim.limit.amount:
                raise refusal([_verdict(*one, now) for one in zip(claims, counts, strict=True)])
        marks = [count.add(claim.amount, now) for claim, count in zip(claims, counts, strict=True)]
        standings = [
            Standing(claim.limit, before + claim.amount, count.reset_s(now))
            for claim, count, before in zip(claims, counts, used, strict=True)
        ]
        return Reservation(claims, marks, standings)

    async def settle(self, reservation: Reservation, used: Mapping[Measure, int]) -> None:
        """See `LimitStore`."""
        for claim, mark in zip(reservation.claims, reservation.marks, strict=True):
            count = self._counts.get(claim.key)
            if isinstance(count, _Places):
                count.taken -= claim.amount
                if count.taken == 0:
                    del self._counts[claim.key]
                continue
            rest = claim.amount - used.get(claim.limit.measure, claim.amount)
            if rest > 0 and count is not None:
                count.give_back(int(mark), rest)
            elif rest < 0:
                self._count(claim).add(-rest, self._clock())

    @property
    def counts(self) -> int:
        """How many counts are kept."""
        return len(self._counts)

    def _count(self, claim: Claim) -> SlidingWindow | _Places:
        count = self._counts.get(claim.key)
        if count is None:
            is_of_places = claim.limit.measure is Measure.CONCURRENCY
            count = self._counts[claim.key] = _Places() if is_of_places else SlidingWindow(claim.limit.window_s or 1)
        return count

    def _sweep(self, now: float) -> None:
        """Look at a few counts each time, and forget those in which nothing counts any more: callers come and go."""
        if not self._unswept:
            if now < self._next_sweep:
                return
            self._unswept, self._next_sweep = list(self._counts), now + _SWEEP_EVERY_S
        for _ in range(min(_SWEPT_PER_TAKE, len(self._unswept))):
            key = self._unswept.pop()
            count = self._counts.get(key)
            if count is not None and count.used(now) == 0:
                del self._counts[key]


def _verdict(claim: Claim, count: SlidingWindow | _Places, now: float) -> Verdict:
    wait_s = count.wait_s(claim.limit.amount - claim.amount, now)
    return Verdict(claim, count.used(now), wait_s, count.reset_s(now))
