"""Builds every object and connects them. Imported by nobody; `openfm serve` loads it by name."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import uvloop
from fastapi import FastAPI

from openfm import __version__
from openfm.catalog.catalog import Catalog, load_catalog
from openfm.control.api import ControlPlane, management_api
from openfm.control.calibrations.routes import CalibrationDesk
from openfm.control.endpoints.rollout import Rollouts
from openfm.control.endpoints.routes import Desk
from openfm.control.endpoints.service import EndpointService
from openfm.control.identity.admin_token import ensure_admin_token
from openfm.control.limits.platform import Platform
from openfm.control.sql.statements import Statements
from openfm.core.endpoint import EndpointType, ServingEndpoint
from openfm.engine_wiring import engine_room, log_dir
from openfm.fleet.demand import Demand
from openfm.gateway.admission import Admission
from openfm.gateway.exchange import Sinks
from openfm.gateway.ports import UsageSink
from openfm.gateway.routes import DataPlane
from openfm.limits.budget_store import BudgetStore
from openfm.limits.opening import CannotShareLimits, Counts, open_counts
from openfm.metering.keeping import RetentionDesk
from openfm.metering.sql.desk import SqlDesk
from openfm.metering.sql.processes import SqlBounds
from openfm.server.account import MachineAccount
from openfm.server.accounts import Accounts, open_accounts
from openfm.server.audit import EngineAudit
from openfm.server.background import cancelled, keep_what_is_here, measure_lag, started
from openfm.server.banner import welcome
from openfm.server.books import Books, open_books, retention_desk, usage_desk
from openfm.server.calibrator import Bench, Calibrator
from openfm.server.capacity import PromisedCapacity
from openfm.server.elsewhere import Elsewhere
from openfm.server.engine_room import EngineRoom
from openfm.server.history import History, Watched
from openfm.server.home import HomeInUse, announced, locked_home
from openfm.server.in_process import StatementModels
from openfm.server.leases import LeaseDesk
from openfm.server.listener import Address, CannotListen, Listener, is_loopback, make_server, open_socket, url_of
from openfm.server.logs import LogShelf
from openfm.server.memory import Capacities, MachineMemory, MemoryCapacity
from openfm.server.overcommitment import Overcommitment
from openfm.server.pages import Pages, pages_folder
from openfm.server.platform import Offer
from openfm.server.promises import Measured, Promises, measured
from openfm.server.recall import taken_before
from openfm.server.router import AsgiApp, FrontDoor, Health, HostDescription, MetricsPage, Planes
from openfm.server.scale_log import ScaleLog
from openfm.server.state import (
    State,
    StateOptions,
    calibration_service,
    endpoint_service,
    now_ms,
    open_state,
    throughput_service,
)
from openfm.server.usage import open_usage
from openfm.server.vitals import EndpointVitals
from openfm.settings import Role, Settings, environment
from openfm.store.database import CannotOpenDatabase, Database
from openfm.telemetry.endpoint_metrics import EndpointCounters
from openfm.telemetry.logging import configure_logging
from openfm.telemetry.metrics import Metrics
from openfm.wiring import (
    CannotTrace,
    make_admission,
    make_exchanges,
    make_gateway,
    make_guards,
    platform_limits,
    tls_of,
    usage_sinks,
    wire_options,
)

_ASK_A_GATEWAY = (
    "This is the workspace's control server (role control), which answers no queries. Send them to a gateway."
)
_NO_GATEWAYS = "This server answers queries itself (role all). For gateways beside it, start it with --role control."


def serve(settings: Settings) -> int:
    """Run the server until it is told to end; the process's exit code."""
    configure_logging(settings.log_format)
    try:
        with locked_home(settings.home):
            uvloop.run(_serve(settings))
    except (HomeInUse, CannotListen, CannotOpenDatabase, CannotShareLimits, CannotTrace) as error:
        sys.stderr.write(f"openfm: {error}\n")
        return 1
    return 0


