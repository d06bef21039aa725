"""Measures an engine, step by step. What was measured before is not measured again."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from openfm.calibration.engine_sender import EngineSender
from openfm.calibration.steps import Pace, Step, StepKind, knee_shape, make_steps
from openfm.core.errors import EngineFailed, InvalidParameterValue
from openfm.core.model import ModelProfile
from openfm.core.objective import Objective
from openfm.core.percentiles import percentile
from openfm.engines.base import Engine
from openfm.load.arrivals import poisson_arrivals
from openfm.load.lengths import FixedLength, UniformLength
from openfm.load.outcome import Outcome
from openfm.load.prompts import shared_prefix
from openfm.load.runner import OpenLoop, Planned, Shapes, endless, planned, run_closed_loop
from openfm.load.statistics import is_met
from openfm.load.window import worked_within
from openfm.scheduling.calibration import KneeSearch, SaturatedPoint, fit_cost, work_of
from openfm.scheduling.points import Point

_CLOSE_ENOUGH = 0.1
_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured: a loaded engine, its model, how many sequences it runs at once, and what is good enough."""

    engine: Engine
    model: ModelProfile
    slots: int
    objective: Objective


@dataclass(frozen=True, slots=True)
class Means:
    """Time, chance and patience. `tell` is awaited before each step: how far it is, what comes, the points so far."""

    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    seed: int
    pace: Pace
    tell: Callable[[float, str, Sequence[Point]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Ran:
    key: str
    outcomes: Sequence[Outcome]
    start_s: float
    end_s: float
    rate: float | None = None


@dataclass(slots=True)
class Session:
    """One calibration of one engine. `points` are those of an earlier, interrupted try."""

    subject: Subject
    means: Means
    points: list[Point] = field(default_factory=list)

    async def run(self) -> Sequence[Point]:
        """Every point.

        Raises `EngineFailed` where the engine does not answer all it is asked, and `InvalidParameterValue` with the
        numbers where the objective cannot be met at any rate.
        """
        model, pace = self.subject.model, self.means.pace
        steps = make_steps(model.task, self.subject.slots, model.context_length, pace)
        for number, step in enumerate(steps):
            await self.means.tell(number / (len(steps) + pace.probes), _sentence(step), self.points)
            await self._once(step.key, partial(self._measured, step))
            if step.kind is StepKind.SOLO:
                self._check_possible()
        if pace.probes:
            await self._find_knee(len(steps))
        return self.points

    async def _once(self, key: str, measure: Callable[[], Awaitable[Point]]) -> Point:
        known = next((point for point in self.points if point.key == key), None)
        if known is not None:
            return known
        point = await measure()
        self.points.append(point)
        return point

    async def _measured(self, step: Step) -> Point:
        if step.kind is StepKind.SOLO:
            return await self._alone(step)
        clock, pace = self.means.clock, self.means.pace
        shapes = self._shapes(step)
        await self._fill_caches(step, shapes.shared)
        began = clock()
        ended: list[float] = []
        done = 0
        has_failed = False

        async def send(request: Planned, due_s: float) -> Outcome:
            nonlocal has_failed
            outcome = await self._sender.send(request, due_s)
            has_failed = has_failed or not outcome.is_ok
            return outcome

        def is_over() -> bool:
            nonlocal done
            done += 1  # each caller asks before its first request, and after each that ended
            enough = done >= step.concurrency * (1 + pace.rounds)
            is_time = enough and clock() - began >= pace.warm_up_s + pace.measure_s
            if not ended and (is_time or has_failed):  # an engine that fails at once would be asked without end
                ended.append(clock())
            return bool(ended)

        outcomes = await run_closed_loop(
            endless(shapes, self._chance(step.key)), step.concurrency, send, clock, is_over
        )
        return self._point(step, _Ran(step.key, outcomes, began + pace.warm_up_s, ended[0]))

    async def _fill_caches(self, step: Step, shared: str) -> None:
        """As many at once as will be: each has a cache of its own, which must hold what its requests share before."""
        if shared:
            request = Planned(0.0, shared, 1)
            sent = (self._sender.send(request, self.means.clock()) for _ in range(step.concurrency))
            _check_answered(step, await asyncio.gather(*sent))

    async def _alone(self, step: Step) -> Point:
        """One request after another: what the objective costs where nobody else is."""
        began = self.means.clock()
        requests = endless(self._shapes(step), self._chance(step.key))
        await self._sender.send(next(requests), began)  # the first pays for what the engine puts off until it is asked
        began = self.means.clock()
        outcomes = [
            await self._sender.send(next(requests), self.means.clock()) for _ in range(self.means.pace.solo_requests)
        ]
        return self._point(step, _Ran(step.key, outcomes, began, self.means.clock()))

    async def _find_knee(self, steps: int) -> None:
        fit = fit_cost(saturated(self.points))
        prompt, output = knee_shape(self.subject.model.task, self.subject.model.context_length)
        search = KneeSearch(fit.work_per_s / work_of(fit.weights, prompt, 0, output))
        probes = self.means.pace.probes
        for number in range(probes):
            if search.is_found(_CLOSE_ENOUGH):
                break
            rate = search.next_rate
            trying = f"Trying {rate:.2f} requests a second."
            await self.means.tell((steps + number) / (steps + probes), trying, self.points)
            point = await self._once(f"{StepKind.KNEE}:{number}", partial(self._probe, number, rate))
            search = search.noted(point.rate or rate, is_met=point.is_objective_met)
        if search.highest_met == 0:
            raise InvalidParameterValue(
                f"The objective ({self.subject.objective}) is not met at {search.lowest_missed:.3f} requests a second "
                "of one replica, nor at more. Loosen it, or use a faster machine or a smaller model.",
                param="objective",
            )

    async def _probe(self, number: int, rate: float) -> Point:
        key = f"{StepKind.KNEE}:{number}"
        chance = self._chance(key)
        prompt, output = knee_shape(self.subject.model.task, self.subject.model.context_length)
        shapes = Shapes(_around(prompt), _around(output))
        due = poisson_arrivals(rate, max(self.means.pace.probe_s, 12 / rate), chance)
        requests: Sequence[Planned] = planned(due, shapes, chance) or [Planned(0.0, "Hello", 1)]
        loop = OpenLoop(self._sender.send, self.means.clock, lambda _sent, _ended: None)
        began = self.means.clock()
        outcomes = await loop.run(requests, self.means.sleep, _PATIENCE_S)
        step = Step(StepKind.KNEE, 0, prompt, output)
        return self._point(step, _Ran(key, outcomes, began, self.means.clock(), rate))

    def _point(self, step: Step, ran: _Ran) -> Point:
        _check_answered(step, ran.outcomes)
        worked = worked_within(ran.outcomes, ran.start_s, ran.end_s)
        rank = self.subject.objective.percentile
        return Point(
            kind=step.kind,
            key=ran.key,
            concurrency=step.concurrency,
            seconds=worked.seconds,
            prompt=worked.prompt,
            cached=worked.cached,
            completion=worked.completion,
            requests=len(ran.outcomes),
            rate=ran.rate,
            ttft_ms=_ms([o.ttft_s for o in ran.outcomes], rank),
            tpot_ms=_ms([o.tpot_s for o in ran.outcomes], rank),
            e2e_ms=_ms([o.e2e_s for o in ran.outcomes], rank),
            is_objective_met=is_met(ran.outcomes, self.subject.objective),
        )

    def _check_possible(self) -> None:
        alone = self.points[0]
        if not alone.is_objective_met:
            shown = [
                f"{name} {value:.0f} ms"
                for name, value in (("TTFT", alone.ttft_ms), ("TPOT", alone.tpot_ms), ("E2E", alone.e2e_ms))
                if value is not None
            ]
            raise InvalidParameterValue(
                f"The objective ({self.subject.objective}) cannot be met at any rate: alone on this machine a request "
                f"has {', '.join(shown)}. Loosen it, or use a faster machine or a smaller model.",
                param="objective",
            )

    def _shapes(self, step: Step) -> Shapes:
        shared = shared_prefix(step.shared, self._chance(f"{step.key} shared"))
        return Shapes(FixedLength(step.prompt), FixedLength(max(1, step.output)), shared)

    def _chance(self, key: str) -> random.Random:
        return random.Random(f"{self.means.seed} {key}")  # noqa: S311  # repeatable, not secret

    @property
    def _sender(self) -> EngineSender:
        return EngineSender(self.subject.engine, self.subject.model.task, self.means.clock)


def _check_answered(step: Step, outcomes: Sequence[Outcome]) -> None:
    failed = next((outcome.error for outcome in outcomes if outcome.error not in (None, "unfinished")), None)
    if failed is not None:
        raise EngineFailed(f"The engine did not answer while it was measured ({step.key}): {failed}")


def saturated(points: Sequence[Point]) -> Sequence[SaturatedPoint]:
    """The points by which costs are fitted: those at which the engine had as much to do as it can."""
    return [
        SaturatedPoint(point.seconds, point.prompt, point.cached, point.completion)
        for point in points
        if point.kind == StepKind.MIX
    ]


def _around(tokens: int) -> UniformLength:
    """From half to one and a half times as long: requests that are all alike march in step."""
    tokens = max(1, tokens)
    return UniformLength(max(1, tokens // 2), max(1, tokens + tokens // 2))


def _ms(seconds: Sequence[float | None], rank: float) -> float | None:
    reached = percentile([value for value in seconds if value is not None], rank)
    return None if reached is None else reached * 1000


def _sentence(step: Step) -> str:
    shape = f"{step.prompt} prompt and {step.output} completion tokens"
    return f"Measuring {step.kind}: {step.concurrency} at once, {shape}."
