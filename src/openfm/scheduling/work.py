"""Work: what requests of different shapes have in common, so that throughput can be promised and counted."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CostWeights:
    """Work a token, relative to one completion token, which is 1.0; measured by `openfm calibrate`."""

    prompt: float
    cached_prompt: float
    completion: float
