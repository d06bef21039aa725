from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.scaling import fleet, play, rows, scenario
from benchmarks.simulation.backlog import Backlog
from benchmarks.simulation.oracle import oracle_cost, regret
from benchmarks.simulation.traces import TRACES
from benchmarks.simulation.world import IDLE_S, REPLICA, Scenario, World
from openfm.scheduling.autoscaling import Bounds, ScalingPolicy


@pytest.mark.parametrize("name", TRACES)
def test_a_trace_is_its_seed_and_never_more_than_all(name: str) -> None:
    trace = TRACES[name](1440, Random(7))
    assert trace == TRACES[name](1440, Random(7)) != TRACES[name](1440, Random(8))
    assert len(trace) == 1440
    assert all(0 <= load <= 1.2 for load in trace)


@given(st.lists(st.tuples(st.floats(0, 60), st.floats(0, 500), st.floats(0, 500)), max_size=50))
def test_work_is_done_refused_or_waits_and_nothing_is_lost(spans: list[tuple[float, float, float]]) -> None:
    backlog = Backlog(objective_s=3, burst_s=5)
    elapsed = 0.0
    for seconds, load, capacity in spans:
        backlog.pass_time(seconds, load, capacity, cold_limit=100.0)
        elapsed += seconds
        assert min(backlog.waiting, backlog.refused, backlog.done + 1e-6) >= 0
        assert backlog.breach_s <= elapsed + 1e-6


def test_a_breach_begins_when_the_wait_passes_the_objective() -> None:
    backlog = Backlog(objective_s=3, burst_s=5)
    backlog.pass_time(4.0, load=200, capacity=100, cold_limit=0)
    assert (backlog.waiting, backlog.breach_s, backlog.refused) == (400, 1, 0)
    backlog.pass_time(2.0, load=0, capacity=100, cold_limit=0)
    assert (backlog.waiting, backlog.breach_s) == (200, 2)


def test_a_load_that_never_changes_costs_what_the_oracle_pays() -> None:
    steady = Scenario((0.5,) * 100, 60.0, Bounds(4, 8), load_s=10)
    outcome = play(steady, ScalingPolicy(up_at=1.0, target=1.0, down_at=1.0))
    assert oracle_cost(steady) == 4 * 6000
    assert regret(outcome, steady) == pytest.approx(0)
    assert outcome.utilisation == pytest.approx(1.0)


def test_who_finds_no_room_waits_until_another_leaves() -> None:
    busy = Scenario((1.0,) * 60, 60.0, Bounds(1, 2), load_s=10)
    leaving = Scenario((0.9,) * 10 + (0.0,) * 50, 60.0, Bounds(0, 1), load_s=10)
    room = type(REPLICA)(cores=2 * REPLICA.cores, memory_bytes=2 * REPLICA.memory_bytes)
    short, left = World([room], [busy, leaving]).run()
    assert 590 + IDLE_S <= short.short_s <= 610 + IDLE_S  # until the other sleeps, so long after its last work
    assert (left.changes, left.replica_s) == (1, 600 + IDLE_S)
    assert short.replica_s == pytest.approx(3600 + 3600 - 10 - short.short_s)


def test_what_may_sleep_sleeps_as_the_server_lets_it_and_is_woken_by_the_next_load() -> None:
    room = type(REPLICA)(cores=REPLICA.cores, memory_bytes=REPLICA.memory_bytes)
    resting = Scenario((0.5,) * 2 + (0.0,) * 60 + (0.5,) * 2 + (0.0,) * 10, 60.0, Bounds(0, 1), load_s=10)
    (outcome,) = World([room], [resting]).run()
    assert outcome.changes == 2
    assert outcome.replica_s == 120 + IDLE_S + 120 + 600
    never = Scenario(resting.trace, 60.0, Bounds(1, 1), load_s=10)
    assert World([room], [never]).run()[0].changes == 0


def test_the_same_seed_gives_the_same_day() -> None:
    first, second = fleet(30, 3, seed=1), fleet(30, 3, seed=1)
    assert {**first, "wall_s": 0} == {**second, "wall_s": 0}
    assert first["utilisation"] > 0.2


def test_always_the_most_never_breaches_and_costs_most() -> None:
    by_policy = {row.policy: row for row in rows(1, 10.0) if row.trace == "diurnal"}
    assert by_policy["always most"].breach_share == 0
    assert by_policy["openfm"].regret < by_policy["always most"].regret
    assert by_policy["openfm"].changes < by_policy["no hysteresis"].changes


def test_a_scenario_is_a_day() -> None:
    day = scenario("step", 0, 10.0)
    assert len(day.trace) * day.step_s == 86_400
