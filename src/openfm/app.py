"""Builds every object and connects them. Imported by nobody; `openfm serve` loads it by name."""

import asyncio
import gc
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop
from fastapi import FastAPI

from openfm import __version__
from openfm.catalog.catalog import Catalog, load_catalog
from openfm.control.api import ControlPlane, management_api
from openfm.control.endpoints.rollout import Rollouts
from openfm.control.endpoints.routes import Desk
from openfm.control.endpoints.service import EndpointService
from openfm.control.identity.admin_token import ensure_admin_token
from openfm.core.endpoint import EndpointType, ServingEndpoint
from openfm.engines.catalog import make_launcher
from openfm.fleet.placement import Machine
from openfm.gateway.exchange import ExchangeLog, Sinks
from openfm.gateway.routes import DataPlane
from openfm.limits.budget_store import BudgetStore
from openfm.limits.opening import CannotShareLimits, Counts, open_counts
from openfm.metering.keeping import RetentionDesk
from openfm.ops.index_config import index_config
from openfm.ops.machine import available_memory_bytes, gpus
from openfm.ops.progress import shown
from openfm.ops.pull import PullTools
from openfm.server.accounts import Accounts, open_accounts
from openfm.server.audit import EngineAudit
from openfm.server.background import cancelled, measure_lag, started
from openfm.server.banner import welcome
from openfm.server.books import Books, open_books, retention_desk, usage_desk
from openfm.server.catalogue_source import CatalogueSource, Warehouse
from openfm.server.desired import EngineSettings, Workers
from openfm.server.elsewhere import Elsewhere
from openfm.server.engine_room import EngineRoom, Plant
from openfm.server.external import KeyedLauncher
from openfm.server.home import HomeInUse, announced, locked_home
from openfm.server.leases import LeaseDesk
from openfm.server.listener import Address, CannotListen, Listener, is_loopback, make_server, open_socket, url_of
from openfm.server.logs import LogShelf
from openfm.server.registry_source import RegistrySource, Workplace
from openfm.server.router import AsgiApp, FrontDoor, Health, HostDescription, MetricsPage, Planes
from openfm.server.state import State, StateOptions, endpoint_service, open_state
from openfm.server.vitals import EndpointVitals
from openfm.settings import Role, Settings, environment
from openfm.store.database import CannotOpenDatabase, Database
from openfm.telemetry.endpoint_metrics import EndpointCounters
from openfm.telemetry.logging import configure_logging
from openfm.telemetry.metrics import Metrics
from openfm.telemetry.usage_log import UsageLog
from openfm.wiring import make_gateway, make_guards, tls_of, wire_options

_ASK_A_GATEWAY = (
    "This is the workspace's control server (role control), which answers no queries. Send them to a gateway."
)
_NO_GATEWAYS = "This server answers queries itself (role all). For gateways beside it, start it with --role control."
_MEMORY_SHARE = 0.95
_OBJECTS_PER_COLLECTION = 50_000


def serve(settings: Settings) -> int:
    """Run the server until it is told to end; the process's exit code."""
    configure_logging(settings.log_format)
    try:
        with locked_home(settings.home):
            uvloop.run(_serve(settings))
    except (HomeInUse, CannotListen, CannotOpenDatabase, CannotShareLimits) as error:
        sys.stderr.write(f"openfm: {error}\n")
        return 1
    return 0


