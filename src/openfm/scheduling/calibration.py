"""From measurements to cost weights, and the search for the goodput knee. Pure."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from openfm.scheduling.work import CostWeights

_COMPLETION = 2
_ROUNDS = 30
_EXACT = 1e-4
_Row = tuple[float, float, float]


class CannotFit(Exception):
    """The measurements say nothing about the cost of a token; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class SaturatedPoint:
    """An engine that was kept busy for `seconds`: uncached prompt, cached prompt and completion tokens it worked on."""

    seconds: float
    prompt: float
    cached: float
    completion: float


@dataclass(frozen=True, slots=True)
class Fit:
    """What a token costs. `work_per_s` is what the engine does when saturated, in completion tokens' worth a second.

    `typical_error` is the share by which the points' times are missed, the median: how far cost is from linear, and how
    restless the machine was. As many points as there are costs are met in any case and are left out; None where there
    are no others.
    """

    weights: CostWeights
    work_per_s: float
    typical_error: float | None


def fit_cost(points: Sequence[SaturatedPoint]) -> Fit:
    """The weights by which the points' times are predicted best: least absolute relative errors, none negative.

    time = p·prompt + k·cached + c·completion, in seconds a token; then a = p/c, b = k/c, and 1/c is the work a second.
    Relative, so that a long run does not outvote a short one. Absolute (by least squares that are reweighted:
    Schlossmacher, JASA 1973), for a run that something else on the machine slowed down is far off, and squares would
    follow it. Negative costs are ruled out by trying every set of kinds that cost something (active sets of Lawson and
    Hanson, "Solving Least Squares Problems", chapter 23: with three kinds there are seven). The cost of a kind that
    was measured and seems to cost nothing is hidden by noise: it is as much as could be hidden. Raises `CannotFit`.
    """
    usable = [point for point in points if point.seconds > 0]
    if not usable:
        raise CannotFit("nothing was measured")
    rows = [(p.prompt / p.seconds, p.cached / p.seconds, p.completion / p.seconds) for p in usable]
    kinds = [kind for kind in range(3) if any(row[kind] > 0 for row in rows)]
    subsets = (active for size in range(1, len(kinds) + 1) for active in itertools.combinations(kinds, size))
    # Where something was completed, that cost something: it is the measure of all else.
    sets = [active for active in subsets if _COMPLETION in active or _COMPLETION not in kinds]
    solved = [found for active in sets if (found := _least_absolute(rows, active)) is not None]
    if not solved:
        raise CannotFit("no token was counted")
    best = min(solved, key=lambda costs: sum(abs(error) for error in _errors(rows, costs)))
    typical = _typical_error(rows, best)
    return _fit(_with_hidden(rows, best, typical or 0.0), typical)


def _typical_error(rows: Sequence[_Row], costs: _Row) -> float | None:
    free = sorted(abs(error) for error in _errors(rows, costs))[sum(cost > 0 for cost in costs) :]
    return median(free) if free else None


def _with_hidden(rows: Sequence[_Row], costs: _Row, error: float) -> _Row:
    """A kind without a cost has the one that adds `error` to the run with most of it; caching makes nothing dearer."""
    most = [max(row[kind] for row in rows) for kind in range(3)]
    prompt, cached, completion = (
        cost if cost > 0 or amount == 0 else error / amount for cost, amount in zip(costs, most, strict=True)
    )
    return prompt, cached if costs[1] > 0 else min(cached, prompt), completion


def _fit(costs: _Row, typical: float | None) -> Fit:
    prompt, cached, completion = costs
    if completion > 0:
        return Fit(CostWeights(prompt / completion, cached / completion, 1.0), 1 / completion, typical)
    # Nothing is completed (embeddings): then a prompt token is the measure, and one of completion costs as much.
    return Fit(CostWeights(1.0, cached / prompt, 1.0), 1 / prompt, typical)


