"""What is kept in the database and in memory of it: opened at start, before anything runs."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from openfm.catalog.catalog import Catalog
from openfm.control.access_setup import Access, open_access
from openfm.control.budgets.service import BudgetBook
from openfm.control.calibrations.profiles import Here, ProfileBook
from openfm.control.calibrations.service import CalibrationOffice, CalibrationService
from openfm.control.endpoints.defaults import alias_endpoints, alias_names, ensure_default_endpoints
from openfm.control.endpoints.directory import EndpointDirectory
from openfm.control.endpoints.loading import load_endpoints
from openfm.control.endpoints.models import KnownModels
from openfm.control.endpoints.parsing import Workshop
from openfm.control.endpoints.ports import Capacity
from openfm.control.endpoints.service import EndpointService, Office
from openfm.control.limits.service import LimitBook
from openfm.control.limits.weights import WeightBook
from openfm.control.registry.setup import Neighbours, Registry
from openfm.control.throughput.ports import FleetAccount, MemoryAccount, PromiseAccount
from openfm.control.throughput.service import ThroughputOffice, ThroughputService
from openfm.control.usage.ports import Prices
from openfm.control.workspace.service import ensure_workspace
from openfm.core.endpoint import ServingEndpoint
from openfm.metering.price_list import KnownPrices
from openfm.server.fetcher import HubFetcher
from openfm.server.footprint import Footprints
from openfm.server.here import engine_version, this_hardware
from openfm.server.revision import Revision
from openfm.store.blobs import BlobStore
from openfm.store.database import Database, TakeOver
from openfm.weights.inspection import inspect


@dataclass(frozen=True, slots=True)
class StateOptions:
    """What the operator chose about it."""

    home: Path
    registry_dir: Path
    admin_token: str
    has_aliases: bool
    longest_context: int | None
    engine_slots: int


@dataclass(frozen=True, slots=True)
class State:
    """The control plane's objects."""

    database: Database
    workspace_id: str
    access: Access
    directory: EndpointDirectory
    models: KnownModels
    footprints: Footprints
    registry: Registry
    limits: LimitBook
    weights: WeightBook
    budgets: BudgetBook
    prices: KnownPrices
    profiles: ProfileBook
    revision: Revision


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def now_us() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


def all_of(*kinds: TakeOver) -> TakeOver:
    """Memory of several kinds, taken over together."""

    def take_over(connection: Connection) -> Callable[[], None]:
        swaps = [each(connection) for each in kinds]

        def swap() -> None:
            for each in swaps:
                each()

        return swap

    return take_over


def open_state(database: Database, catalog: Catalog, options: StateOptions) -> State:
    """Migrate, make what must be there, and read it. Blocks."""
    revision = Revision()
    database.migrate()
    workspace_id = ensure_workspace(database, now_ms())
    limits = LimitBook(database, revision.grow, alias_names(catalog) if options.has_aliases else frozenset())
    weights = WeightBook(database, revision.grow)
    budgets = BudgetBook(database, now_us, revision.grow)
    prices = KnownPrices(revision.grow)
    with database.transaction(prices.take_over):
        pass
    together = all_of(limits.take_over, weights.take_over, budgets.take_over)
    access = open_access(database, options.home, options.admin_token, now_ms, together)
    directory = EndpointDirectory(access.grants)
    profiles = ProfileBook(Here(this_hardware(), engine_version))
    with database.transaction(profiles.take_over):
        pass
    neighbours = Neighbours(
        access.grants, directory, partial(inspect, links_into=options.registry_dir), HubFetcher(), profiles
    )
    registry = Registry(database, BlobStore(options.registry_dir), catalog, neighbours)
    registry.prepare()
    models = KnownModels(registry.servable, options.longest_context)
    directory.on_change(revision.grow)
    directory.publish(_endpoints(database, catalog, models, options))
    return State(
        database,
        workspace_id,
        access,
        directory,
        models,
        Footprints(catalog, models, options.engine_slots),
        registry,
        limits,
        weights,
        budgets,
        prices,
        profiles,
        revision,
    )


def _endpoints(
    database: Database, catalog: Catalog, models: KnownModels, options: StateOptions
) -> list[ServingEndpoint]:
    """Those that are stored, the platform's own among them, and the aliases."""
    ensure_default_endpoints(database, catalog, now_ms())
    endpoints = load_endpoints(database, models)
    return [*endpoints, *(alias_endpoints(catalog, endpoints) if options.has_aliases else ())]


def calibration_service(state: State) -> CalibrationService:
    """The one writer of calibrations."""
    return CalibrationService(CalibrationOffice(state.database, state.registry.servable, state.profiles, now_ms))


def throughput_service(
    state: State, prices: Prices, fleet: FleetAccount, memory: MemoryAccount, promises: PromiseAccount
) -> ThroughputService:
    """Who answers questions about throughput."""
    return ThroughputService(
        ThroughputOffice(
            state.database,
            state.directory,
            state.registry.servable,
            state.profiles,
            prices,
            fleet,
            memory,
            promises,
            lambda: time.time_ns() // 1000,
        )
    )


def endpoint_service(state: State, capacity: Capacity, on_change: Callable[[], None]) -> EndpointService:
    """The one writer of endpoints."""
    workshop = Workshop(state.models, state.access.secrets)
    return EndpointService(
        Office(state.database, state.directory, workshop, state.access.grants, capacity, now_ms, on_change)
    )