async def _serve(settings: Settings) -> None:
    catalog = load_catalog()
    tls = tls_of(settings)
    listening = open_socket(Address(settings.host, settings.port, tls, settings.insecure))
    url = url_of(listening, tls)
    token, is_new_token = _admin_token(settings)
    metrics = Metrics()
    async with (
        _opened_state(settings, catalog, token) as state,
        open_books(state.database, settings.home / "ledger") as books,
        open_counts(settings.url_of_limits) as counts,
        _engine_room(settings, catalog, state) as room,
        open_accounts(state, room, _budgets(settings, counts), _retention(settings, state), metrics) as accounts,
    ):
        health = Health(lambda: _offered(state), room.deployments)
        service, counters = _service(state, room), EndpointCounters(time.time)
        front = _front(settings, state, room, _Instruments(metrics, counters, books, counts, accounts, health))
        desk = _desk(settings, state, room, service, counters)
        planes = Planes(front.data, _management(settings, state, desk, accounts.retention), front.gateways)
        door = FrontDoor(
            planes,
            health,
            _metrics_page(settings, state, metrics),
            HostDescription(state.workspace_id, settings.public_url),
        )
        server = make_server(door, tls, settings.drain_timeout_s)
        server.end_on_signals(lambda: print("Stopping: running requests may end first.", flush=True))
        print(welcome(url, settings.home, token if is_new_token else None, _offered(state)), flush=True)
        background = [
            started(measure_lag(metrics), "loop lag"),
            started(front.work(), "engine audit or leases"),
            started(_tell_when_ready(health, room), "ready"),
            started(_rollouts(state, service, room).run(), "rollouts"),
            started(_end_without_engines(room, server), "engines"),
        ]
        await state.registry.imports.resume()
        _keep_what_is_here()
        with announced(settings.home, url, __version__):
            await server.serve(sockets=[listening])
        await state.registry.imports.stop()
        await cancelled(background)


@asynccontextmanager
async def _opened_state(settings: Settings, catalog: Catalog, token: str) -> AsyncIterator[State]:
    """What is stored; closed again whatever becomes of the server."""
    database = Database(settings.url_of_database)
    try:
        state = await asyncio.to_thread(open_state, database, catalog, _state_options(settings, token))
        try:
            yield state
        finally:
            await asyncio.to_thread(state.access.close)
    finally:
        await asyncio.to_thread(database.close)


def _state_options(settings: Settings, admin_token: str) -> StateOptions:
    return StateOptions(
        settings.home, settings.files_dir, admin_token, settings.alias_missing, settings.engine_context_length
    )


def _keep_what_is_here() -> None:
    """Take modules, routes and models out of garbage collection, and collect more seldom.

    A full collection looked at all of them and stopped every stream for 150 ms, at each fifth list of 500 endpoints.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_PER_COLLECTION, *gc.get_threshold()[1:])


@dataclass(frozen=True, slots=True)
class _Instruments:
    metrics: Metrics
    counters: EndpointCounters
    books: Books
    counts: Counts
    accounts: Accounts
    health: Health


@dataclass(frozen=True, slots=True)
class _Front:
    """What queries and gateways meet, and the work beside it."""

    data: AsgiApp
    gateways: AsgiApp
    work: Callable[[], Coroutine[None, None, None]]


def _front(settings: Settings, state: State, room: EngineRoom, instruments: _Instruments) -> _Front:
    instruments.metrics.watch_ledger(instruments.books.lag_bytes)
    if settings.role is Role.CONTROL:
        desk = LeaseDesk(state, room, lambda: instruments.health.waiting_for)
        return _Front(Elsewhere(_ASK_A_GATEWAY), desk, desk.run)
    books, metrics = instruments.books, instruments.metrics
    sinks = Sinks((UsageLog(), metrics, instruments.counters), instruments.accounts.payloads)
    exchanges = ExchangeLog(books.journal, books.attempts, sinks, metrics, time.time)
    guards = make_guards(instruments.counts, lambda: state.limits.rules, lambda: state.budgets.state, state.prices)
    gateway = make_gateway(settings, state.directory, room.fleet, guards)
    data = DataPlane(gateway, state.access.token_book, exchanges, state.prices, wire_options(settings))
    return _Front(data, Elsewhere(_NO_GATEWAYS), EngineAudit(room.reconciler.everyone, metrics).run)


def _desk(
    settings: Settings, state: State, room: EngineRoom, service: EndpointService, counters: EndpointCounters
) -> Desk:
    return Desk(
        state.directory,
        service,
        room.deployments,
        LogShelf(_log_dir(settings), room.depot),
        EndpointVitals(counters, room.reconciler.replicas),
    )


def _budgets(settings: Settings, counts: Counts) -> BudgetStore | None:
    """None where only gateways know the store that they share."""
    is_alone = settings.role is Role.CONTROL and settings.url_of_limits is None
    return None if is_alone else counts.budgets


def _retention(settings: Settings, state: State) -> RetentionDesk:
    days = settings.ledger_retention_days, settings.inference_table_retention_days
    return retention_desk(state.database, *days)


def _management(settings: Settings, state: State, desk: Desk, retention: RetentionDesk) -> FastAPI:
    return management_api(
        ControlPlane(
            state.access,
            desk,
            state.registry,
            state.workspace_id,
            settings.public_url,
            usage_desk(state.database, state.prices, retention),
            state.limits,
            state.budgets,
            retention.payloads,
        )
    )


def _service(state: State, room: EngineRoom) -> EndpointService:
    loop = asyncio.get_running_loop()

    def nudge() -> None:
        loop.call_soon_threadsafe(room.nudge)

    return endpoint_service(state, nudge)


def _rollouts(state: State, service: EndpointService, room: EngineRoom) -> Rollouts:
    rollouts = Rollouts(state.directory, room.deployments, service, room.demand.touch, room.renew)
    room.on_change(rollouts.nudge)
    return rollouts


def _offered(state: State) -> list[ServingEndpoint]:
    """The platform's own endpoints."""
    kind = EndpointType.FOUNDATION_MODEL_API
    return [e for e in state.directory.endpoints if e.endpoint_type is kind and not e.is_alias]


