"""The model registry, put together: `app.py` makes one `Registry` and gives it to the management API."""

import shutil
from dataclasses import dataclass

from fastapi import FastAPI

from openfm.catalog.catalog import Catalog
from openfm.control.files import routes as files_routes
from openfm.control.files.service import Files
from openfm.control.registry import mlflow_routes, openfm_routes, uc_routes
from openfm.control.registry.catalogue import ensure_catalogue_models
from openfm.control.registry.desk import RegistryDesk
from openfm.control.registry.imports import Imports
from openfm.control.registry.models import ServableModels
from openfm.control.registry.ports import Fetcher, Inspector, Measured, ModelGrants, ServedVersions
from openfm.control.registry.resources import Resources
from openfm.control.registry.service import Models
from openfm.control.registry.versions import Versions
from openfm.store.blobs import BlobStore
from openfm.store.database import Database
from openfm.store.uploads import Uploads

ROUTERS = (openfm_routes.router, uc_routes.router, mlflow_routes.router, files_routes.router)
"""In this order, and before the endpoints' router: `get-model-optimization-info` is no endpoint's name."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Those whom the registry asks."""

    grants: ModelGrants
    served: ServedVersions
    inspector: Inspector
    fetcher: Fetcher
    measured: Measured


class Registry:
    """The registry's services, made from the database, the contents on disk and the catalogue."""

    def __init__(self, database: Database, blobs: BlobStore, catalog: Catalog, neighbours: Neighbours) -> None:
        uploads = Uploads(blobs.root / "uploads")
        self.resources = Resources(database, blobs, uploads, neighbours.grants, neighbours.served)
        self.servable = ServableModels(database, catalog, neighbours.grants, neighbours.measured)
        self.versions = Versions(self.resources, neighbours.inspector)
        self.models = Models(self.resources)
        self.files = Files(self.resources)
        self.imports = Imports(self.resources, self.models, self.versions, neighbours.fetcher)
        self._catalog = catalog

    def prepare(self) -> None:
        """Make the folders, remove what a crash left, register the catalogue's models. Blocks; call it at start."""
        self.resources.blobs.prepare()
        self.resources.uploads.prepare()
        shutil.rmtree(self.resources.blobs.root / "layouts", ignore_errors=True)
        ensure_catalogue_models(self.resources.database, self._catalog, self.resources.now_ms())
        self.resources.collect()

    def install(self, api: FastAPI) -> None:
        """Add the routes."""
        api.state.registry_desk = RegistryDesk(self.models, self.versions, self.servable, self.imports)
        api.state.files = self.files
        for router in ROUTERS:
            api.include_router(router)
