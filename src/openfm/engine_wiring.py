"""What the server makes of its settings to run engines."""

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from openfm.catalog.catalog import Catalog
from openfm.engines.catalog import make_launcher
from openfm.fleet.placement import Machine
from openfm.ops.index_config import index_config
from openfm.ops.machine import available_memory_bytes, gpus
from openfm.ops.progress import shown
from openfm.ops.pull import PullTools
from openfm.scheduling.autoscaling import ScalingPolicy
from openfm.server.background import cancelled, started
from openfm.server.catalogue_source import CatalogueSource, Warehouse
from openfm.server.desired import EngineSettings, Workers
from openfm.server.engine_room import EngineRoom, Plant
from openfm.server.external import KeyedLauncher
from openfm.server.housekeeping import Chore, housekeeping
from openfm.server.log_keeper import LogKeeper
from openfm.server.registry_source import RegistrySource, Workplace
from openfm.server.scaler import Scaler
from openfm.server.state import State
from openfm.settings import Settings, environment

_MEMORY_SHARE = 0.95


@asynccontextmanager
async def engine_room(settings: Settings, catalog: Catalog, state: State) -> AsyncIterator[EngineRoom]:
    """The running fleet; on the way out, nothing is left of it."""
    environ = environment()
    runtime_dir = Path(tempfile.mkdtemp(prefix="openfm-"))
    log_dir(settings).mkdir(exist_ok=True)
    engines = EngineSettings(
        settings.engine_slots, engine_threads(settings), log_dir(settings), runtime_dir, settings.engine_precedence
    )
    tools = PullTools(index_config(environ, settings.package_index))
    registered = RegistrySource(
        state.models, state.registry.resources.blobs, Workplace(settings.files_dir / "served", settings.home)
    )
    logs = LogKeeper(log_dir(settings), state.directory.deployment_ids, time.time)
    await asyncio.to_thread(registered.sweep)
    try:
        with shown(sys.stderr) as on_progress:
            plant = Plant(
                sources=(CatalogueSource(catalog, Warehouse(settings.weights_dir, tools, on_progress)), registered),
                workers=Workers(
                    engines,
                    lambda name: make_launcher(name, environ),
                    KeyedLauncher(make_launcher("external", environ, settings.egress_allow), state.access.secrets),
                    Scaler(policy=_scaling(settings)),
                ),
                machine=_machine(settings),
                scale_to_zero_after_s=settings.scale_to_zero_after_s,
                cold_start_deadline_s=settings.cold_start_deadline_s,
            )
            room = EngineRoom(state.directory, plant)
            async with room.running(), _housekept(registered.tidy, logs.tidy):
                yield room
    finally:
        shutil.rmtree(runtime_dir, ignore_errors=True)


@asynccontextmanager
async def _housekept(*chores: Chore) -> AsyncIterator[None]:
    work = [started(housekeeping(chores), "housekeeping")]
    try:
        yield
    finally:
        await cancelled(work)


def _scaling(settings: Settings) -> ScalingPolicy:
    return ScalingPolicy(up_after_s=settings.scale_up_after_s, down_after_s=settings.scale_down_after_s)


def _machine(settings: Settings) -> Machine:
    memory = settings.engine_memory
    if memory is None:
        memory = int(available_memory_bytes() * _MEMORY_SHARE)
    return Machine(_cores(), memory, tuple(gpu.memory_bytes for gpu in gpus()))


def _cores() -> tuple[int, ...]:
    return tuple(sorted(os.sched_getaffinity(0)))


def log_dir(settings: Settings) -> Path:
    """Where engines log."""
    return settings.home / "logs"


def engine_threads(settings: Settings) -> int:
    """CPU threads of one engine."""
    return settings.engine_threads or len(_cores())
