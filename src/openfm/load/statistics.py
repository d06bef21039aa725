"""What a run's outcomes come to. Every formula is in a docstring: tools do not agree about what these words mean."""

import math
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from openfm.core.objective import Objective
from openfm.core.percentiles import percentile
from openfm.load.goodput import goodput_per_s
from openfm.load.outcome import Outcome

PERCENTILES = (50.0, 90.0, 95.0, 99.0)
_ENDLESS_MS = sys.float_info.max


@dataclass(frozen=True, slots=True)
class Distribution:
    """A quantity over the requests that have it, in milliseconds; all None where none has."""

    count: int
    mean: float | None
    percentiles: Mapping[float, float | None]
    maximum: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """One run.

    `seconds` is the measured window: from the first due time that counts to the end of the last answer that was due in
    it: requests that come faster than they are answered make it longer. Rates are over it. `late_ms` is the load tool's
    own delay: where its p99 is not far below the TTFT, the tool is the bottleneck. `estimated` answers have tokens
    that are a guess, and so is what is counted by tokens.
    """

    seconds: float
    offered_per_s: float
    requests: int
    answered: int
    errors: Mapping[str, int]
    requests_per_s: float
    prompt_tokens_per_s: float
    cached_tokens_per_s: float
    completion_tokens_per_s: float
    ttft_ms: Distribution
    tpot_ms: Distribution
    e2e_ms: Distribution
    late_ms: Distribution
    objective: Objective
    goodput_per_s: float
    goodput_share: float
    is_objective_met: bool
    estimated: int = 0

    @property
    def errors_told(self) -> str:
        """How many of which kind, in words."""
        return ", ".join(f"{count} of {kind}" for kind, count in sorted(self.errors.items())) or "none"


def summarise(outcomes: Sequence[Outcome], objective: Objective, offered_s: float) -> Summary:
    """The figures of requests that were due within `offered_s` seconds. Requests of the warm-up are left out before.

    Throughput is tokens of answers that came whole, per second from the first due time until the last answer ended:
    a backlog that is worked off afterwards makes the time longer, not the figure better. A token of an answer that
    broke off is not counted: nobody could use it.
    """
    answered = [outcome for outcome in outcomes if outcome.is_ok]
    seconds = _seconds(outcomes, offered_s)
    ttft, tpot = _present(o.ttft_s for o in answered), _present(o.tpot_s for o in answered)
    e2e = [outcome.e2e_s for outcome in answered]
    good = goodput_per_s(outcomes, objective, seconds)
    return Summary(
        seconds=seconds,
        offered_per_s=len(outcomes) / offered_s,
        requests=len(outcomes),
        answered=len(answered),
        errors=dict(Counter(outcome.error for outcome in outcomes if outcome.error is not None)),
        requests_per_s=len(answered) / seconds,
        prompt_tokens_per_s=sum(outcome.prompt_tokens for outcome in answered) / seconds,
        cached_tokens_per_s=sum(outcome.cached_tokens for outcome in answered) / seconds,
        completion_tokens_per_s=sum(outcome.completion_tokens for outcome in answered) / seconds,
        ttft_ms=distribution(ttft),
        tpot_ms=distribution(tpot),
        e2e_ms=distribution(e2e),
        late_ms=distribution([outcome.lateness_s for outcome in outcomes]),
        objective=objective,
        goodput_per_s=good,
        goodput_share=good * seconds / len(outcomes) if outcomes else 0.0,
        is_objective_met=is_met(outcomes, objective),
        estimated=sum(outcome.is_estimated for outcome in answered),
    )


def is_met(outcomes: Sequence[Outcome], objective: Objective) -> bool:
    """Whether the objective's percentile of all requests, failed ones too, kept each bound by itself.

    A failed request counts as endlessly slow. No requests meet nothing.
    """
    if not outcomes:
        return False
    ends = [outcome.e2e_s if outcome.is_ok else math.inf for outcome in outcomes]
    firsts = [math.inf if not o.is_ok or o.ttft_s is None else o.ttft_s for o in outcomes]
    gaps = [math.inf if not o.is_ok else o.tpot_s or 0.0 for o in outcomes]
    kept = (
        _is_kept(firsts, objective.ttft_ms, objective.percentile),
        _is_kept(gaps, objective.tpot_ms, objective.percentile),
        _is_kept(ends, objective.e2e_ms, objective.percentile),
        _is_kept(ends, _ENDLESS_MS, objective.percentile),
    )
    return all(kept)


def _is_kept(values: Sequence[float], bound_ms: float | None, rank: float) -> bool:
    reached = percentile(values, rank)
    return bound_ms is None or (reached is not None and reached * 1000 <= bound_ms)


def distribution(seconds: Sequence[float]) -> Distribution:
    """Seconds, told in milliseconds."""
    values = [value * 1000 for value in seconds]
    return Distribution(
        count=len(values),
        mean=sum(values) / len(values) if values else None,
        percentiles={rank: percentile(values, rank) for rank in PERCENTILES},
        maximum=max(values, default=None),
    )


def _present(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _seconds(outcomes: Sequence[Outcome], offered_s: float) -> float:
    if not outcomes:
        return offered_s
    first = min(outcome.due_s for outcome in outcomes)
    return max(offered_s, max(outcome.ended_s for outcome in outcomes) - first)
