"""Calibrations from the wish to the profile, with a replica of their own in a real fleet."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from openfm.calibration.steps import Pace
from openfm.catalog.catalog import load_catalog
from openfm.control.calibrations.profiles import Here, ProfileBook
from openfm.control.calibrations.records import Calibration, CalibrationRequest, CalibrationState
from openfm.control.calibrations.service import CalibrationOffice, CalibrationService
from openfm.control.endpoints.directory import EndpointDirectory
from openfm.control.endpoints.models import KnownModels
from openfm.control.registry.setup import Neighbours, Registry
from openfm.core.endpoint import EndpointConfig, EndpointType, EntitySettings, Route, ServedEntity, ServingEndpoint
from openfm.core.errors import EngineFailed
from openfm.core.model import Task
from openfm.core.principal import PermissionLevel, Principal
from openfm.engines.base import EngineSpec, LoadProgress
from openfm.engines.scripted import FOREVER, RunningScript, ScriptedLauncher
from openfm.fleet.placement import Machine
from openfm.fleet.reconciler import ENDLESS
from openfm.fleet.replica import ReplicaPolicy, Surroundings
from openfm.server.calibrator import Bench, Calibrator
from openfm.server.depot import ReadyModel, Tell
from openfm.server.desired import EngineSettings, Workers
from openfm.server.engine_room import EngineRoom, Plant
from openfm.store.blobs import BlobStore
from openfm.store.database import Database
from tests.unit.calibration.virtual import LinearEngine
from tests.unit.control.registry.conftest import ADMIN, World
from tests.unit.scheduling.test_profile import HARDWARE, MIXES

MODEL = "system.ai.smollm2_135m_instruct"
BRIEF = Pace(warm_up_s=0.0, measure_s=0.05, probe_s=0.1, probes=2, solo_requests=1)
BRIEFER = Pace(warm_up_s=0.0, measure_s=0.05, probe_s=0.0, probes=0, solo_requests=1)


class LinearLauncher(ScriptedLauncher):
    """Starts engines with known costs, quick ones. `fails_after` so many steps they fall over."""

    fails_after: int | None = None

    def __init__(self) -> None:
        super().__init__()
        self.launching = asyncio.Event()

    async def launch(self, spec: EngineSpec, on_progress: Callable[[LoadProgress], None]) -> RunningScript:
        self.launching.set()
        running = await super().launch(spec, on_progress)
        engine = LinearEngine(prompt_s=4e-6, cached_s=4e-7, completion_s=1e-5, fails_after=self.fails_after)
        running.engine = engine
        return running


class Source:
    async def bring(self, entity_name: str, entity_version: str, tell: Tell) -> ReadyModel | None:
        del entity_name, entity_version, tell
        return ReadyModel("linear", {}, {}, 1, 0)

    def forget(self, entity_name: str, entity_version: str) -> None:
        pass


class NoGrants:
    def level(self, caller: Principal, endpoint_id: str) -> PermissionLevel | None:
        del caller, endpoint_id
        return None


@dataclass
class House:
    """A server's part that calibrates."""

    service: CalibrationService
    profiles: ProfileBook
    models: KnownModels
    launcher: LinearLauncher = field(default_factory=LinearLauncher)
    directory: EndpointDirectory = field(default_factory=lambda: EndpointDirectory(NoGrants()))
    measured: list[frozenset[str]] = field(default_factory=list)
    machine: Machine = ENDLESS
    threads: int = 2
    now_ms: int = 1

    @property
    def ids(self) -> frozenset[str]:
        """Of the model version that is calibrated."""
        return self.models.version(MODEL, "1").ids

    @asynccontextmanager
    async def running(self) -> AsyncIterator[tuple[Calibrator, EngineRoom]]:
        engines = EngineSettings(4, self.threads, Path(), Path())
        workers = Workers(engines, lambda _: self.launcher, self.launcher)
        room = EngineRoom(self.directory, Plant((Source(),), workers, self.machine, 60.0, 5.0))
        here = self.profiles.here
        calibrator = Calibrator(
            Bench(self.service, self.models, self.directory, room, here, self.measured.append, BRIEF, BRIEFER)
        )
        room.on_change(calibrator.on_fleet_change)
        async with room.running():
            task = asyncio.create_task(calibrator.run())
            try:
                yield calibrator, room
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    def ask(self, *, is_provisional: bool = True) -> Calibration:
        return self.service.create(CalibrationRequest(MODEL, is_provisional=is_provisional), ADMIN)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    database, world = Database(f"sqlite:///{tmp_path / 'openfm.db'}"), World()
    database.migrate()
    registry = Registry(
        database, BlobStore(tmp_path / "blobs"), load_catalog(), Neighbours(world, world, world.inspect, world, world)
    )
    registry.prepare()
    profiles = ProfileBook(Here(HARDWARE, lambda _: "1.2"))
    service = CalibrationService(CalibrationOffice(database, registry.servable, profiles, lambda: made.now_ms))
    made = House(service, profiles, KnownModels(registry.servable, None))
    yield made
    database.close()


async def ended(house: House, calibrator: Calibrator, one: Calibration) -> Calibration:
    async with asyncio.timeout(60):
        await calibrator.settled()
    return await asyncio.to_thread(house.service.get, one.id)


