"""From measurements to cost weights, and the search for the knee."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfm.scheduling.calibration import CannotFit, KneeSearch, SaturatedPoint, fit_cost, work_of
from openfm.scheduling.work import CostWeights

COSTS = st.floats(1e-5, 0.1)
COMPARABLE = st.floats(0.01, 0.1)
SHAPES = [(256, 0, 16), (128, 0, 64), (32, 0, 128), (16, 256, 32), (64, 128, 64), (512, 0, 32)]


def measured(costs: tuple[float, float, float], noise: list[float] | None = None) -> list[SaturatedPoint]:
    p, k, c = costs
    factors = noise or [1.0] * len(SHAPES)
    return [
        SaturatedPoint((p * u + k * h + c * o) * factor, u, h, o)
        for (u, h, o), factor in zip(SHAPES, factors, strict=True)
    ]


@given(costs=st.tuples(COSTS, COSTS, COSTS))
def test_what_is_linear_is_found_exactly(costs: tuple[float, float, float]) -> None:
    fit = fit_cost(measured(costs))
    p, k, c = costs
    # A kind whose part of every run is below what 64-bit sums can tell apart is free to be off.
    points = measured(costs)
    assert fit.typical_error is not None
    assert fit.typical_error < 1e-3
    predicted = [work_of(fit.weights, q.prompt + q.cached, q.cached, q.completion) / fit.work_per_s for q in points]
    assert predicted == pytest.approx([q.seconds for q in points], rel=1e-3)
    if 0.01 < p / c < 100 and 0.01 < k / c < 100:
        assert fit.weights.prompt == pytest.approx(p / c, rel=1e-3)
        assert fit.weights.cached_prompt == pytest.approx(k / c, rel=1e-3)
        assert fit.work_per_s == pytest.approx(1 / c, rel=1e-3)


@given(costs=st.tuples(COMPARABLE, COMPARABLE, COMPARABLE), noise=st.lists(st.floats(0.9, 1.1), min_size=6, max_size=6))
def test_noise_never_makes_a_cost_negative_and_is_told_as_the_error(
    costs: tuple[float, float, float], noise: list[float]
) -> None:
    try:
        fit = fit_cost(measured(costs, noise))
    except CannotFit:
        return
    assert fit.weights.prompt >= 0
    assert fit.weights.cached_prompt >= 0
    assert fit.weights.completion == 1.0
    assert fit.work_per_s > 0
    assert fit.typical_error is not None
    assert fit.typical_error < 0.5


@given(costs=st.tuples(COSTS, COSTS, COSTS), times=st.floats(0.5, 20))
def test_measuring_longer_changes_nothing(costs: tuple[float, float, float], times: float) -> None:
    longer = [
        SaturatedPoint(p.seconds * times, p.prompt * times, p.cached * times, p.completion * times)
        for p in measured(costs)
    ]
    assert fit_cost(longer).work_per_s == pytest.approx(fit_cost(measured(costs)).work_per_s, rel=1e-6)


def test_cached_tokens_may_cost_nothing() -> None:
    fit = fit_cost(measured((0.01, 0.0, 0.02)))
    assert fit.weights.prompt == pytest.approx(0.5)
    assert fit.weights.cached_prompt == pytest.approx(0.0, abs=1e-9)


def test_embeddings_are_measured_by_their_prompts() -> None:
    fit = fit_cost([SaturatedPoint(1.0, 1000, 0, 0), SaturatedPoint(2.0, 2000, 0, 0)])
    assert fit.weights == CostWeights(1.0, 0.0, 1.0)
    assert fit.work_per_s == pytest.approx(1000)


@pytest.mark.parametrize("points", [[], [SaturatedPoint(0.0, 1, 1, 1)], [SaturatedPoint(1.0, 0, 0, 0)]])
def test_what_says_nothing_is_refused(points: list[SaturatedPoint]) -> None:
    with pytest.raises(CannotFit):
        fit_cost(points)


def test_runs_of_one_shape_only_predict_that_shape() -> None:
    assert fit_cost([SaturatedPoint(1.0, 100, 0, 10)] * 3).typical_error == pytest.approx(0, abs=1e-6)


def test_no_more_points_than_costs_tell_no_error() -> None:
    points = measured((0.01, 0.001, 0.02))
    assert fit_cost([points[0], points[2], points[3]]).typical_error is None


def test_points_that_are_met_in_any_case_do_not_make_the_error_smaller() -> None:
    slow = [1.0, 1.0, 1.0, 1.0, 1.3, 1.3]
    error = fit_cost(measured((0.01, 0.001, 0.02), slow)).typical_error
    assert error is not None
    assert error > 0.1


def test_a_cost_that_noise_hides_is_what_could_be_hidden_and_no_more_than_that_of_an_uncached_token() -> None:
    # The runs with cached tokens were a little fast: by the rest of them those would cost less than nothing.
    fit = fit_cost(measured((0.01, 0.0, 0.02), [1.02, 1.0, 0.98, 0.95, 0.95, 1.0]))
    assert fit.typical_error is not None
    assert 0 < fit.weights.cached_prompt < 0.2 * fit.weights.prompt


@given(saturated=st.floats(0.01, 1000), share=st.floats(0.0, 1.0))
def test_halving_closes_in_on_the_knee_from_below(saturated: float, share: float) -> None:
    knee, search = saturated * share, KneeSearch(saturated)
    for _ in range(12):
        rate = search.next_rate
        assert 0 < rate <= saturated
        search = search.noted(rate, is_met=rate <= knee)
    assert search.highest_met <= knee + 1e-9
    assert knee - search.highest_met <= 0.01 * saturated
    assert search.is_found(0.01)


def test_work_counts_the_cached_part_of_a_prompt_by_its_own_weight() -> None:
    assert work_of(CostWeights(0.5, 0.1, 1.0), prompt=100, cached=60, completion=10) == pytest.approx(36.0)
