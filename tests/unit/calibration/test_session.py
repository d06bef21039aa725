"""A calibration, against an engine whose costs are known."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from openfm.calibration.session import Means, Session, Subject, saturated
from openfm.calibration.steps import FULL, QUICK, Pace, StepKind, make_steps
from openfm.core.errors import EngineFailed, InvalidParameterValue
from openfm.core.model import Task
from openfm.core.objective import Objective, default_objective
from openfm.scheduling.calibration import fit_cost, work_of
from openfm.scheduling.points import Point
from tests.unit.calibration.virtual import LinearEngine, run
from tests.unit.control.endpoints.fakes import profile


@dataclass
class Told:
    lines: list[tuple[float, str]] = field(default_factory=list)
    points: Sequence[Point] = ()

    async def tell(self, fraction: float, sentence: str, points: Sequence[Point]) -> None:
        self.lines.append((fraction, sentence))
        self.points = tuple(points)


def session(
    engine: LinearEngine, told: Told, pace: Pace = FULL, objective: Objective | None = None, task: Task = Task.CHAT
) -> Session:
    model = replace(profile("m"), task=task, context_length=2048)
    subject = Subject(engine, model, 4, objective or default_objective(task))
    means = Means(asyncio.get_running_loop().time, asyncio.sleep, 3, pace, told.tell)
    return Session(subject, means, list(told.points))


def calibrated(engine: LinearEngine, pace: Pace = FULL, objective: Objective | None = None) -> Sequence[Point]:
    return run(lambda: session(engine, Told(), pace, objective).run())


def test_it_finds_what_tokens_cost() -> None:
    fit = fit_cost(saturated(calibrated(LinearEngine())))
    assert fit.weights.prompt == pytest.approx(0.4, rel=0.1)
    assert fit.weights.cached_prompt == pytest.approx(0.04, abs=0.06)
    assert fit.work_per_s == pytest.approx(100, rel=0.1)
    assert fit.typical_error is not None
    assert fit.typical_error < 0.1


def test_the_knee_is_below_what_a_saturated_engine_does_and_meets_the_objective() -> None:
    points = calibrated(LinearEngine())
    fit = fit_cost(saturated(points))
    highest = fit.work_per_s / work_of(fit.weights, 128, 0, 64)
    probes = [point for point in points if point.kind == StepKind.KNEE]
    met = [point.rate or 0 for point in probes if point.is_objective_met]
    missed = [point.rate or 0 for point in probes if not point.is_objective_met]
    assert 0 < max(met) < highest
    assert not missed or max(met) < min(missed)


def test_a_stricter_objective_has_a_lower_knee() -> None:
    def knee(objective: Objective) -> float:
        points = calibrated(LinearEngine(), objective=objective)
        return max(point.rate or 0 for point in points if point.kind == StepKind.KNEE and point.is_objective_met)

    assert knee(Objective(ttft_ms=900, tpot_ms=25)) < knee(Objective(ttft_ms=9000, tpot_ms=500))


def test_an_objective_that_a_request_alone_misses_is_refused_with_the_numbers() -> None:
    with pytest.raises(InvalidParameterValue, match=r"cannot be met at any rate: alone .* TPOT 10 ms"):
        calibrated(LinearEngine(), objective=Objective(tpot_ms=5))


def test_an_engine_that_fails_ends_it_with_the_reason() -> None:
    with pytest.raises(EngineFailed, match="It fell over"):
        calibrated(LinearEngine(fails_after=3000))


@pytest.mark.parametrize("after", [0, 1000, 3000])
def test_an_engine_that_is_stuck_ends_it_with_the_reason(after: int) -> None:
    with pytest.raises(EngineFailed, match="no whole answer came in 600 s"):
        calibrated(LinearEngine(sticks_after=after))


def test_an_interrupted_one_goes_on_from_what_was_measured() -> None:
    first, second, told = LinearEngine(fails_after=3000), LinearEngine(), Told()
    with pytest.raises(EngineFailed):
        run(lambda: session(first, told).run())
    known = told.points
    assert len(known) > 3
    again = run(lambda: session(second, Told(points=known)).run())
    assert list(again[: len(known)]) == list(known)
    whole = LinearEngine()
    calibrated(whole)
    assert second.answered < whole.answered


def test_progress_only_goes_up_and_says_what_is_being_measured() -> None:
    told = Told()
    run(lambda: session(LinearEngine(), told).run())
    fractions = [fraction for fraction, _ in told.lines]
    assert fractions == sorted(fractions)
    assert fractions[-1] < 1
    assert "requests a second" in told.lines[-1][1]


def test_a_quick_one_asks_little_and_looks_for_no_knee() -> None:
    quick = calibrated(LinearEngine(), QUICK)
    assert {point.kind for point in quick} == {"solo", "prefill", "decode", "mix"}
    assert sum(point.seconds for point in quick) < 60


def test_a_quick_one_has_more_points_than_costs_and_sees_what_cached_tokens_cost() -> None:
    fit = fit_cost(saturated(calibrated(LinearEngine(), QUICK)))
    assert fit.typical_error is not None
    assert fit.work_per_s == pytest.approx(100, rel=0.1)
    assert fit.weights.prompt == pytest.approx(0.4, rel=0.1)
    assert fit.weights.cached_prompt == pytest.approx(0.04, rel=0.5)


def test_what_requests_share_is_in_the_caches_before_it_is_measured() -> None:
    shared = [point for point in calibrated(LinearEngine(), QUICK) if "/128." in point.key or "/176." in point.key]
    assert len(shared) == 2
    assert all(point.cached > 2 * point.prompt for point in shared)


def test_embeddings_are_measured_by_their_prompts() -> None:
    points = run(lambda: session(LinearEngine(), Told(), task=Task.EMBEDDINGS).run())
    fit = fit_cost(saturated(points))
    assert fit.work_per_s == pytest.approx(250, rel=0.1)
    assert fit.weights.prompt == 1.0


@pytest.mark.parametrize("slots", [1, 3, 8])
def test_every_step_has_a_key_of_its_own_and_fits_the_context(slots: int) -> None:
    for task in (Task.CHAT, Task.EMBEDDINGS):
        steps = make_steps(task, slots, 64, FULL)
        assert len({step.key for step in steps}) == len(steps)
        assert all(step.prompt + step.output <= 64 for step in steps)
        assert max(step.concurrency for step in steps) == slots
