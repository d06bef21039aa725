"""Work: what requests of different shapes have in common, so that throughput can be promised and counted."""

from dataclasses import dataclass

from openfm.core.usage import TokenCounts

_MINUTE_S = 60.0


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


@dataclass(frozen=True, slots=True)
class Throughput:
    """What one replica of a model version can be promised: `chunk` is work a second, a unit of provisioned throughput.

    So one unit is 60 · `chunk` of work a minute.
    """

    weights: CostWeights
    chunk: float

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

    def work_per_minute(self, units: float) -> float:
        """The work a minute that so many units are."""
        return self.rate(units) * _MINUTE_S
