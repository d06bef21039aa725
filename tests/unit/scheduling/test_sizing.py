"""How much throughput a load needs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfm.scheduling.sizing import Arrival, Shape, busiest_minute, size
from openfm.scheduling.work import CostWeights
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


def test_the_busiest_minute_is_the_one_with_the_most_work_not_the_most_requests() -> None:
    weights = CostWeights(0.5, 0.0, 1.0)
    arrivals = [Arrival(1, Shape(10, 5)), Arrival(1, Shape(10, 5)), Arrival(2, Shape(200, 100))]
    found = busiest_minute(arrivals, weights)
    assert found is not None
    assert found == pytest.approx((2, 200 / 60, 200))
    assert busiest_minute([], weights) is None
