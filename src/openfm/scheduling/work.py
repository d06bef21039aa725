"""Work: what requests of different shapes have in common, so that throughput can be promised and counted."""

import math
from dataclasses import dataclass

from openfm.core.usage import TokenCounts

_MINUTE_S = 60.0
_EXACT = 1e-9


@dataclass(frozen=True, slots=True)
class CostWeights:
    """Work a token, relative to one completion token, which is 1.0; measured by `openfm calibrate`."""

    prompt: float
    cached_prompt: float
    completion: float

    def work(self, counts: TokenCounts) -> float:
        """The work of these tokens; `cached` is the part of the prompt that the prefix cache saved."""
        cached = min(counts.cached, counts.prompt)
        return (
            self.prompt * (counts.prompt - cached) + self.cached_prompt * cached + self.completion * counts.completion
        )


PROVISIONAL_WEIGHTS = CostWeights(prompt=0.5, cached_prompt=0.05, completion=1.0)
"""Until a version is calibrated: a step of the engine takes many prompt tokens, and one completion token."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """What one replica of a model version can be promised: `chunk` is work a second, a unit of provisioned throughput.

    So one unit is 60 · `chunk` of work a minute. `is_measured` is false before the version was calibrated.
    """

    weights: CostWeights
    chunk: float
    is_measured: bool = False

    def __post_init__(self) -> None:
        """Refuse what nothing could be promised by."""
        if not self.chunk > 0:
            raise ValueError("chunk must be more than 0")

    def rate(self, units: float) -> float:
        """The work a second that so many units are."""
        return units * self.chunk

    def units(self, work_per_s: float) -> float:
        """How many units so much work a second is."""
        return work_per_s / self.chunk

    def replicas(self, work_per_s: float) -> int:
        """The fewest replicas that can be promised so much work a second."""
        return math.ceil(self.units(work_per_s) - _EXACT)

    def work_per_minute(self, units: float) -> float:
        """The work a minute that so many units are."""
        return self.rate(units) * _MINUTE_S


@dataclass(frozen=True, slots=True)
class Promise:
    """What one served entity was promised: `rate` is work a second with all of its `replicas` running.

    `chunk` as in `Throughput`.
    """

    weights: CostWeights
    rate: float
    replicas: int = 1
    chunk: float = 1.0

    def rate_of(self, running: int) -> float:
        """The part of the rate that so many replicas make good; a single one is never too few."""
        return self.rate * min(1.0, max(1, running) / self.replicas)
