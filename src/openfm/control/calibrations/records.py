"""A calibration as it is kept, and what is asked of one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from openfm.core.objective import Objective

_PAUSE_MS = 60 * 60 * 1000


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

    def measures_as(self, other: "Calibration") -> bool:
        """Whether both ask the same of the same version."""
        return _wish(self) == _wish(other)


def _wish(one: Calibration) -> tuple[object, ...]:
    return one.version_id, one.is_provisional, one.objective, one.seed


def is_tried_again(tries: Iterable[Calibration], now_ms: int) -> bool:
    """Whether the server may calibrate a version by itself that was calibrated so far in `tries`, none of which counts.

    Not while one is to be done, and not soon after one failed: each load of a model that cannot be measured would take
    the time of the others.
    """
    return all(
        one.state.is_final and (one.state is not CalibrationState.FAILED or one.updated_at + _PAUSE_MS <= now_ms)
        for one in tries
    )


@dataclass(frozen=True, slots=True)
class CalibrationRequest:
    """What somebody wants measured. No version means the newest; no objective, that of the task."""

    entity_name: str
    entity_version: str | None = None
    objective: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    is_provisional: bool = False
