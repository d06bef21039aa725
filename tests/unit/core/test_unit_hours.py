"""Hours of model units: intervals follow READY, and steps of the clock bill nothing."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from openfm.core.price import Price, PriceUnit, Target, TargetKind
from openfm.core.unit_hours import LONGEST_S, Provisioned, ReadyClock, ReadyInterval, unit_cost

ENTITY = Provisioned("d", 4, "e" * 32, "pt", "ana", "main.models.m")
READY = {"d": ENTITY}
START_S = 1_800_000_000


def test_an_entity_is_billed_from_ready_to_not_ready() -> None:
    clock = ReadyClock()
    assert clock.look(READY, START_S, 0) == []
    assert clock.look(READY, START_S + 30, 30) == []
    assert clock.look({}, START_S + 41, 41) == [ReadyInterval(ENTITY, START_S, START_S + 41)]
    assert clock.look({}, START_S + 50, 50) == []


def test_long_intervals_are_written_as_they_go_and_leave_no_gap() -> None:
    clock = ReadyClock()
    found = [one for tick in range(1000) for one in clock.look(READY, START_S + tick * 0.7, tick * 0.7)]
    found += clock.look({}, START_S + 700, 700)
    assert found[0].from_s == START_S
    assert all(one.to_s == after.from_s for one, after in itertools.pairwise(found))
    assert sum(one.to_s - one.from_s for one in found) == 700


def test_other_units_begin_another_interval() -> None:
    clock = ReadyClock()
    clock.look(READY, START_S, 0)
    more = Provisioned("d", 8, "e" * 32, "pt", "ana", "main.models.m")
    assert clock.look({"d": more}, START_S + 10, 10) == [ReadyInterval(ENTITY, START_S, START_S + 10)]
    assert clock.look({}, START_S + 15, 15) == [ReadyInterval(more, START_S + 10, START_S + 15)]


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 90), st.integers(-100_000, 100_000)), max_size=60))
def test_no_more_is_billed_than_time_went_by_however_the_clock_jumps(
    ticks: list[tuple[bool, float, int]],
) -> None:
    clock, wall_s, steady_s, ready_s, billed_s = ReadyClock(), float(START_S), 0.0, 0.0, 0
    was_ready = False
    for is_ready, passed_s, jump_s in ticks:
        steady_s += passed_s
        wall_s += passed_s + (max(0, jump_s))
        ready_s += passed_s if was_ready else 0
        found = clock.look(READY if is_ready else {}, wall_s, steady_s)
        billed_s += sum(one.to_s - one.from_s for one in found)
        assert all(one.to_s > one.from_s for one in found)
        was_ready = is_ready
    assert billed_s <= ready_s + 1e-6
    last = sum(one.to_s - one.from_s for one in clock.look({}, wall_s, steady_s))
    assert ready_s - len(ticks) - 1 <= billed_s + last <= ready_s + 1e-6
    assert last < LONGEST_S + 90


@given(st.integers(0, 2 * 10**9), st.sets(st.integers(1, 3599)), st.integers(1, 64), st.integers(0, 10**11))
def test_a_whole_hour_costs_its_price_however_it_is_cut(start_s: int, cuts: set[int], units: int, amount: int) -> None:
    price = Price(1, Target(TargetKind.ENDPOINT, "*"), "USD", {PriceUnit.MODEL_UNIT_HOUR: amount}, 0, 0, "")
    edges = [start_s + second for second in (0, *sorted(cuts), 3600)]
    costs = [unit_cost(units, one, after, price) for one, after in itertools.pairwise(edges)]
    assert sum(costs) == units * amount * 10**6
    assert all(cost >= 0 for cost in costs)
