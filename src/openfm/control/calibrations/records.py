"""A calibration as it is kept, and what is asked of one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from openfm.core.objective import Objective


class CalibrationState(StrEnum):
    """How far a calibration has come; the last three are final."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"

    @property
    def is_final(self) -> bool:
        """Whether nothing more comes."""
        return self in (CalibrationState.SUCCEEDED, CalibrationState.FAILED, CalibrationState.CANCELED)


@dataclass(frozen=True, slots=True)
class Calibration:
    """One calibration of one model version. Times are ms since the epoch.

    `points` are what was measured so far (`scheduling.points`), with hardware and engine as `fingerprint` has them.
    """

    id: str
    version_id: str
    entity_name: str
    entity_version: str
    state: CalibrationState
    is_provisional: bool
    progress: float
    message: str
    objective: Objective
    seed: int
    fingerprint: str
    created_at: int
    created_by: str
    updated_at: int
    points: tuple[Mapping[str, Any], ...] = field(default=())


@dataclass(frozen=True, slots=True)
class CalibrationRequest:
    """What somebody wants measured. No version means the newest; no objective, that of the task."""

    entity_name: str
    entity_version: str | None = None
    objective: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    is_provisional: bool = False
