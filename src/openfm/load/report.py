"""A run as values that JSON can hold."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from openfm.load.outcome import Outcome
from openfm.load.statistics import Distribution, Summary

FORMULAS: Mapping[str, str] = {
    "ttft": "first non-empty token - due time",
    "tpot": "(end - first token) / (completion tokens - 1); answers of one token have none",
    "e2e": "end - due time",
    "late": "sent - due time: the load tool's own delay",
    "percentile": "nearest rank over answers that came whole",
    "throughput": "tokens of whole answers / (last end - first due time)",
    "goodput": "whole answers that kept every bound of the objective / (last end - first due time)",
    "objective": "met when its percentile of all requests, failed ones as endlessly slow, keeps each bound",
}


@dataclass(frozen=True, slots=True)
class Run:
    """What was asked, what became of each request that counts, and what that comes to.

    `asked` are the command's own words: target, model, arrivals, lengths, seed. `origin_s` is the clock's time of the
    run's beginning, `warm_up` how many requests were left out before.
    """

    asked: Mapping[str, Any]
    outcomes: Sequence[Outcome]
    summary: Summary
    origin_s: float = 0.0
    warm_up: int = 0
    began_at: str = ""
    notes: Sequence[str] = field(default_factory=tuple)


def estimate_note(summary: Summary) -> str | None:
    """That token counts are a guess, and which; None where the server told them all."""
    if not summary.estimated:
        return None
    return (
        f"ESTIMATED tokens: the server sent no usage with {summary.estimated} of {summary.answered} answers. Of those "
        "each word of the prompt and each chunk of the answer counts as a token, and nothing as cached. Tokens a "
        "second, TPOT and goodput by TPOT are as good as that guess."
    )


def run_to_json(run: Run) -> dict[str, Any]:
    """Everything, raw outcomes too; times in seconds from the run's beginning."""
    return {
        "began_at": run.began_at,
        "asked": dict(run.asked),
        "formulas": dict(FORMULAS),
        "warm_up_requests": run.warm_up,
        "summary": summary_to_json(run.summary),
        "notes": list(run.notes),
        "requests": [_outcome(outcome, run.origin_s) for outcome in run.outcomes],
    }


def summary_to_json(summary: Summary) -> dict[str, Any]:
    """The figures."""
    values = asdict(summary)
    for name in ("ttft_ms", "tpot_ms", "e2e_ms", "late_ms"):
        values[name] = _distribution(getattr(summary, name))
    values["objective"] = summary.objective.to_json()
    return {name: _rounded(value) for name, value in values.items()}


def _distribution(found: Distribution) -> dict[str, Any]:
    ranks = {f"p{rank:g}": _rounded(value) for rank, value in found.percentiles.items()}
    return {"count": found.count, "mean": _rounded(found.mean), **ranks, "max": _rounded(found.maximum)}


def _outcome(outcome: Outcome, origin_s: float) -> dict[str, Any]:
    return {
        "due_s": _rounded(outcome.due_s - origin_s),
        "sent_s": _rounded(outcome.sent_s - origin_s),
        "first_s": None if outcome.first_s is None else _rounded(outcome.first_s - origin_s),
        "ended_s": _rounded(outcome.ended_s - origin_s),
        "prompt_tokens": outcome.prompt_tokens,
        "cached_tokens": outcome.cached_tokens,
        "completion_tokens": outcome.completion_tokens,
        "is_estimated": outcome.is_estimated,
        "error": outcome.error,
    }


def _rounded(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value
