"""Builds a gateway: the process that only takes queries, beside a control server on the same home folder.

Imported by nobody; `openfm serve --role gateway` loads it by name.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvloop

from openfm import __version__
from openfm.catalog.catalog import load_catalog
from openfm.control.budgets.bookkeeping import BudgetBookkeeper
from openfm.control.identity.admin_token import ADMIN_TOKEN_FILE
from openfm.engines.catalog import make_launcher
from openfm.gateway.admission import Admission
from openfm.gateway.exchange import Sinks
from openfm.gateway.routes import DataPlane
from openfm.limits.opening import CannotShareLimits, open_counts
from openfm.metering.payloads import PayloadWriter
from openfm.metering.refusals import RefusalWriter
from openfm.server.background import cancelled, keep_what_is_here, measure_lag, started
from openfm.server.books import open_gateway_books
from openfm.server.control_link import ControlLink, ControlUnreachable, control_link
from openfm.server.elsewhere import Elsewhere
from openfm.server.external import ExternalEngines, KeyedLauncher
from openfm.server.gateway_state import GatewayOptions, GatewayState
from openfm.server.leased_fleet import LeasedFleet
from openfm.server.listener import Address, CannotListen, is_loopback, make_server, open_socket, url_of
from openfm.server.promises import DividedPromises, Promises, measured
from openfm.server.router import FrontDoor, HostDescription, MetricsPage, Planes
from openfm.server.state import now_us
from openfm.settings import Settings, environment
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
    tls_of,
    usage_sinks,
    wire_options,
)

_ASK_THE_CONTROL = "This is a gateway (role gateway), which only answers queries. Send this to the control server."


class CannotJoin(Exception):  # the message is for people
    """This process cannot be a gateway here."""


def serve(settings: Settings) -> int:
    """Run the gateway until it is told to end; the process's exit code."""
    configure_logging(settings.log_format)
    try:
        uvloop.run(_serve(settings, _admin_token(settings)))
    except (CannotJoin, CannotListen, CannotOpenDatabase, CannotShareLimits, CannotTrace, ControlUnreachable) as error:
        sys.stderr.write(f"openfm: {error}\n")
        return 1
    return 0


async def _serve(settings: Settings, token: str) -> None:
    if settings.url_of_limits is None:
        raise CannotJoin(
            "Gateways count limits together in a Redis-compatible server. Set OPENFM_VALKEY_URL, the same for all."
        )
    tls = tls_of(settings)
    listening = open_socket(Address(settings.host, settings.port, tls, settings.insecure))
    metrics = Metrics()
    async with (
        usage_sinks(settings, metrics, EndpointCounters(time.time)) as sinks,
        _database(settings) as database,
        open_gateway_books(database, settings.home) as books,
        open_counts(settings.url_of_limits, books.known) as counts,
        control_link(settings.home, settings.control_url, token, settings.cold_start_deadline_s) as control,
    ):
        state = await asyncio.to_thread(_state, settings, database, token)
        fleet = _fleet(settings, state, control)
        guards = make_guards(counts, lambda: state.limits.rules, lambda: state.budgets.state, state.prices)
        gateway = make_gateway(state.directory, fleet, _admission(settings, state, fleet), guards)
        metrics.watch_provisioned(gateway.admission.provisions.utilisations)
        payloads, refusals = PayloadWriter(database, metrics.payload_dropped), RefusalWriter(database)
        exchanges = make_exchanges(books, counts, Sinks((*sinks, refusals), payloads), metrics)
        data = DataPlane(gateway, state.access.token_book, exchanges, state.prices, wire_options(settings))
        asked, host = Elsewhere(_ASK_THE_CONTROL), await asyncio.to_thread(state.workspace_id)
        page, described = _metrics_page(settings, state, metrics), HostDescription(host, settings.public_url)
        door = FrontDoor(Planes(data, management=asked, gateways=asked, pages=asked), fleet, page, described)
        server = make_server(door, tls, settings.drain_timeout_s)
        server.end_on_signals(lambda: print("Stopping: running requests may end first.", flush=True))
        work = {
            "loop lag": measure_lag(metrics),
            "fleet": fleet.run(),
            "inference tables": payloads.run(),
            "refusals": refusals.run(),
            "budgets": BudgetBookkeeper(database, state.budgets, counts.budgets, metrics).run(now_us),
        }
        background = [started(one, name) for name, one in work.items()]
        await fleet.joined()
        keep_what_is_here()
        print(f"openfm {__version__} gateway listens on {url_of(listening, tls)}", flush=True)
        await server.serve(sockets=[listening])
        await cancelled(background)


def _metrics_page(settings: Settings, state: GatewayState, metrics: Metrics) -> MetricsPage:
    """Open on a loopback address, unless a public URL says that something in front passes requests on to it."""
    is_local = is_loopback(settings.host) and settings.public_url is None
    return MetricsPage(metrics, None if is_local else state.access.token_book)


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings.url_of_database)
    try:
        yield database
    finally:
        await asyncio.to_thread(database.close)


def _state(settings: Settings, database: Database, token: str) -> GatewayState:
    options = GatewayOptions(settings.home, token, settings.alias_missing, settings.engine_context_length)
    return GatewayState(database, load_catalog(), options)


def _fleet(settings: Settings, state: GatewayState, control: ControlLink) -> LeasedFleet:
    launcher = KeyedLauncher(make_launcher("external", environment(), settings.egress_allow), state.access.secrets)
    externals = ExternalEngines(launcher, state.directory.is_served, settings.home)
    return LeasedFleet(control, externals, state.catch_up, state.take_used, settings.cold_start_deadline_s)


def _admission(settings: Settings, state: GatewayState, fleet: LeasedFleet) -> Admission:
    whole = Promises(measured(state.profiles, state.throughput))
    return make_admission(settings, state.weights, DividedPromises(whole, lambda: fleet.gateways))


def _admin_token(settings: Settings) -> str:
    if settings.admin_token is not None:
        return settings.admin_token.get_secret_value()
    path = settings.home / ADMIN_TOKEN_FILE
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        raise CannotJoin(
            f"{path} cannot be read. Start the control server first: openfm serve --role control --home {settings.home}"
        ) from None
