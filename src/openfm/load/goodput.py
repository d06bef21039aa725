"""Goodput: what was good enough."""

from collections.abc import Iterable

from openfm.core.objective import Objective
from openfm.load.outcome import Outcome


def is_kept(objective: Objective, outcome: Outcome) -> bool:
    """Whether this answer came whole and kept every bound."""
    return outcome.is_ok and all(
        bound is None or (value is not None and value * 1000 <= bound)
        for bound, value in (
            (objective.ttft_ms, outcome.ttft_s),
            # An answer of one token has no time per token to break.
            (objective.tpot_ms, outcome.tpot_s if outcome.completion_tokens > 1 else 0.0),
            (objective.e2e_ms, outcome.e2e_s),
        )
    )


def goodput_per_s(outcomes: Iterable[Outcome], objective: Objective, seconds: float) -> float:
    """Requests that kept every bound of the objective, per second of the run (DistServe, OSDI 2024, section 2.2)."""
    return sum(is_kept(objective, outcome) for outcome in outcomes) / seconds
