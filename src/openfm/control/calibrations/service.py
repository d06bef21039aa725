"""The one writer of calibrations and profiles. Every method blocks."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from openfm.control.calibrations import repository
from openfm.control.calibrations.profiles import ProfileBook
from openfm.control.calibrations.records import (
    Calibration,
    CalibrationRequest,
    CalibrationState,
    is_tried_again,
)
from openfm.control.registry import repository as registry
from openfm.control.registry.models import ServableModels, ServableVersion
from openfm.control.registry.repository import Page
from openfm.core.errors import InvalidParameterValue, NotFound
from openfm.core.model import Task
from openfm.core.objective import Objective, default_objective
from openfm.core.principal import Principal
from openfm.core.registry import ModelName, model_not_found
from openfm.scheduling.points import Point
from openfm.scheduling.profile import ThroughputProfile
from openfm.store.database import Database

_MOST_LISTED = 200
_LONGEST_MESSAGE = 2000
_BOUNDS = ("ttft_ms", "tpot_ms", "e2e_ms", "percentile")
_MOST_SEED = 2**31 - 1
_NOT_KEPT = "What it measured was not kept: the version was measured in full on this machine."


@dataclass(frozen=True, slots=True)
class CalibrationOffice:
    """What the service works with. `now_ms` is ms since the epoch."""

    database: Database
    servable: ServableModels
    profiles: ProfileBook
    now_ms: Callable[[], int]


class CalibrationService:
    """Keeps calibrations, from the wish to the profile."""

    def __init__(self, office: CalibrationOffice) -> None:
        self._own = office

    def create(self, request: CalibrationRequest, caller: Principal) -> Calibration:
        """A calibration that waits for its turn; where just this is waited for or being done already, that one.

        Raises `NotFound`, `InvalidParameterValue` for a version that is not READY and for an objective that nothing
        keeps.
        """
        name, number = request.entity_name, request.entity_version or self._newest(request.entity_name)
        version = self._own.servable.find(name, number, caller)
        objective = _objective(version.profile.task, request.objective)
        if not 0 <= request.seed <= _MOST_SEED:
            raise InvalidParameterValue(f"seed must be 0 to {_MOST_SEED}.", param="seed")
        now = self._own.now_ms()
        made = Calibration(
            id=uuid.uuid4().hex,
            version_id=_own_id(version),
            entity_name=version.entity_name,
            entity_version=version.entity_version,
            state=CalibrationState.PENDING,
            is_provisional=request.is_provisional,
            progress=0.0,
            message="Waiting for its turn.",
            objective=objective,
            seed=request.seed,
            fingerprint="",
            created_at=now,
            created_by=caller.name,
            updated_at=now,
        )
        with self._own.database.transaction() as connection:
            same = next((one for one in repository.open_ones(connection) if one.measures_as(made)), None)
            if same is None:
                repository.insert_calibration(connection, made)
        return same or made

    def get(self, identifier: str) -> Calibration:
        """The calibration. Raises `NotFound`."""
        with self._own.database.transaction() as connection:
            found = repository.find(connection, identifier)
        if found is None:
            raise _not_found(identifier)
        return found

    def list(self, entity_name: str | None) -> Sequence[Calibration]:
        """The newest, of one model or of all."""
        name = None if entity_name is None else ModelName.parse(entity_name).full_name
        with self._own.database.transaction() as connection:
            return repository.newest_first(connection, name, _MOST_LISTED)

    def delete(self, identifier: str) -> None:
        """Forget it; one that runs is ended by whoever runs it. Raises `NotFound`."""
        with self._own.database.transaction() as connection:
            if not repository.delete_calibration(connection, identifier):
                raise _not_found(identifier)

    def profiles_of(
        self, entity_name: str, entity_version: str, caller: Principal
    ) -> Sequence[tuple[ThroughputProfile, str | None]]:
        """The version's profiles and what is to be said against each. Raises `NotFound`, `PermissionDenied`."""
        version = self._own.servable.find(entity_name, entity_version, caller)
        book = self._own.profiles
        return [(profile, book.warning(profile)) for profile in book.listed(version.ids)]

    # ----------------------------------------------------------------------------------------- for whoever measures

    def next_open(self) -> Calibration | None:
        """The oldest that is not final."""
        with self._own.database.transaction() as connection:
            waiting = repository.open_ones(connection)
        return waiting[0] if waiting else None

    def is_wanted(self, identifier: str) -> bool:
        """Whether it is still there and not final."""
        with self._own.database.transaction() as connection:
            found = repository.find(connection, identifier)
        return found is not None and not found.state.is_final

    def begin(self, one: Calibration, fingerprint: str) -> Sequence[Point]:
        """It runs now. What an interrupted try measured of the same hardware and engine is given back."""
        is_same = one.fingerprint == fingerprint
        points = one.points if is_same else ()
        self._change(one.id, state=CalibrationState.RUNNING.value, fingerprint=fingerprint, points=list(points))
        return [Point.from_json(point) for point in points]

    def say(self, identifier: str, message: str) -> bool:
        """Keep what it is doing, beside what it measured so far; whether somebody still wants it."""
        return self._change(identifier, message=message)

    def note(self, identifier: str, progress: float, message: str, points: Sequence[Point]) -> bool:
        """Keep what was measured so far; whether somebody still wants it."""
        written = [point.to_json() for point in points]
        return self._change(identifier, progress=progress, message=message, points=written)

    def succeed(self, one: Calibration, profile: ThroughputProfile) -> None:
        """Keep the profile; a provisional one never takes the place of a full one of this hardware and engine."""
        now, engine = self._own.now_ms(), profile.setting.engine.name
        known = [p for p in self._own.profiles.of_version([one.version_id]) if p.setting.engine.name == engine]
        is_kept = not (profile.is_provisional and any(not other.is_provisional for other in known))
        message = "" if is_kept else _NOT_KEPT
        with self._own.database.transaction(self._own.profiles.take_over) as connection:
            values = {"state": CalibrationState.SUCCEEDED.value, "progress": 1.0, "message": message, "updated_at": now}
            if repository.change(connection, one.id, values) and is_kept:
                repository.put_profile(connection, one.version_id, engine, profile.to_json(), now)

    def fail(self, one: Calibration, reason: str) -> None:
        """Throw away what was measured; keep why."""
        self._change(one.id, state=CalibrationState.FAILED.value, message=reason[:_LONGEST_MESSAGE], points=[])

    def is_due(self, version_ids: frozenset[str]) -> bool:
        """Whether the version is to be calibrated by itself: nothing was measured here, and `is_tried_again`."""
        if self._own.profiles.of_version(version_ids):
            return False
        with self._own.database.transaction() as connection:
            tries = repository.of_versions(connection, version_ids)
        return is_tried_again(tries, self._own.now_ms())

    def _change(self, identifier: str, **values: Any) -> bool:
        with self._own.database.transaction() as connection:
            return repository.change(connection, identifier, {**values, "updated_at": self._own.now_ms()})

    def _newest(self, entity_name: str) -> str:
        name = ModelName.parse(entity_name)
        with self._own.database.transaction() as connection:
            if registry.find_model(connection, name) is None:
                raise model_not_found(name)
            newest = registry.list_versions(connection, name, Page(limit=1))
        if not newest:
            raise NotFound(f"'{name}' has no version yet. Register one with `openfm models register`.")
        return str(newest[0].version)


def _objective(task: Task, given: Mapping[str, float]) -> Objective:
    """The task's own objective, with what was asked in its place."""
    unknown = given.keys() - set(_BOUNDS)
    if unknown:
        raise InvalidParameterValue(f"An objective has {', '.join(_BOUNDS)}; not {min(unknown)}.", param="objective")
    if task is Task.EMBEDDINGS and given.keys() & {"ttft_ms", "tpot_ms"}:
        raise InvalidParameterValue("Embeddings come all at once; give e2e_ms.", param="objective")
    plain = default_objective(task).to_json() | dict(given)
    return Objective.from_json(plain)


def _own_id(version: ServableVersion) -> str:
    """Of an adapter, its own id is not told apart from its base's; then the profile is kept with either."""
    return min(version.ids)


def _not_found(identifier: str) -> NotFound:
    return NotFound(f"There is no calibration '{identifier[:64]}'. `openfm calibrate --list` shows them.", param="id")
