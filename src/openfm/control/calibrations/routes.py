"""`/api/2.0/openfm/calibrations`, and the profiles that come of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from openfm.control.calibrations.records import Calibration, CalibrationRequest
from openfm.control.calibrations.service import CalibrationService
from openfm.control.endpoints.inputs import Input
from openfm.control.identity.caller import Caller
from openfm.scheduling.profile import ThroughputProfile

router = APIRouter(prefix="/api/2.0/openfm")


@dataclass(frozen=True, slots=True)
class CalibrationDesk:
    """What these routes work on. `on_change` tells whoever measures that there is more, or less, to do."""

    service: CalibrationService
    on_change: Callable[[], None]


class ObjectiveInput(Input):
    """Bounds in milliseconds, and the percentile that must keep them."""

    ttft_ms: float | None = None
    tpot_ms: float | None = None
    e2e_ms: float | None = None
    percentile: float | None = None


class CalibrationInput(Input):
    """What is to be measured."""

    entity_name: str
    entity_version: str | int | None = None
    objective: ObjectiveInput = Field(default_factory=ObjectiveInput)
    seed: int = 0
    is_provisional: bool = False


def _desk(request: Request) -> CalibrationDesk:
    desk: CalibrationDesk = request.app.state.calibrations
    return desk


AtDesk = Annotated[CalibrationDesk, Depends(_desk)]


@router.post("/calibrations")
def create(body: CalibrationInput, caller: Caller, desk: AtDesk) -> dict[str, Any]:
    """Measure what a model version can do on this machine; it runs in the background."""
    version = None if body.entity_version is None else str(body.entity_version)
    objective = body.objective.model_dump(exclude_none=True)
    wanted = CalibrationRequest(body.entity_name, version, objective, body.seed, body.is_provisional)
    made = desk.service.create(wanted, caller)
    desk.on_change()
    return shown(made)


@router.get("/calibrations")
def list_calibrations(desk: AtDesk, entity_name: str | None = None) -> dict[str, Any]:
    """The newest calibrations."""
    return {"calibrations": [shown(one) for one in desk.service.list(entity_name)]}


@router.get("/calibrations/{calibration_id}")
def get(calibration_id: str, desk: AtDesk) -> dict[str, Any]:
    """One calibration, and how far it is."""
    one = desk.service.get(calibration_id)
    return {**shown(one), "points": list(one.points)}


@router.delete("/calibrations/{calibration_id}")
def delete(calibration_id: str, desk: AtDesk) -> dict[str, Any]:
    """Forget a calibration; one that runs is ended. A profile that came of it stays."""
    desk.service.delete(calibration_id)
    desk.on_change()
    return {}


@router.get("/models/{full_name}/{version}/throughput-profiles")
def profiles(full_name: str, version: str, caller: Caller, desk: AtDesk) -> dict[str, Any]:
    """What was measured of a model version, the profile that promises are made by first."""
    found = desk.service.profiles_of(full_name, version, caller)
    return {"profiles": [shown_profile(profile, warning) for profile, warning in found]}


def shown(one: Calibration) -> dict[str, Any]:
    """A calibration as clients see it."""
    return {
        "id": one.id,
        "entity_name": one.entity_name,
        "entity_version": one.entity_version,
        "state": one.state.value,
        "is_provisional": one.is_provisional,
        "progress": round(one.progress, 3),
        "message": one.message,
        "objective": one.objective.to_json(),
        "seed": one.seed,
        "creation_timestamp": one.created_at,
        "last_updated_timestamp": one.updated_at,
        "creator": one.created_by,
    }


def shown_profile(profile: ThroughputProfile, warning: str | None) -> dict[str, Any]:
    """A profile as clients see it: as it is kept, with what it means and what is to be said against it."""
    return {**profile.to_json(), "throughput_chunk_size": profile.chunk_size, "warning": warning}
