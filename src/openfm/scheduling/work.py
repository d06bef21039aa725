"""Work: what requests of different shapes have in common, so that throughput can be promised and counted."""

import math
from dataclasses import dataclass

from openfm.core.endpoint import EntitySettings
from openfm.core.throughput import chunk_of
from openfm.core.usage import TokenCounts

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
    """What a model version can be promised on this machine, in work a second: by a `replica` that keeps its objective.

    `side_by_side` of them compute at once. `is_measured` is false where that is only expected of its size.
    """

    weights: CostWeights
    replica: float
    side_by_side: int = 1
    is_measured: bool = False

    def __post_init__(self) -> None:
        """Refuse what nothing could be promised by."""
        if not self.replica > 0:
            raise ValueError("replica must be more than 0")

    @property
    def chunk(self) -> int:
        """A unit of provisioned throughput."""
        return chunk_of(self.replica)

    @property
    def machine(self) -> float:
        """What all replicas that compute at once can be promised."""
        return self.replica * self.side_by_side

    def chunks(self, share: float = 1.0) -> int:
        """The whole chunks in a share of the machine."""
        return math.floor(share * self.machine / self.chunk + _EXACT)

    def promised(self, settings: EntitySettings) -> float:
        """The work a second that was provisioned; tokens a second and units are two ways to say it."""
        if settings.max_provisioned_throughput is not None:
            return settings.max_provisioned_throughput
        return (settings.provisioned_model_units or 0) * self.chunk

    def replicas(self, work_per_s: float) -> int:
        """The fewest replicas that can be promised so much work a second."""
        return math.ceil(work_per_s / self.replica - _EXACT)


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
