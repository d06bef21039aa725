"""What a run's outcomes come to."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfm.core.errors import InvalidParameterValue
from openfm.core.objective import Objective
from openfm.core.percentiles import percentile
from openfm.load.outcome import Outcome
from openfm.load.statistics import summarise

STRICT = Objective(ttft_ms=200, tpot_ms=50)


def answer(due: float, ttft: float = 0.1, tokens: int = 11, tpot: float = 0.02, late: float = 0.0) -> Outcome:
    first = due + ttft
    return Outcome(due, due + late, first + tpot * (tokens - 1), first, prompt_tokens=8, completion_tokens=tokens)


def failure(due: float, kind: str) -> Outcome:
    return Outcome(due, due, due + 0.01, error=kind)


def test_time_per_token_leaves_the_first_token_out() -> None:
    one = answer(0.0, ttft=5.0, tokens=11, tpot=0.02)
    assert one.tpot_s == pytest.approx(0.02)
    assert answer(0.0, tokens=1).tpot_s is None


def test_latency_counts_from_when_the_request_was_due_not_from_when_it_was_sent() -> None:
    held_up = answer(1.0, ttft=3.0, late=2.9)
    assert held_up.ttft_s == pytest.approx(3.0)
    assert held_up.lateness_s == pytest.approx(2.9)


def test_throughput_counts_whole_answers_over_the_time_until_the_last_one_ended() -> None:
    outcomes = [answer(0.0, ttft=0.1, tokens=101, tpot=0.1), failure(1.0, "429"), failure(1.5, "429")]
    summary = summarise(outcomes, STRICT, offered_s=2.0)
    assert summary.seconds == pytest.approx(10.1)
    assert summary.completion_tokens_per_s == pytest.approx(10.0)
    assert summary.errors == {"429": 2}
    assert summary.offered_per_s == 1.5


def test_a_run_with_quick_answers_lasts_as_long_as_it_offered() -> None:
    assert summarise([answer(0.0)], STRICT, offered_s=10.0).seconds == 10.0


def test_goodput_counts_only_answers_that_kept_every_bound() -> None:
    outcomes = [answer(0.0), answer(1.0, ttft=0.3), answer(2.0, tpot=0.06), failure(3.0, "timeout"), answer(4.0)]
    summary = summarise(outcomes, STRICT, offered_s=5.0)
    assert summary.goodput_per_s == pytest.approx(0.4)
    assert summary.goodput_share == pytest.approx(0.4)


def test_an_objective_is_met_when_its_percentile_of_all_requests_keeps_each_bound() -> None:
    many = [answer(float(number)) for number in range(95)]
    slow = [answer(95.0 + number, ttft=0.5) for number in range(5)]
    assert summarise([*many, *slow], STRICT, 100).is_objective_met
    assert not summarise([*many, *slow, answer(101.0, ttft=0.5)], STRICT, 100).is_objective_met


def test_failed_requests_count_against_the_objective() -> None:
    many = [answer(float(number)) for number in range(90)]
    assert not summarise([*many, *(failure(95.0, "429") for _ in range(10))], STRICT, 100).is_objective_met
    assert not summarise([], STRICT, 100).is_objective_met


def test_answers_of_one_token_break_no_time_per_token() -> None:
    assert summarise([answer(0.0, tokens=1)], STRICT, 1).is_objective_met


@given(values=st.lists(st.floats(0, 1e6), min_size=1), rank=st.floats(1, 100))
def test_a_percentile_is_a_measured_value_that_enough_do_not_exceed(values: Sequence[float], rank: float) -> None:
    found = percentile(values, rank)
    assert found in values
    assert found is not None
    assert sum(value <= found for value in values) >= rank / 100 * len(values) - 1e-6


def test_nothing_has_no_percentile() -> None:
    assert percentile([], 95) is None


@pytest.mark.parametrize("bounds", [{"ttft_ms": 0}, {"tpot_ms": -1}, {"percentile": 100}, {"percentile": float("nan")}])
def test_bounds_that_nothing_keeps_are_refused(bounds: dict[str, float]) -> None:
    with pytest.raises(InvalidParameterValue):
        Objective(**bounds)


def test_an_objective_survives_json_and_reads_well() -> None:
    assert Objective.from_json(STRICT.to_json()) == STRICT
    assert str(STRICT) == "TTFT ≤ 200 ms, TPOT ≤ 50 ms at p95"