def work_of(weights: CostWeights, prompt: float, cached: float, completion: float) -> float:
    """The work of a request; `cached` is part of `prompt`, as in `usage`."""
    return weights.prompt * (prompt - cached) + weights.cached_prompt * cached + weights.completion * completion


def _least_absolute(rows: Sequence[_Row], active: Sequence[int]) -> _Row | None:
    trust = [1.0] * len(rows)
    costs = _solve(rows, trust, active)
    for _ in range(_ROUNDS):
        if costs is None:
            return None
        trust = [1 / max(abs(error), _EXACT) for error in _errors(rows, costs)]
        costs = _solve(rows, trust, active)
    return costs


def _solve(rows: Sequence[_Row], trust: Sequence[float], active: Sequence[int]) -> _Row | None:
    """The least squares costs with only `active` kinds, or None where they are negative or not determined."""
    size = len(active)
    trusted = list(zip(rows, trust, strict=True))
    matrix = [[math.fsum(by * row[i] * row[j] for row, by in trusted) for j in active] for i in active]
    right = [math.fsum(by * row[i] for row, by in trusted) for i in active]
    scale = [math.sqrt(matrix[i][i]) for i in range(size)]
    if min(scale) == 0:
        return None
    matrix = [[matrix[i][j] / (scale[i] * scale[j]) for j in range(size)] for i in range(size)]
    solution = _eliminate(matrix, [right[i] / scale[i] for i in range(size)])
    if solution is None or any(value <= 0 for value in solution):
        return None
    costs = [0.0, 0.0, 0.0]
    for kind, value, by in zip(active, solution, scale, strict=True):
        costs[kind] = value / by
    return costs[0], costs[1], costs[2]


def _eliminate(matrix: list[list[float]], right: list[float]) -> list[float] | None:
    """Gauss with pivots; None for a matrix that is singular as far as measurements can tell."""
    size = len(right)
    for column in range(size):
        pivot = max(range(column, size), key=lambda row: abs(matrix[row][column]))
        if abs(matrix[pivot][column]) < 1e-6:
            return None
        matrix[column], matrix[pivot] = matrix[pivot], matrix[column]
        right[column], right[pivot] = right[pivot], right[column]
        for row in range(column + 1, size):
            factor = matrix[row][column] / matrix[column][column]
            right[row] -= factor * right[column]
            for later in range(column, size):
                matrix[row][later] -= factor * matrix[column][later]
    solution = [0.0] * size
    for row in reversed(range(size)):
        known = math.fsum(matrix[row][later] * solution[later] for later in range(row + 1, size))
        solution[row] = (right[row] - known) / matrix[row][row]
    return solution


def _errors(rows: Sequence[_Row], costs: _Row) -> list[float]:
    return [sum(cost * amount for cost, amount in zip(costs, row, strict=True)) - 1 for row in rows]


@dataclass(frozen=True, slots=True)
class KneeSearch:
    """The highest rate that meets the objective, by halving: `highest_met` and `lowest_missed` close in on it.

    Requests a second. `saturated` is what the engine can do at most: no rate above can last, so none is tried.
    """

    saturated: float
    highest_met: float = 0.0
    lowest_missed: float | None = None
    probes: int = 0

    @property
    def next_rate(self) -> float:
        """What to try next: at first nine tenths of what is possible, where queues are short if anywhere."""
        if self.probes == 0:
            return 0.9 * self.saturated
        return (self.highest_met + (self.lowest_missed or self.saturated)) / 2

    def noted(self, rate: float, *, is_met: bool) -> "KneeSearch":
        """The search after `rate` was tried."""
        if is_met:
            return replace(self, highest_met=max(self.highest_met, rate), probes=self.probes + 1)
        lowest = rate if self.lowest_missed is None else min(rate, self.lowest_missed)
        return replace(self, lowest_missed=lowest, probes=self.probes + 1)

    def is_found(self, within: float) -> bool:
        """Whether the two are no more than `within` of the saturated rate apart."""
        top = self.saturated if self.lowest_missed is None else self.lowest_missed
        return top - self.highest_met <= within * self.saturated
