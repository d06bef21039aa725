"""The bucket's promises, over whatever order of requests, corrections and returns."""

import heapq

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfm.scheduling.leaky_bucket import BucketPolicy, LeakyBucket, Wait

POLICY = BucketPolicy(burst_s=5, grace_s=1.5, horizon_s=120)


def test_below_the_rate_nobody_is_refused() -> None:
    bucket = LeakyBucket(100.0, POLICY)
    assert [bucket.take(100, "a", float(second)) for second in range(100)] == [None] * 100


def test_what_is_above_the_burst_is_told_when_it_fits_and_then_does() -> None:
    bucket = LeakyBucket(100.0, POLICY)
    assert [bucket.take(100, f"{number}", 0.0) for number in range(5)] == [None] * 5
    wait = bucket.take(100, "late", 0.0)
    assert wait == Wait(0.0, is_booked=True)
    second = bucket.take(100, "later", 0.0)
    assert second == Wait(1.0, is_booked=True)
    assert bucket.take(100, "later", 1.0) is None


def test_who_comes_between_gets_no_booked_room() -> None:
    bucket = LeakyBucket(100.0, POLICY)
    assert bucket.take(600, "big", 0.0) is None
    wait = bucket.take(100, "booked", 0.0)
    assert wait == Wait(1.0, is_booked=True)
    assert isinstance(bucket.take(100, "pushing", 1.5), Wait)
    assert bucket.take(100, "booked", 1.5) is None


def test_booked_room_that_nobody_calls_for_goes_to_the_next() -> None:
    bucket = LeakyBucket(100.0, POLICY)
    bucket.take(600, "big", 0.0)
    bucket.take(100, "gone", 0.0)
    bucket.take(100, "waits", 0.0)
    assert isinstance(bucket.take(100, "next", 1.9), Wait)
    assert bucket.take(100, "next", 2.6) is None


def test_a_request_larger_than_the_bucket_is_admitted_when_there_is_room_for_any() -> None:
    bucket = LeakyBucket(10.0, POLICY)
    assert bucket.take(1000, "big", 0.0) is None
    assert bucket.utilisation(0.0) == pytest.approx(20)
    wait = bucket.take(1, "small", 0.0)
    assert wait == Wait(95.0, is_booked=True)


def test_an_estimate_that_was_too_high_makes_room() -> None:
    bucket = LeakyBucket(100.0, POLICY)
    bucket.take(1000, "big", 0.0)
    assert isinstance(bucket.take(10, "a", 0.0), Wait)
    bucket.correct(-900, 0.0)
    assert bucket.take(10, "b", 0.0) is None
    assert bucket.utilisation(0.0) == pytest.approx(0.22)


def test_beyond_the_horizon_nothing_is_booked_and_the_wait_is_said_all_the_same() -> None:
    bucket = LeakyBucket(10.0, POLICY)
    bucket.take(2000, "big", 0.0)
    assert bucket.take(10, "a", 0.0) == Wait(195.0, is_booked=False)


def test_a_changed_rate_leaks_from_now_on() -> None:
    bucket = LeakyBucket(10.0, POLICY)
    bucket.take(100, "a", 0.0)
    bucket.change_rate(50.0, 1.0)
    assert bucket.utilisation(1.0) == pytest.approx(90 / 250)
    assert bucket.utilisation(2.0) == pytest.approx(40 / 250)


def test_a_clock_that_goes_back_leaks_nothing_twice() -> None:
    bucket = LeakyBucket(10.0, POLICY)
    bucket.take(40, "a", 10.0)
    assert bucket.utilisation(9.0) == bucket.utilisation(10.0)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("inf"), float("nan")])
def test_a_rate_must_be_one(rate: float) -> None:
    with pytest.raises(ValueError, match="rate"):
        LeakyBucket(rate)


def test_a_grace_as_long_as_the_burst_is_refused() -> None:
    with pytest.raises(ValueError, match="grace_s"):
        BucketPolicy(burst_s=1, grace_s=1)


arrivals = st.lists(
    st.tuples(
        st.floats(0, 2),  # seconds since the one before
        st.floats(1, 200),  # its estimate
        st.floats(0, 1),  # the share of it that is true
        st.booleans(),  # whether it comes back when refused
    ),
    min_size=1,
    max_size=150,
)


def played(events: list[tuple[float, float, float, bool]]) -> tuple[list[tuple[float, float]], int, int, float]:
    """(when, corrected work) of the admitted; how many came back as told, how many of them in vain; the highest level.

    Everybody is corrected half a second after being admitted.
    """
    bucket, admitted, highest = LeakyBucket(50.0, POLICY), [], 0.0
    returned, in_vain, now = 0, 0, 0.0
    agenda: list[tuple[float, int, str, float, float, bool, bool]] = []
    for number, (gap, work, share, comes_back) in enumerate(events):
        now += gap
        heapq.heappush(agenda, (now, number, "ask", work, share, comes_back, False))
    while agenda:
        at, number, kind, work, share, comes_back, is_return = heapq.heappop(agenda)
        if kind == "correct":
            bucket.correct(-work * (1 - share), at)
            continue
        wait = bucket.take(work, f"{number}", at)
        highest = max(highest, bucket.utilisation(at) * bucket.capacity)
        returned += is_return
        if wait is None:
            admitted.append((at, work * share))
            heapq.heappush(agenda, (at + 0.5, number, "correct", work, share, comes_back, is_return))
        elif is_return:
            in_vain += 1
        elif comes_back and wait.is_booked:
            heapq.heappush(agenda, (at + wait.retry_after_s, number, "ask", work, share, comes_back, True))
    return admitted, returned, in_vain, highest


@given(arrivals)
def test_who_comes_back_as_told_is_admitted(events: list[tuple[float, float, float, bool]]) -> None:
    assert played(events)[2] == 0


@given(arrivals)
def test_no_interval_admits_more_than_the_rate_and_the_bucket(events: list[tuple[float, float, float, bool]]) -> None:
    admitted, _, _, highest = played(events)
    largest = max(work for _, work, _, _ in events)
    bound = 50 * (POLICY.burst_s + POLICY.grace_s) + 3 * largest
    assert highest <= bound + 1e-6
    for first in range(len(admitted)):
        total = 0.0
        for at, work in admitted[first:]:
            total += work
            assert total <= bound + largest + 50 * (at - admitted[first][0]) + 1e-6


@pytest.mark.parametrize("share_that_returns", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("truth", [1.0, 0.3])
def test_of_three_times_the_rate_the_rate_is_admitted_whoever_comes_back(
    share_that_returns: float, truth: float
) -> None:
    """For 100 s, though estimates may be three times too high."""
    gap_s, end_s = 10.0 * truth / 150, 100.0
    events = [(gap_s, 10.0, truth, number % 10 < 10 * share_that_returns) for number in range(int(end_s / gap_s))]
    admitted, returned, in_vain, _ = played(events)
    steady = sum(work for at, work in admitted if 20 <= at <= end_s)
    assert steady / (end_s - 20) == pytest.approx(50, rel=0.03)
    assert in_vain == 0
    assert returned > 0 or share_that_returns == 0
