"""Builds every object and connects them. Imported by nobody; `openfm serve` loads it by name."""

import asyncio
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import structlog
import uvloop

from openfm import __version__
from openfm.catalog.catalog import Catalog, load_catalog
from openfm.control.api import ControlPlane, management_api
from openfm.control.endpoints.directory import EndpointDirectory
from openfm.control.endpoints.service import active_endpoints, alias_endpoints, ensure_default_endpoints
from openfm.control.identity.admin_token import ensure_admin_token
from openfm.control.identity.token_book import ADMIN, TokenBook
from openfm.control.workspace.service import ensure_workspace
from openfm.core.endpoint import ServingEndpoint
from openfm.engines.catalog import make_launcher
from openfm.fleet.reconciler import Reconciler
from openfm.fleet.replica import Surroundings
from openfm.fleet.roster import Fleet
from openfm.gateway.admission import Admission, QueueLimits
from openfm.gateway.body import BodyLimits
from openfm.gateway.exchange import ExchangeLog
from openfm.gateway.invoke import Gateway
from openfm.gateway.routes import DataPlane, WireOptions
from openfm.ops.index_config import index_config
from openfm.ops.progress import shown
from openfm.ops.pull import PullTools
from openfm.server.banner import welcome
from openfm.server.home import HomeInUse, announced, locked_home
from openfm.server.listener import Address, CannotListen, Tls, make_server, open_socket, url_of
from openfm.server.models import DefaultModels, EngineSettings, LiveDeployments, Warehouse
from openfm.server.router import FrontDoor, Health, HostDescription, Planes
from openfm.settings import Settings, environment
from openfm.store.database import Database
from openfm.telemetry.logging import configure_logging
from openfm.telemetry.metrics import Metrics
from openfm.telemetry.usage_log import UsageLog
from openfm.wire.to_core import BatchLimits

log = structlog.get_logger(__name__)

_LAG_INTERVAL_S = 0.25


def serve(settings: Settings) -> int:
    """Run the server until it is told to end; the process's exit code."""
    configure_logging(settings.log_format)
    try:
        with locked_home(settings.home):
            uvloop.run(_serve(settings))
    except (HomeInUse, CannotListen) as error:
        sys.stderr.write(f"openfm: {error}\n")
        return 1
    return 0


async def _serve(settings: Settings) -> None:
    catalog = load_catalog()
    tls = _tls(settings)
    listening = open_socket(Address(settings.host, settings.port, tls, settings.insecure))
    url = url_of(listening, tls)
    database = Database(settings.url_of_database)
    workspace_id, endpoints = await asyncio.to_thread(_prepare, database, catalog)
    token, is_new_token = _admin_token(settings)
    metrics = Metrics()
    async with _models(settings, catalog) as (models, reconciler):
        fleet = Fleet(reconciler, time.monotonic)
        deployments = LiveDeployments(models, fleet)
        aliases = alias_endpoints(catalog, endpoints) if settings.alias_missing else []
        directory = EndpointDirectory([*endpoints, *aliases])
        tokens = TokenBook({token: ADMIN})
        gateway = _gateway(settings, directory, fleet)
        data_plane = DataPlane(gateway, tokens, ExchangeLog(UsageLog(), metrics, time.time), _wire_options(settings))
        management = management_api(ControlPlane(tokens, directory, deployments, workspace_id, settings.public_url))
        health = Health(endpoints, deployments)
        door = FrontDoor(
            Planes(data_plane, management), health, metrics, HostDescription(workspace_id, settings.public_url)
        )
        server = make_server(door, tls, settings.drain_timeout_s)
        server.end_on_signals(lambda: print("Stopping: running requests may end first.", flush=True))
        print(welcome(url, settings.home, token if is_new_token else None, endpoints), flush=True)
        background = [
            asyncio.create_task(_measure_lag(metrics)),
            asyncio.create_task(_tell_when_ready(health, reconciler)),
        ]
        with announced(settings.home, url, __version__):
            await server.serve(sockets=[listening])
        await _cancelled(background)
    await asyncio.to_thread(database.close)


def _prepare(database: Database, catalog: Catalog) -> tuple[str, list[ServingEndpoint]]:
    now_ms = time.time_ns() // 1_000_000
    database.migrate()
    workspace_id = ensure_workspace(database, now_ms)
    ensure_default_endpoints(database, catalog, now_ms)
    return workspace_id, active_endpoints(database, catalog)


def _admin_token(settings: Settings) -> tuple[str, bool]:
    if settings.admin_token is not None:
        return settings.admin_token.get_secret_value(), False
    return ensure_admin_token(settings.home)


def _gateway(settings: Settings, directory: EndpointDirectory, fleet: Fleet) -> Gateway:
    limits = QueueLimits(settings.queue_length, settings.queue_deadline_s)
    draw: Callable[[], float] = partial(random.uniform, 0, 100)  # a split of traffic needs no secrecy
    return Gateway(directory, fleet, Admission(limits, time.monotonic), draw)


def _wire_options(settings: Settings) -> WireOptions:
    return WireOptions(
        is_strict=settings.strict,
        reasoning_style=settings.reasoning_style,
        body_limits=BodyLimits(settings.max_body_bytes),
        batch_limits=BatchLimits(settings.max_prompts, settings.max_embedding_inputs),
    )


@asynccontextmanager
async def _models(settings: Settings, catalog: Catalog) -> AsyncIterator[tuple[DefaultModels, Reconciler]]:
    """The default models and the reconciler that keeps them running; on the way out, nothing is left of either."""
    environ = environment()
    runtime_dir = Path(tempfile.mkdtemp(prefix="openfm-"))
    log_dir = settings.home / "logs"
    log_dir.mkdir(exist_ok=True)
    engines = EngineSettings(
        settings.engine_slots, settings.engine_threads or len(os.sched_getaffinity(0)), log_dir, runtime_dir
    )
    tools = PullTools(index_config(environ, settings.package_index))
    with shown(sys.stderr) as on_progress:
        warehouse = Warehouse(settings.weights_dir, tools, on_progress)
        models = DefaultModels(catalog.defaults, warehouse, engines, lambda name: make_launcher(name, environ))
        reconciler = Reconciler(models.desired, Surroundings(time.monotonic, asyncio.sleep, random.random))
        tasks = [asyncio.create_task(reconciler.run()), asyncio.create_task(models.provide(reconciler.nudge))]
        try:
            yield models, reconciler
        finally:
            await _cancelled(tasks)
            shutil.rmtree(runtime_dir, ignore_errors=True)


async def _measure_lag(metrics: Metrics) -> None:
    """How late the loop comes to a timer: what blocks it shows here."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _LAG_INTERVAL_S
        await asyncio.sleep(_LAG_INTERVAL_S)
        metrics.observe_loop_lag(max(0.0, loop.time() - due))


async def _tell_when_ready(health: Health, reconciler: Reconciler) -> None:
    began = time.monotonic()
    changed = asyncio.Event()
    reconciler.on_change(changed.set)
    while health.waiting_for:
        await changed.wait()
        changed.clear()
    print(f"Ready after {time.monotonic() - began:.1f} s.", flush=True)


async def _cancelled(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task


def _tls(settings: Settings) -> Tls | None:
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    return Tls(settings.tls_certificate, settings.tls_key)