def _metrics_page(settings: Settings, state: State, metrics: Metrics) -> MetricsPage:
    """Open on a loopback address, unless a public URL says that something in front passes requests on to it."""
    is_local = is_loopback(settings.host) and settings.public_url is None
    return MetricsPage(metrics, None if is_local else state.access.token_book)


def _admin_token(settings: Settings) -> tuple[str, bool]:
    if settings.admin_token is not None:
        return settings.admin_token.get_secret_value(), False
    return ensure_admin_token(settings.home)


@asynccontextmanager
async def _engine_room(settings: Settings, catalog: Catalog, state: State) -> AsyncIterator[EngineRoom]:
    """The running fleet; on the way out, nothing is left of it."""
    environ = environment()
    runtime_dir = Path(tempfile.mkdtemp(prefix="openfm-"))
    _log_dir(settings).mkdir(exist_ok=True)
    engines = EngineSettings(
        settings.engine_slots, settings.engine_threads or len(_cores()), _log_dir(settings), runtime_dir
    )
    tools = PullTools(index_config(environ, settings.package_index))
    registered = RegistrySource(
        state.models, state.registry.resources.blobs, Workplace(settings.files_dir / "served", settings.home)
    )
    await asyncio.to_thread(registered.sweep)
    state.registry.resources.on_collect.append(registered.sweep_deleted)
    try:
        with shown(sys.stderr) as on_progress:
            plant = Plant(
                sources=(CatalogueSource(catalog, Warehouse(settings.weights_dir, tools, on_progress)), registered),
                workers=Workers(
                    engines,
                    lambda name: make_launcher(name, environ),
                    KeyedLauncher(make_launcher("external", environ, settings.egress_allow), state.access.secrets),
                ),
                machine=_machine(settings),
                scale_to_zero_after_s=settings.scale_to_zero_after_s,
                cold_start_deadline_s=settings.cold_start_deadline_s,
            )
            room = EngineRoom(state.directory, plant)
            async with room.running():
                yield room
    finally:
        shutil.rmtree(runtime_dir, ignore_errors=True)


def _machine(settings: Settings) -> Machine:
    memory = settings.engine_memory
    if memory is None:
        memory = int(available_memory_bytes() * _MEMORY_SHARE)
    return Machine(_cores(), memory, tuple(gpu.memory_bytes for gpu in gpus()))


def _cores() -> tuple[int, ...]:
    return tuple(sorted(os.sched_getaffinity(0)))


def _log_dir(settings: Settings) -> Path:
    return settings.home / "logs"


async def _tell_when_ready(health: Health, room: EngineRoom) -> None:
    began = time.monotonic()
    changed = asyncio.Event()
    room.on_change(changed.set)
    while health.waiting_for:
        await changed.wait()
        changed.clear()
    print(f"Ready after {time.monotonic() - began:.1f} s.", flush=True)


async def _end_without_engines(room: EngineRoom, server: Listener) -> None:
    """A server that starts and stops no engines any more ends, so that whoever runs it starts it again."""
    await room.has_ended.wait()
    server.should_exit = True