async def _serve(settings: Settings) -> None:
    catalog, tls = load_catalog(), tls_of(settings)
    listening = open_socket(Address(settings.host, settings.port, tls, settings.insecure))
    token, is_new_token = _admin_token(settings)
    metrics, counters = Metrics(), EndpointCounters(time.time)
    async with (
        usage_sinks(settings, metrics, counters) as sinks,
        _opened_state(settings, catalog, token) as state,
        open_books(state.database, settings.home) as books,
        open_counts(settings.url_of_limits, books.known, partial(taken_before, state)) as counts,
        _usage(settings, state) as sql,
        engine_room(settings, catalog, state) as room,
        open_accounts(state, room, _budgets(settings, counts), _retention(settings, state), metrics) as accounts,
    ):
        events = _scale_log(state, room)
        calibrator = _calibrator(state, room, events)
        health = Health(lambda: _offered(state), room.deployments)
        service = _service(state, room)
        front = _front(settings, state, room, _Instruments(metrics, counters, sinks, books, counts, accounts, health))
        extras = _Extras(_platform(settings, catalog, state), _asked(sql, front, state), calibrator, accounts.retention)
        management = _management(settings, state, room, _desk(settings, state, room, service, front.vitals), extras)
        door = _door(settings, state, await asyncio.to_thread(_planes, front, management), health, metrics)
        server, url = make_server(door, tls, settings.drain_timeout_s), url_of(listening, tls)
        server.end_on_signals(_tell_stopping)
        print(welcome(url, settings.home, token if is_new_token else None, _offered(state)), flush=True)
        work = {
            "loop lag": measure_lag(metrics),
            **front.work(),
            "ready": _tell_when_ready(health, room),
            "rollouts": _rollouts(state, service, room).run(),
            "calibrations": calibrator.run(),
            "events": events.run(),
            "engines": _end_without_engines(room, server),
        }
        background = [started(one, name) for name, one in work.items()]
        await state.registry.imports.resume()
        keep_what_is_here()
        with announced(settings.home, url, __version__):
            await server.serve(sockets=[listening])
        await asyncio.gather(extras.statements.close(), state.registry.imports.stop())
        await cancelled(background)


def _door(settings: Settings, state: State, planes: Planes, health: Health, metrics: Metrics) -> FrontDoor:
    description = HostDescription(state.workspace_id, settings.public_url)
    return FrontDoor(planes, health, _metrics_page(settings, state, metrics), description)


def _scale_log(state: State, room: EngineRoom) -> ScaleLog:
    told = ScaleLog(state.database, state.directory, now_ms)
    room.scaler.tell_to(told.tell)
    return told


def _planes(front: "_Front", management: AsgiApp) -> Planes:
    return Planes(front.data, management, front.gateways, Pages(pages_folder()))


def _tell_stopping() -> None:
    print("Stopping: running requests may end first.", flush=True)


def _platform(settings: Settings, catalog: Catalog, state: State) -> Platform:
    offer = Offer(catalog, state.directory, settings.weights_dir)
    return Platform(settings.region, platform_limits(settings), offer.models, settings.egress_allow)


def _usage(settings: Settings, state: State) -> AbstractAsyncContextManager[SqlDesk]:
    bounds = SqlBounds(settings.sql_memory, settings.sql_timeout_s)
    return open_usage(state, settings.home / "usage", bounds, environment(), _retention(settings, state))


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
        settings.home,
        settings.files_dir,
        admin_token,
        settings.alias_missing,
        settings.engine_context_length,
        settings.engine_slots,
    )


@dataclass(frozen=True, slots=True)
class _Instruments:
    metrics: Metrics
    counters: EndpointCounters
    sinks: Sequence[UsageSink]
    books: Books
    counts: Counts
    accounts: Accounts
    health: Health


@dataclass(frozen=True, slots=True)
class _Extras:
    platform: Platform
    statements: Statements
    calibrator: Calibrator
    retention: RetentionDesk


@dataclass(frozen=True, slots=True)
class _Front:
    """What queries and gateways meet, what the engines' numbers are, and the work beside it by its name."""

    data: AsgiApp
    gateways: AsgiApp
    vitals: EndpointVitals
    beside: Callable[[], Mapping[str, Coroutine[None, None, None]]]

    def work(self) -> dict[str, Coroutine[None, None, None]]:
        """To be run for ever."""
        return {**self.beside(), "history": self.vitals.run()}


