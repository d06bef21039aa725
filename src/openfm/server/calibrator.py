"""Does the calibrations that are wanted, one after another: starts a replica, measures it, keeps the profile."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil
import structlog

from openfm.calibration.session import Means, Session, Subject
from openfm.calibration.steps import FULL, QUICK, Pace, knee_shape
from openfm.control.calibrations.profiles import Here
from openfm.control.calibrations.records import Calibration, CalibrationRequest
from openfm.control.calibrations.service import CalibrationService
from openfm.control.endpoints.directory import EndpointDirectory
from openfm.control.endpoints.models import KnownModels
from openfm.core.endpoint import DeploymentState, EntitySettings, ServedEntity
from openfm.core.errors import ApiError, EngineFailed
from openfm.core.principal import Principal
from openfm.fleet.replica import Replica
from openfm.scheduling.calibration import CannotFit
from openfm.scheduling.points import Point
from openfm.scheduling.profile import EngineIdentity, Setting, make_profile
from openfm.server.engine_room import EngineRoom
from openfm.telemetry.survival import survived

log = structlog.get_logger(__name__)

_SYSTEM = Principal(id="0", name="System user", is_admin=True)
_LOOK_AGAIN_S = 30.0
_DELETED = "The calibration was deleted."
_AS_PROMISED = EntitySettings(provisioned_model_units=1, burst_scaling_enabled=False)
"""What is measured is what will be promised: a replica with the cores and the precedence of provisioned throughput."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What calibrations are done with, and how long they take; `on_profile` is told which version was measured."""

    service: CalibrationService
    models: KnownModels
    directory: EndpointDirectory
    room: EngineRoom
    here: Here
    on_profile: Callable[[frozenset[str]], None]
    full: Pace = FULL
    quick: Pace = QUICK


