"""What is good enough: the objective that goodput is judged by."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from openfm.core.errors import InvalidParameterValue
from openfm.load.outcome import Outcome

_LONGEST_MS = 3_600_000.0


@dataclass(frozen=True, slots=True)
class Objective:
    """Upper bounds in milliseconds, None for no bound; `percentile` of the answers must keep each.

    `e2e_ms` is for tasks that answer all at once, as embeddings do.
    """

    ttft_ms: float | None = None
    tpot_ms: float | None = None
    e2e_ms: float | None = None
    percentile: float = 95.0

    def __post_init__(self) -> None:
        """Refuse bounds that nothing or everything keeps."""
        for name in ("ttft_ms", "tpot_ms", "e2e_ms"):
            bound = getattr(self, name)
            if bound is not None and not 0 < bound <= _LONGEST_MS:
                raise InvalidParameterValue(f"{name} is {bound}; it must be more than 0, at most 1 h.", param=name)
        if not (math.isfinite(self.percentile) and 50 <= self.percentile < 100):
            raise InvalidParameterValue(f"percentile is {self.percentile}; it must be 50 to 99.99.", param="percentile")

    def is_met_by(self, outcome: Outcome) -> bool:
        """Whether this answer came whole and kept every bound."""
        return outcome.is_ok and all(
            bound is None or (value is not None and value * 1000 <= bound)
            for bound, value in (
                (self.ttft_ms, outcome.ttft_s),
                # An answer of one token has no time per token to break.
                (self.tpot_ms, outcome.tpot_s if outcome.completion_tokens > 1 else 0.0),
                (self.e2e_ms, outcome.e2e_s),
            )
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "ttft_ms": self.ttft_ms,
            "tpot_ms": self.tpot_ms,
            "e2e_ms": self.e2e_ms,
            "percentile": self.percentile,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """What `to_json` wrote."""
        return cls(values["ttft_ms"], values["tpot_ms"], values["e2e_ms"], values["percentile"])

    def __str__(self) -> str:
        """For people."""
        bounds = (("TTFT", self.ttft_ms), ("TPOT", self.tpot_ms), ("E2E", self.e2e_ms))
        shown = [f"{name} ≤ {bound:g} ms" for name, bound in bounds if bound is not None]
        return (", ".join(shown) or "an answer") + f" at p{self.percentile:g}"


def goodput_per_s(outcomes: Iterable[Outcome], objective: Objective, seconds: float) -> float:
    """Requests that kept every bound of the objective, per second of the run (DistServe, OSDI 2024, section 2.2)."""
    return sum(objective.is_met_by(outcome) for outcome in outcomes) / seconds