async def test_a_wish_becomes_a_profile_and_nothing_of_the_replica_is_left(house: House) -> None:
    async with house.running() as (calibrator, room):
        one = house.ask(is_provisional=False)
        calibrator.nudge()
        done = await ended(house, calibrator, one)
        assert done.state is CalibrationState.SUCCEEDED, done.message
        (spec,) = house.launcher.specs
        assert not room.reconciler.replicas(f"calibration-{one.id}")
    assert spec.replica_id.startswith(f"calibration-{one.id}")
    profile = house.profiles.best([one.version_id])
    assert profile is not None
    assert not profile.is_provisional
    assert profile.setting.engine.name == "linear"
    assert profile.setting.hardware == HARDWARE
    assert [one.version_id in ids for ids in house.measured] == [True]


async def test_where_cores_are_divided_it_measures_the_part_that_a_promise_gets(house: House) -> None:
    house.machine, house.threads = Machine(tuple(range(16)), 1 << 40), 16
    async with house.running() as (calibrator, _):
        one = house.ask()
        calibrator.nudge()
        assert (await ended(house, calibrator, one)).state is CalibrationState.SUCCEEDED
    (spec,) = house.launcher.specs
    assert (len(spec.cores), spec.threads) == (4, 4)
    profile = house.profiles.best([one.version_id])
    assert profile is not None
    assert profile.setting.engine.threads == 4


async def test_an_engine_that_falls_over_leaves_a_reason_and_no_profile(house: House) -> None:
    house.launcher.fails_after = 300
    async with house.running() as (calibrator, _):
        one = house.ask()
        calibrator.nudge()
        done = await ended(house, calibrator, one)
    assert done.state is CalibrationState.FAILED
    assert "It fell over" in done.message
    assert house.profiles.best([one.version_id]) is None


async def test_a_replica_that_does_not_start_leaves_its_reason(house: House) -> None:
    house.launcher.failures.extend(EngineFailed("No such thing.") for _ in range(9))
    async with house.running() as (calibrator, room):
        room.reconciler._around = Surroundings(
            asyncio.get_running_loop().time, no_wait, lambda: 0.0, ReplicaPolicy(max_launch_failures=2)
        )
        one = house.ask()
        calibrator.nudge()
        done = await ended(house, calibrator, one)
    assert "No such thing." in done.message


async def test_deleting_it_ends_the_measuring_and_the_next_has_its_turn(house: House) -> None:
    async with house.running() as (calibrator, _):
        first = house.ask()
        calibrator.nudge()
        house.launcher.load_s = FOREVER
        await asyncio.to_thread(house.service.delete, first.id)
        calibrator.nudge()
        house.launcher.load_s = 0.0
        second = house.ask()
        calibrator.nudge()
        assert (await ended(house, calibrator, second)).state is CalibrationState.SUCCEEDED
    assert house.profiles.best([second.version_id]) is not None


async def test_the_load_of_a_provisioned_version_asks_for_a_quick_one_by_itself(house: House) -> None:
    async with house.running() as (calibrator, room):
        await loaded_and_settled(house, calibrator, room)
    profile = house.profiles.best(house.ids)
    assert profile is not None
    assert profile.is_provisional
    (only,) = house.service.list(None)
    assert (only.is_provisional, only.created_by) == (True, "System user")


async def test_after_a_failure_a_later_load_asks_again_but_not_soon(house: House) -> None:
    house.launcher.fails_after = 300
    async with house.running() as (calibrator, room):
        await loaded_and_settled(house, calibrator, room)
        assert [one.state for one in house.service.list(None)] == [CalibrationState.FAILED]
        house.launcher.fails_after = None
        await loaded_and_settled(house, calibrator, room)
        assert house.profiles.best(house.ids) is None
        house.now_ms += 2 * 60 * 60 * 1000
        await loaded_and_settled(house, calibrator, room)
    assert house.profiles.best(house.ids) is not None
    assert len(house.service.list(None)) == 2


async def loaded_and_settled(house: House, calibrator: Calibrator, room: EngineRoom) -> None:
    """A provisioned endpoint comes and its version is loaded; the endpoint goes when nothing is left to measure."""
    version = house.models.version(MODEL, "1")
    settings = EntitySettings(max_provisioned_throughput=100)
    entity = ServedEntity("s-1", MODEL, "1", version.profile, "d1", settings, version.ids)
    config = EndpointConfig(1, (entity,), (Route("s-1", 100),))
    loaded, gone = asyncio.Event(), asyncio.Event()

    def note() -> None:
        (loaded if calibrator.is_loaded(version.ids) else gone).set()

    room.on_change(note)
    house.directory.put(ServingEndpoint("e1", "support", Task.CHAT, EndpointType.CUSTOM_MODEL, "o", 1, 1, config))
    room.nudge()
    async with asyncio.timeout(60):
        await loaded.wait()
        await calibrator.settled()
        house.directory.remove("support")
        gone.clear()
        room.nudge()
        await gone.wait()


async def test_points_of_an_interrupted_one_outlive_a_server_that_ends_while_the_replica_starts(house: House) -> None:
    one = house.ask(is_provisional=False)
    house.service.begin(one, "here")
    house.service.note(one.id, 0.4, "Measuring.", MIXES)
    house.launcher.load_s = FOREVER
    async with house.running() as (calibrator, _):
        calibrator.nudge()
        async with asyncio.timeout(60):
            await house.launcher.launching.wait()
    left = await asyncio.to_thread(house.service.get, one.id)
    assert (left.state, left.progress) == (CalibrationState.RUNNING, 0.4)
    assert left.message == "Starting a replica of its own."
    assert len(left.points) == len(MIXES)


async def no_wait(seconds: float) -> None:
    del seconds
    await asyncio.sleep(0)
