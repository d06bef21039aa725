"""The sliding window against the definition of a limit: in no window, wherever it begins, more than the amount."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from openfm.core.limits import TICKS, SlidingWindow

WINDOW_S = 60
AMOUNT = 1000

arrivals = st.lists(st.tuples(st.floats(0, 20, allow_nan=False), st.integers(1, 400), st.integers(0, 400)), max_size=80)


@dataclass
class Turnstile:
    """Admits what the window has room for, and remembers what it admitted when."""

    window: SlidingWindow = field(default_factory=lambda: SlidingWindow(WINDOW_S))
    admitted: list[tuple[float, int]] = field(default_factory=list)

    def ask(self, amount: int, back: int, now: float) -> bool:
        """Admit `amount` if there is room; `back` of it is given back at once."""
        if self.window.used(now) + amount > AMOUNT:
            return False
        tick = self.window.add(amount, now)
        self.window.give_back(tick, min(back, amount))
        self.admitted.append((now, amount - min(back, amount)))
        return True

    def most_in_any_window(self) -> int:
        """Windows that begin with an arrival suffice: no other holds more."""
        return max(
            (sum(n for at, n in self.admitted if begin <= at < begin + WINDOW_S) for begin, _ in self.admitted),
            default=0,
        )


@given(arrivals)
def test_no_window_holds_more_than_the_limit(steps: list[tuple[float, int, int]]) -> None:
    turnstile, now = Turnstile(), 0.0
    for pause, amount, back in steps:
        now += pause
        turnstile.ask(amount, back, now)
    assert turnstile.most_in_any_window() <= AMOUNT


@given(arrivals, st.integers(1, AMOUNT))
def test_after_the_wait_there_is_room_and_not_much_earlier(steps: list[tuple[float, int, int]], amount: int) -> None:
    turnstile, now = Turnstile(), 0.0
    for pause, wanted, back in steps:
        now += pause
        turnstile.ask(wanted, back, now)
    wait_s = turnstile.window.wait_s(AMOUNT - amount, now)
    assert turnstile.ask(amount, 0, now + wait_s + 1e-6)
    if wait_s:
        assert wait_s <= WINDOW_S * (1 + 1 / TICKS) + 1e-6


@given(arrivals)
def test_what_counts_is_never_negative_and_ends(steps: list[tuple[float, int, int]]) -> None:
    window, now = SlidingWindow(WINDOW_S), 0.0
    for pause, amount, back in steps:
        now += pause
        tick = window.add(amount, now)
        window.give_back(tick, min(amount, back))
        assert window.used(now) >= 0
    assert window.used(now + window.reset_s(now) + 1e-6) == 0


@settings(max_examples=25)
@given(st.lists(st.floats(-100, 100, allow_nan=False), max_size=40))
def test_a_clock_that_goes_back_admits_less_never_more(jumps: list[float]) -> None:
    """What was admitted counts longer; so nothing that this clock calls a window holds more than the limit."""
    window, now = SlidingWindow(WINDOW_S), 1000.0
    for jump in jumps:
        now += jump
        before = window.used(now)
        if before + 100 <= AMOUNT:
            window.add(100, now)
        assert window.used(now) <= AMOUNT


def test_saturated_the_window_uses_nearly_all_of_the_limit() -> None:
    turnstile = Turnstile()
    for hundredth in range(100 * 60 * 6):
        turnstile.ask(3, 0, hundredth / 100)
    steady = [n for at, n in turnstile.admitted if at >= 60]
    assert sum(steady) / (AMOUNT * 5) > 0.97
