"""In what throughput is sold, and how many replicas compute at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfm.core.throughput import chunk_of, cores_of_one, side_by_side


@pytest.mark.parametrize(("replica", "chunk"), [(0.4, 1), (7.9, 1), (83.0, 20), (987.0, 240), (12_345.0, 3000)])
def test_the_chunk_is_a_quarter_of_what_a_replica_keeps_rounded_down(replica: float, chunk: int) -> None:
    assert chunk_of(replica) == chunk


@given(st.floats(3, 1e9))
def test_twice_to_three_times_the_chunk_fit_one_replica(replica: float) -> None:
    assert 3 * chunk_of(replica) <= replica


@given(st.integers(1, 1000))
def test_replicas_side_by_side_leave_a_core_where_there_are_several_to_divide(cores: int) -> None:
    threads = cores_of_one(cores)
    count = side_by_side(cores, threads, gpus=0)
    assert count == 1 if cores < 4 else count * threads < cores