class Calibrator:
    """Measures in the background. Its methods are for the event loop's thread."""

    def __init__(self, bench: Bench) -> None:
        self._own = bench
        self._nudged = asyncio.Event()
        self._idle = asyncio.Event()
        self._loads: dict[frozenset[str], ServedEntity] = {}
        self._loaded: frozenset[frozenset[str]] = frozenset()

    def nudge(self) -> None:
        """There may be more to do, or what is being done is not wanted any more."""
        self._idle.clear()
        self._nudged.set()

    async def settled(self) -> None:
        """Wait until nothing is to be measured."""
        await self._idle.wait()

    def on_fleet_change(self) -> None:
        """A replica's state changed: whenever a provisioned version is loaded, a quick calibration may be due."""
        deployments, before = self._own.room.deployments, self._loaded
        loaded = {
            entity.version_ids: entity
            for entity in self._provisioned()
            if deployments.trial(entity).state is DeploymentState.READY
        }
        self._loaded = frozenset(loaded)
        new = {ids: entity for ids, entity in loaded.items() if ids not in before}
        if new:
            self._loads.update(new)
            self.nudge()

    def is_loaded(self, version_ids: frozenset[str]) -> bool:
        """Whether a provisioned endpoint has a replica of this version that is READY."""
        return version_ids in self._loaded

    async def run(self) -> None:
        """Work until cancelled. What is under way then goes on at the next start, from what was measured."""
        while True:
            self._nudged.clear()
            one = None
            with survived("calibration.broke"):
                await asyncio.to_thread(self._ask_for_loads)
                one = await asyncio.to_thread(self._own.service.next_open)
                if one is not None:
                    await self._one(one)
            if one is None:
                if not self._nudged.is_set():
                    self._idle.set()
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_AGAIN_S):
                        await self._nudged.wait()

    # ------------------------------------------------------------------------------------------------------- the work

    async def _one(self, one: Calibration) -> None:
        """Do it, unless it is deleted meanwhile."""
        work = asyncio.create_task(self._calibrated(one), name=f"calibration {one.id}")
        try:
            while not work.done():
                nudged = asyncio.create_task(self._nudged.wait())
                await asyncio.wait({work, nudged}, return_when=asyncio.FIRST_COMPLETED)
                nudged.cancel()
                self._nudged.clear()
                if not work.done() and not await asyncio.to_thread(self._own.service.is_wanted, one.id):
                    break
        finally:
            work.cancel()
            await asyncio.wait({work})
        if not work.cancelled() and (error := work.exception()) is not None:
            log.error("calibration.broke", calibration=one.id, exc_info=error)
            await asyncio.to_thread(self._own.service.fail, one, f"openfm made an error of its own: {error!r}")

    async def _calibrated(self, one: Calibration) -> None:
        try:
            await self._measured(one)
        except ApiError as error:
            log.warning("calibration.failed", model=one.entity_name, version=one.entity_version, reason=error.message)
            await asyncio.to_thread(self._own.service.fail, one, error.message)
        except CannotFit as error:
            reason = f"The measurements say nothing: {error}. Calibrate again while the machine has less else to do."
            await asyncio.to_thread(self._own.service.fail, one, reason)

    async def _measured(self, one: Calibration) -> None:
        version = await asyncio.to_thread(self._own.models.version, one.entity_name, one.entity_version)
        entity = ServedEntity(
            settings=_AS_PROMISED,
            name=f"calibration-{one.id}",
            entity_name=one.entity_name,
            entity_version=one.entity_version,
            model=version.profile,
            deployment_id=f"calibration-{one.id}",
            version_ids=version.ids,
        )
        if not await asyncio.to_thread(self._own.service.say, one.id, "Starting a replica of its own."):
            raise EngineFailed(_DELETED)
        async with self._own.room.trial(entity) as replica:
            engine = self._engine(entity, replica)
            fingerprint = (
                f"{self._own.here.hardware.fingerprint} {engine.name} {engine.version} {engine.slots} {engine.threads}"
            )
            known = await asyncio.to_thread(self._own.service.begin, one, fingerprint)
            setting = Setting(
                engine=engine,
                hardware=self._own.here.hardware,
                objective=one.objective,
                seed=one.seed,
                shape=knee_shape(version.profile.task, version.profile.context_length),
                load_s=replica.last_load_s or 0.0,
                memory_bytes=0 if replica.pid is None else await asyncio.to_thread(_memory_of, replica.pid),
                measured_at=time.time_ns() // 1_000_000,
            )
            points = await self._points(one, entity, replica, known)
        profile = make_profile(setting, points)
        await asyncio.to_thread(self._own.service.succeed, one, profile)
        self._own.on_profile(entity.version_ids)
        log.info("calibration.done", model=one.entity_name, version=one.entity_version, chunk=profile.chunk_size)

    async def _points(
        self, one: Calibration, entity: ServedEntity, replica: Replica, known: Sequence[Point]
    ) -> Sequence[Point]:
        async def tell(fraction: float, sentence: str, points: Sequence[Point]) -> None:
            await self._note(one, fraction, sentence, points)

        pace = self._own.quick if one.is_provisional else self._own.full
        with replica.hold() as engine:
            subject = Subject(engine, entity.model, replica.slots, one.objective)
            means = Means(time.monotonic, asyncio.sleep, one.seed, pace, tell)
            session = Session(subject, means, list(known))
            return await session.run()

    async def _note(self, one: Calibration, fraction: float, sentence: str, points: Sequence[Point]) -> None:
        if not await asyncio.to_thread(self._own.service.note, one.id, fraction, sentence, points):
            raise EngineFailed(_DELETED)

    def _engine(self, entity: ServedEntity, replica: Replica) -> EngineIdentity:
        model = self._own.room.depot.model(entity)
        name = "unknown" if model is None else model.engine
        return EngineIdentity(name, self._own.here.engine_version(name), replica.slots, replica.spec.threads)

    # ------------------------------------------------------------------------------------- by itself, at each load

    def _provisioned(self) -> Sequence[ServedEntity]:
        return [
            entity
            for endpoint in self._own.directory.endpoints
            for entity in endpoint.wanted_entities
            if entity.settings.is_provisioned and entity.external is None
        ]

    def _ask_for_loads(self) -> None:
        """Ask for quick calibrations of versions that were loaded and never measured here, where one is due. Blocks."""
        while self._loads:
            version_ids, entity = self._loads.popitem()
            if self._own.service.is_due(version_ids):
                wanted = CalibrationRequest(entity.entity_name, entity.entity_version, is_provisional=True)
                self._own.service.create(wanted, _SYSTEM)


def _memory_of(pid: int) -> int:
    """Bytes that the process and its children have in memory."""
    try:
        process = psutil.Process(pid)
        return sum(one.memory_info().rss for one in [process, *process.children(recursive=True)])
    except psutil.Error:
        return 0
