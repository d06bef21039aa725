"""What a gateway process keeps in memory of the database that the control server writes."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from openfm.catalog.catalog import Catalog
from openfm.control.access_setup import AccessView, view_access
from openfm.control.budgets.service import BudgetBook
from openfm.control.calibrations.profiles import Here, ProfileBook
from openfm.control.endpoints.defaults import alias_endpoints
from openfm.control.endpoints.directory import EndpointDirectory
from openfm.control.endpoints.loading import load_endpoints
from openfm.control.endpoints.models import KnownModels
from openfm.control.limits.service import LimitBook
from openfm.control.limits.weights import WeightBook
from openfm.control.registry.models import ServableModels
from openfm.control.workspace.service import ensure_workspace
from openfm.metering.price_list import KnownPrices
from openfm.scheduling.work import Throughput
from openfm.server.here import engine_version, this_hardware
from openfm.server.state import all_of, now_ms, now_us
from openfm.store.database import Database


@dataclass(frozen=True, slots=True)
class GatewayOptions:
    """What the operator chose about it; the same as the control server's."""

    home: Path
    admin_token: str
    has_aliases: bool
    longest_context: int | None


class GatewayState:
    """Endpoints, access, limits, weights, budgets and prices. Empty until `catch_up`."""

    def __init__(self, database: Database, catalog: Catalog, options: GatewayOptions) -> None:
        self._database = database
        self._catalog = catalog
        self._options = options
        self.limits = LimitBook(database)
        self.weights = WeightBook(database)
        self.budgets = BudgetBook(database, now_us)
        self.prices = KnownPrices(lambda: None)
        self.profiles = ProfileBook(Here(this_hardware(), engine_version))
        self.access: AccessView = view_access(
            database,
            options.home,
            options.admin_token,
            now_ms,
            all_of(self.limits.take_over, self.weights.take_over, self.budgets.take_over),
        )
        self.directory = EndpointDirectory(self.access.grants)
        self._models: KnownModels | None = None

    def workspace_id(self) -> str:
        """The workspace's id. Blocks."""
        return ensure_workspace(self._database, now_ms())

    async def catch_up(self) -> None:
        """Take over what was committed. Raises `Unavailable` where the database does not answer."""
        await asyncio.to_thread(self._reload)

    def take_used(self) -> Mapping[str, int]:
        """When access tokens were used here since the last call: id -> ms since the epoch."""
        return self.access.token_book.take_used()

    def throughput(self, entity_name: str, entity_version: str) -> Throughput:
        """See `control.endpoints.ports.Models.throughput`; of versions that are served."""
        if self._models is None:
            raise AssertionError("asked before catch_up")
        return self._models.throughput(entity_name, entity_version)

    def _reload(self) -> None:
        self.access.reload()
        for memory in (self.prices, self.profiles):
            with self._database.transaction(memory.take_over):
                pass
        versions = ServableModels(self._database, self._catalog, self.access.grants, self.profiles)
        # New ones each time: a version that was deleted and made again has other files.
        models = KnownModels(versions, self._options.longest_context)
        endpoints = load_endpoints(self._database, models)
        self._models = models
        aliases = alias_endpoints(self._catalog, endpoints) if self._options.has_aliases else []
        self.directory.publish([*endpoints, *aliases])
