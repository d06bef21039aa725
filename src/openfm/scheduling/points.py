"""What a calibration measured, as numbers that can be kept and read again."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Point:
    """One step's result.

    `kind` and `key` are the step's. In `seconds` the engine worked on `prompt` uncached, `cached` and `completion`
    tokens with `concurrency` requests at once, or, for a probe of the knee, with `rate` requests a second. `requests`
    ended; the percentiles of latency are the objective's, in ms, None where there was nothing to measure.
    """

    kind: str
    key: str
    concurrency: int
    seconds: float
    prompt: float
    cached: float
    completion: float
    requests: int
    rate: float | None = None
    ttft_ms: float | None = None
    tpot_ms: float | None = None
    e2e_ms: float | None = None
    is_objective_met: bool = True

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {key: round(value, 4) if isinstance(value, float) else value for key, value in asdict(self).items()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """What `to_json` wrote."""
        return cls(**values)
