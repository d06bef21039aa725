"""Counts of one process. Nothing here waits, so no two requests are between looking and taking."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from openfm.core.limits import Claim, Measure, SlidingWindow, Standing, SteadyTime
from openfm.limits.store import PLACE_WAIT_S, Reservation, Taken, Verdict, refusal

_SWEPT_PER_TAKE = 4


class InProcessLimits:
    """Fulfils `LimitStore`. `clock` gives seconds; where it steps back, no time passes."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = SteadyTime(clock)
        self._windows: dict[str, SlidingWindow] = {}
        self._running: dict[str, int] = {}
        self._unswept: list[str] = []

    async def reserve(self, claims: Sequence[Claim]) -> Reservation:
        """See `LimitStore`."""
        now = self._clock()
        self._sweep(now)
        verdicts = [self._verdict(claim, now) for claim in claims]
        if not all(verdict.is_admitted for verdict in verdicts):
            raise refusal([replace(verdict, reset_s=self._reset_s(verdict.claim, now)) for verdict in verdicts])
        taken = tuple(Taken(claim, self._take(claim, now)) for claim in claims)
        return Reservation(taken, tuple(self._standing(verdict, now) for verdict in verdicts))

    async def settle(self, reservation: Reservation, used: Mapping[Measure, int]) -> None:
        """See `LimitStore`."""
        for one in reservation.taken:
            claim = one.claim
            if claim.limit.measure is Measure.CONCURRENCY:
                self._leave(claim.key)
                continue
            rest = claim.amount - used.get(claim.limit.measure, claim.amount)
            window = self._windows.get(claim.key)
            if rest > 0 and window is not None:
                window.give_back(int(one.mark), rest)
            elif rest < 0:
                self._window(claim).add(-rest, self._clock())

    @property
    def counts(self) -> int:
        """How many counts are kept."""
        return len(self._windows) + len(self._running)

    def _verdict(self, claim: Claim, now: float) -> Verdict:
        limit = claim.limit
        if limit.measure is Measure.CONCURRENCY:
            return Verdict(claim, self._running.get(claim.key, 0), PLACE_WAIT_S, 0.0)
        window = self._windows.get(claim.key)
        if window is None:
            return Verdict(claim, 0, 0.0, 0.0)
        used = window.used(now)
        is_fitting = used + claim.amount <= limit.amount
        return Verdict(claim, used, 0.0 if is_fitting else window.wait_s(limit.amount - claim.amount, now), 0.0)

    def _standing(self, verdict: Verdict, now: float) -> Standing:
        claim = verdict.claim
        return Standing(claim.limit, verdict.used + claim.amount, self._reset_s(claim, now))

    def _reset_s(self, claim: Claim, now: float) -> float:
        window = self._windows.get(claim.key)
        return 0.0 if window is None else window.reset_s(now)

    def _take(self, claim: Claim, now: float) -> int:
        if claim.limit.measure is Measure.CONCURRENCY:
            self._running[claim.key] = self._running.get(claim.key, 0) + 1
            return 0
        return self._window(claim).add(claim.amount, now)

    def _window(self, claim: Claim) -> SlidingWindow:
        window = self._windows.get(claim.key)
        if window is None:
            window = self._windows[claim.key] = SlidingWindow(claim.limit.window_s or 1)
        return window

    def _leave(self, key: str) -> None:
        running = self._running[key] - 1
        if running:
            self._running[key] = running
        else:
            del self._running[key]

    def _sweep(self, now: float) -> None:
        """Look at a few windows each time, and forget those in which nothing counts any more: callers come and go."""
        if not self._unswept:
            self._unswept = list(self._windows)
        for _ in range(min(_SWEPT_PER_TAKE, len(self._unswept))):
            key = self._unswept.pop()
            window = self._windows.get(key)
            if window is not None and window.used(now) == 0:
                del self._windows[key]
