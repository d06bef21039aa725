import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfm.scheduling.autoscaling import Bounds, Load, Scale, ScalingPolicy, next_look_s, scale

POLICY = ScalingPolicy()
PER = 100.0


def run(state: Scale, loads: list[float], bounds: Bounds, step_s: float = 10.0) -> list[Scale]:
    states = []
    for number, work in enumerate(loads):
        state = scale(state, Load(work, PER), bounds, POLICY, number * step_s)
        states.append(state)
    return states


def test_too_much_for_long_enough_starts_as_many_as_are_needed() -> None:
    states = run(Scale(1), [350, 350], Bounds(1, 8))
    assert [state.replicas for state in states] == [1, 5]
    assert states[1].reason == "utilisation was 350% of 1 replicas, above 85%"


def test_a_short_peak_starts_nothing() -> None:
    assert [state.replicas for state in run(Scale(1), [350, 10, 350, 10], Bounds(1, 8))] == [1, 1, 1, 1]


def test_fewer_are_enough_only_when_they_were_so_all_the_time() -> None:
    states = run(Scale(4), [50.0] * 31, Bounds(1, 8))
    assert [state.replicas for state in states[:30]] == [4] * 30
    assert (states[30].replicas, states[30].reason) == (1, "1 would have been below 70% for 300 s")
    with_peak = run(Scale(4), [50.0] * 15 + [200] + [50.0] * 15, Bounds(1, 8))
    assert [state.replicas for state in with_peak] == [4] * 31


def test_the_highest_load_of_the_calm_says_how_few_are_enough() -> None:
    states = run(Scale(4), [50.0] * 15 + [150] + [50.0] * 15, Bounds(1, 8))
    assert states[-1].replicas == 3


def test_what_may_sleep_has_one_replica_while_it_is_awake_however_little_is_asked() -> None:
    assert {state.replicas for state in run(Scale(0), [0.0] * 1000, Bounds(0, 2))} == {1}


def test_an_update_of_the_bounds_counts_at_once() -> None:
    assert scale(Scale(1), Load(0, PER), Bounds(2, 4), POLICY, 0).replicas == 2
    assert scale(Scale(6), Load(600, PER), Bounds(2, 4), POLICY, 0).replicas == 4


@pytest.mark.parametrize(("least", "most"), [(-1, 1), (2, 1), (0, 0)])
def test_bounds_must_hold_a_number(least: int, most: int) -> None:
    with pytest.raises(ValueError, match="least"):
        Bounds(least, most)


def test_thresholds_that_would_swing_are_refused() -> None:
    with pytest.raises(ValueError, match="down_at"):
        ScalingPolicy(up_at=0.5, target=0.7)
    with pytest.raises(ValueError, match="negative"):
        ScalingPolicy(up_after_s=-1)


@given(
    st.lists(st.floats(0, 2000), min_size=1, max_size=120),
    st.integers(0, 4),
    st.integers(0, 12),
    st.integers(0, 20),
)
def test_the_bounds_hold_always(loads: list[float], least: int, more: int, before: int) -> None:
    bounds = Bounds(least, max(1, least + more))
    assert all(bounds.fewest <= state.replicas <= bounds.most for state in run(Scale(before), loads, bounds, 60.0))


@given(st.floats(0.1, 5000), st.integers(1, 20))
def test_a_steady_load_changes_the_number_at_most_once_each_way(work: float, before: int) -> None:
    """Up, or down, and then it stays: neither up and down again, nor in steps."""
    counts = [state.replicas for state in run(Scale(before), [work] * 400, Bounds(0, 100))]
    assert sum(one != other for one, other in zip([before, *counts], counts, strict=False)) <= 1


@given(st.lists(st.floats(0, 2000), min_size=1, max_size=30), st.floats(60, 4000))
def test_nothing_changes_before_the_next_look(loads: list[float], gap_s: float) -> None:
    bounds = Bounds(0, 10)
    state = run(Scale(1), loads, bounds)[-1]
    now = (len(loads) - 1) * 10.0
    look_s = next_look_s(state, bounds, POLICY)
    load = Load(loads[-1], PER)
    if look_s is None or now + gap_s < look_s:
        assert scale(state, load, bounds, POLICY, now + gap_s).replicas == state.replicas
    else:
        assert look_s >= now
