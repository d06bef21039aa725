"""How much throughput a load needs."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfm.scheduling.sizing import Load, Shape, demanded, size, size_replay
from tests.unit.scheduling.test_profile import FULL

CHUNK = FULL.chunk_size
SHAPE = Shape(prompt=128, completion=64)


def test_a_load_needs_whole_chunks_and_says_what_is_left_of_them() -> None:
    sizing = size(FULL, SHAPE, requests_per_minute=60)
    assert sizing.work_per_s == pytest.approx(0.4 * 128 + 64, rel=1e-3)
    assert (sizing.units - 1) * CHUNK < sizing.work_per_s <= sizing.units * CHUNK == sizing.throughput
    spare = sizing.throughput - sizing.work_per_s
    assert sizing.spare_requests_per_minute == pytest.approx(spare / sizing.work_per_s * 60)


def test_cached_tokens_make_a_load_cheaper() -> None:
    assert size(FULL, Shape(128, 64, cached=100), 60).work_per_s < size(FULL, SHAPE, 60).work_per_s


@given(rate=st.floats(0, 1e5), prompt=st.floats(0, 1e5), completion=st.floats(1, 1e5))
def test_what_is_provisioned_always_suffices_and_never_by_a_whole_unit(
    rate: float, prompt: float, completion: float
) -> None:
    sizing = size(FULL, Shape(prompt, completion), rate)
    assert sizing.throughput >= sizing.work_per_s * (1 - 1e-9)
    assert sizing.units == 1 or (sizing.units - 1) * CHUNK < sizing.work_per_s
    assert sizing.spare_requests_per_minute >= 0


def asked(minute: int, answered: int, refused: int = 0) -> Load:
    """A hundred of them take one chunk for the whole minute."""
    return Load(minute, answered, Shape(prompt=0, completion=answered * 0.6 * CHUNK / WEIGHT), refused)


WEIGHT = FULL.weights.completion


def units(*loads: Load) -> int:
    return size_replay(FULL, demanded(loads, FULL.weights)).sizing.units


def test_a_past_load_needs_what_its_busiest_minutes_do() -> None:
    assert units(asked(1, 50)) == 1
    assert units(asked(1, 50), asked(2, 250), asked(3, 50)) == 3
    assert units(*(asked(minute, 250) for minute in range(5))) == 3


def test_what_was_refused_counts_as_what_was_answered_does() -> None:
    assert units(asked(1, 90)) == 1
    assert units(asked(1, 90), asked(2, 90, refused=150)) == 3
    (_, busy) = demanded([asked(1, 90), asked(2, 0, refused=30)], FULL.weights)
    assert busy.requests == 30
    assert busy.work == pytest.approx(30 * 0.6 * CHUNK)


def test_a_short_peak_that_hardly_anybody_meets_needs_nothing_more() -> None:
    day = [asked(minute, 80) for minute in range(300)]
    found = size_replay(FULL, demanded([*day, asked(300, 150)], FULL.weights))
    assert found.sizing.units == 1
    assert 0 < found.refused <= 0.01
    assert found.busiest.minute == 300
    assert found.sizing.utilization > 1


def test_without_an_answer_nobody_knows_the_work() -> None:
    assert demanded([asked(1, 0, refused=9)], FULL.weights) == []


@given(st.lists(st.integers(1, 2000), min_size=1, max_size=20))
def test_a_replay_never_asks_for_more_than_the_busiest_minute_and_refuses_hardly_anybody(counts: list[int]) -> None:
    minutes = demanded([asked(minute, count) for minute, count in enumerate(counts)], FULL.weights)
    found = size_replay(FULL, minutes)
    assert found.refused <= 0.01
    assert found.sizing.units <= max(1, math.ceil(found.busiest.work / 60 / CHUNK - 1e-9))
