"""When requests are due."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfm.core.errors import InvalidParameterValue
from openfm.load.arrivals import constant_arrivals, parse_trace, poisson_arrivals, trace_arrivals


def test_constant_arrivals_are_evenly_apart_and_end_before_the_duration() -> None:
    assert constant_arrivals(2.0, 2.0) == [0.0, 0.5, 1.0, 1.5]


@given(rate=st.floats(0.1, 200), duration=st.floats(0.1, 50))
def test_constant_arrivals_are_as_many_as_the_rate_says(rate: float, duration: float) -> None:
    times = constant_arrivals(rate, duration)
    assert abs(len(times) - rate * duration) <= 1
    assert all(0 <= time < duration for time in times)


def test_poisson_arrivals_come_at_the_rate_with_gaps_as_irregular_as_chance() -> None:
    times = poisson_arrivals(20.0, 1000.0, random.Random(7))
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert mean == pytest.approx(0.05, rel=0.03)
    assert deviation / mean == pytest.approx(1.0, rel=0.05)  # of an exponential distribution


def test_the_same_seed_gives_the_same_times() -> None:
    assert poisson_arrivals(3, 20, random.Random(1)) == poisson_arrivals(3, 20, random.Random(1))
    assert poisson_arrivals(3, 20, random.Random(1)) != poisson_arrivals(3, 20, random.Random(2))


def test_a_trace_begins_at_nought_and_can_be_played_faster() -> None:
    assert trace_arrivals([105.0, 100.0, 140.0], duration_s=60, speed=2.0) == [0.0, 2.5, 20.0]
    assert trace_arrivals([0.0, 59.0, 61.0], duration_s=60) == [0.0, 59.0]


def test_a_trace_is_read_from_the_first_column_below_a_head() -> None:
    assert parse_trace("time,tokens\n# noted by hand\n1.5,20\n\n2,30\n") == [1.5, 2.0]


@pytest.mark.parametrize("text", ["1\nsoon\n", "1\nnan"])
def test_a_trace_with_something_else_in_it_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameterValue, match="trace"):
        trace_arrivals(parse_trace(text), 10)


@pytest.mark.parametrize(("rate", "duration"), [(0, 1), (-1, 1), (1, 0), (float("inf"), 1), (float("nan"), 1)])
def test_a_rate_or_duration_that_is_nothing_is_refused(rate: float, duration: float) -> None:
    with pytest.raises(InvalidParameterValue):
        poisson_arrivals(rate, duration, random.Random(0))
    with pytest.raises(InvalidParameterValue):
        constant_arrivals(rate, duration)
