"""Counts of one process. Nothing here waits, so no two requests are between looking and taking."""

from collections.abc import Callable, Mapping, Sequence

from openfm.core.limits import Claim, Measure, SlidingWindow, Standing
from openfm.limits.store import Reservation, Taken, Verdict, refusal

_PLACE_WAIT_S = 1.0
_SWEEP_EVERY = 4096


class InProcessLimits:
    """Fulfils `LimitStore`. `clock` gives seconds and should be monotonic."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._windows: dict[str, SlidingWindow] = {}
        self._running: dict[str, int] = {}
        self._until_sweep = _SWEEP_EVERY

    async def reserve(self, claims: Sequence[Claim]) -> Reservation:
        """See `LimitStore`."""
        now = self._clock()
        verdicts = [self._verdict(claim, now) for claim in claims]
        if not all(verdict.is_admitted for verdict in verdicts):
            raise refusal(verdicts)
        taken = tuple(Taken(claim, self._take(claim, now)) for claim in claims)
        self._sweep_sometimes(now)
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
            return Verdict(claim, self._running.get(claim.key, 0), _PLACE_WAIT_S, 0.0)
        window = self._windows.get(claim.key)
        if window is None:
            return Verdict(claim, 0, 0.0, 0.0)
        used = window.used(now)
        is_fitting = used + claim.amount <= limit.amount
        wait_s = 0.0 if is_fitting else window.wait_s(limit.amount - claim.amount, now)
        return Verdict(claim, used, wait_s, 0.0 if is_fitting else window.reset_s(now))

    def _standing(self, verdict: Verdict, now: float) -> Standing:
        window = self._windows.get(verdict.claim.key)
        reset_s = 0.0 if window is None else window.reset_s(now)
        return Standing(verdict.claim.limit, verdict.used + verdict.claim.amount, reset_s)

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

    def _sweep_sometimes(self, now: float) -> None:
        """Forget windows in which nothing counts any more: callers come and go."""
        self._until_sweep -= 1
        if self._until_sweep:
            return
        self._until_sweep = _SWEEP_EVERY
        for key in [key for key, window in self._windows.items() if window.used(now) == 0]:
            del self._windows[key]