def _front(settings: Settings, state: State, room: EngineRoom, instruments: _Instruments) -> _Front:
    instruments.metrics.watch_ledger(instruments.books.lag_bytes)
    promises = _promises(state)
    if settings.role is Role.CONTROL:
        room.scaler.connect(promises, None)
        desk = LeaseDesk(state, room, lambda: instruments.health.waiting_for)
        vitals = _vitals(state, room, None, instruments.counters)
        return _Front(Elsewhere(_ASK_A_GATEWAY), desk, vitals, lambda: {"leases": desk.run()})
    books, metrics = instruments.books, instruments.metrics
    accounts = instruments.accounts
    sinks = Sinks((*instruments.sinks, accounts.refusals), accounts.payloads)
    exchanges = make_exchanges(books, instruments.counts, sinks, metrics)
    guards = make_guards(instruments.counts, lambda: state.limits.rules, lambda: state.budgets.state, state.prices)
    gateway = make_gateway(state.directory, room.fleet, make_admission(settings, state.weights, promises), guards)
    room.scaler.connect(promises, gateway.admission.provisions.asked_per_s)
    metrics.watch_provisioned(gateway.admission.provisions.utilisations)
    data = DataPlane(gateway, state.access.token_book, exchanges, state.prices, wire_options(settings))
    vitals = _vitals(state, room, gateway.admission, instruments.counters)
    audit = EngineAudit(room.reconciler.everyone, metrics)
    return _Front(data, Elsewhere(_NO_GATEWAYS), vitals, lambda: {"engine audit": audit.run()})


def _vitals(state: State, room: EngineRoom, admission: Admission | None, counters: EndpointCounters) -> EndpointVitals:
    """Without an admission here gateways have the lines, and nobody here knows how long they are."""
    replicas = room.reconciler.replicas
    waiting = None if admission is None else partial(_waiting, room.demand, admission)
    history = History(Watched(lambda: state.directory.endpoints, replicas, waiting, time.time))
    return EndpointVitals(counters, replicas, history)


def _asked(sql: SqlDesk, front: _Front, state: State) -> Statements:
    return Statements(sql, StatementModels(front.data, state.directory.visible), time.monotonic)


def _waiting(demand: Demand, admission: Admission, deployment_id: str) -> int:
    """For a start, and then for a place."""
    return demand.waiters(deployment_id) + admission.waiting_for(deployment_id)


def _measured(state: State) -> Measured:
    return measured(state.profiles, state.models.throughput)


def _promises(state: State) -> Promises:
    return Promises(_measured(state))


def _desk(settings: Settings, state: State, room: EngineRoom, service: EndpointService, vitals: EndpointVitals) -> Desk:
    return Desk(state.directory, service, room.deployments, LogShelf(log_dir(settings), room.depot), vitals)


def _budgets(settings: Settings, counts: Counts) -> BudgetStore | None:
    """None where only gateways know the store that they share."""
    is_alone = settings.role is Role.CONTROL and settings.url_of_limits is None
    return None if is_alone else counts.budgets


def _retention(settings: Settings, state: State) -> RetentionDesk:
    days = settings.ledger_retention_days, settings.inference_table_retention_days
    return retention_desk(state.database, *days)


def _management(settings: Settings, state: State, room: EngineRoom, desk: Desk, extras: _Extras) -> FastAPI:
    usage = usage_desk(state.database, state.prices, extras.retention)
    return management_api(
        ControlPlane(
            access=state.access,
            desk=desk,
            registry=state.registry,
            workspace_id=state.workspace_id,
            public_url=settings.public_url,
            usage=usage,
            limits=state.limits,
            weights=state.weights,
            budgets=state.budgets,
            payloads=extras.retention.payloads,
            platform=extras.platform,
            sql=extras.statements.sql,
            statements=extras.statements,
            calibrations=_calibration_desk(state, extras.calibrator),
            throughput=throughput_service(
                state,
                usage.prices,
                MachineAccount(room.machine, room.reconciler),
                MachineMemory(_memory(state, room), state.directory),
                PromisedCapacity(_measured(state)),
            ),
        )
    )


def _calibrator(state: State, room: EngineRoom, events: ScaleLog) -> Calibrator:
    promised = Overcommitment(state.directory, PromisedCapacity(_measured(state)), events.tell)
    bench = Bench(calibration_service(state), state.models, state.directory, room, state.profiles.here, promised.look)
    calibrator = Calibrator(bench)
    room.on_change(calibrator.on_fleet_change)
    return calibrator


def _calibration_desk(state: State, calibrator: Calibrator) -> CalibrationDesk:
    loop = asyncio.get_running_loop()

    def nudge() -> None:
        loop.call_soon_threadsafe(calibrator.nudge)

    return CalibrationDesk(calibration_service(state), nudge)


def _memory(state: State, room: EngineRoom) -> MemoryCapacity:
    return MemoryCapacity(room.machine.memory_bytes, state.footprints.of, _promises(state).bounds)


def _service(state: State, room: EngineRoom) -> EndpointService:
    loop = asyncio.get_running_loop()

    def nudge() -> None:
        loop.call_soon_threadsafe(room.nudge)

    capacity = Capacities(PromisedCapacity(_measured(state)), _memory(state, room))
    return endpoint_service(state, capacity, nudge)


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
