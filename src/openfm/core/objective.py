"""What is good enough: the latency objective that goodput, and a promise of throughput, are judged by."""

import math
from dataclasses import dataclass
from typing import Any, Self

from openfm.core.errors import InvalidParameterValue
from openfm.core.model import Task

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


def default_objective(task: Task) -> Objective:
    """What an endpoint of this task is held to until its owner says otherwise.

    A conversation begins within 3 s and goes on at no less than 5 tokens a second, about as fast as people read;
    embeddings are there within 2 s.
    """
    if task is Task.EMBEDDINGS:
        return Objective(e2e_ms=2000.0)
    return Objective(ttft_ms=3000.0, tpot_ms=200.0)
