"""Migrations and tables say the same, and a migration happens whole or not at all. On each kind of database."""

import json

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

import openfm.store.access_tables
import openfm.store.calibration_tables
import openfm.store.ledger_tables
import openfm.store.limit_tables
import openfm.store.registry_tables  # noqa: F401  # their tables are part of the metadata
from openfm.catalog.catalog import Catalog, load_catalog
from openfm.control.endpoints.defaults import ensure_default_endpoints
from openfm.control.endpoints.loading import load_endpoints
from openfm.control.workspace.service import ensure_workspace
from openfm.core.endpoint import EndpointDetails, ServingEndpoint, UpdateState
from openfm.core.errors import NotFound
from openfm.core.model import ServableModel
from openfm.core.principal import Principal
from openfm.scheduling.work import Throughput
from openfm.store.database import Database
from openfm.store.tables import metadata

FIRST = "0001"


class CatalogueModels:
    """The catalogue's models, without a registry around them."""

    def __init__(self, catalog: Catalog) -> None:
        self._profiles = {(model.entity_name, model.entity_version): model.profile for model in catalog.models}

    def served(self, entity_name: str, entity_version: str) -> ServableModel:
        """See `Models`."""
        if (entity_name, entity_version) not in self._profiles:
            raise NotFound(f"There is no {entity_name}.")
        return ServableModel(self._profiles[entity_name, entity_version], frozenset({entity_name}))

    def servable(self, entity_name: str, entity_version: str, caller: Principal) -> ServableModel:
        """See `Models`."""
        del caller
        return self.served(entity_name, entity_version)

    def are_registered(self, version_ids: frozenset[str]) -> bool:
        """See `Models`."""
        return version_ids <= {name for name, _ in self._profiles}

    def throughput(self, entity_name: str, entity_version: str) -> Throughput:
        """See `Models`."""
        raise NotImplementedError


@pytest.fixture
def catalog() -> Catalog:
    return load_catalog()


def loaded(database: Database, catalog: Catalog) -> list[ServingEndpoint]:
    return load_endpoints(database, CatalogueModels(catalog))


def differences(connection: Connection) -> list[object]:
    """Between migrations and tables. Comments are for whoever reads the code; no migration writes them."""
    found = compare_metadata(MigrationContext.configure(connection), metadata)
    changes = [change for group in found for change in (group if isinstance(group, list) else [group])]
    return [change for change in changes if change[0] != "modify_comment"]


def write_as_first_release(database: Database, catalog: Catalog) -> None:
    """A workspace with the default endpoints, as the code of revision 0001 wrote them."""
    with database.transaction() as connection:
        connection.execute(text("INSERT INTO workspace (id, created_timestamp) VALUES ('123', 5)"))
        for number, model in enumerate(catalog.defaults):
            name = model.endpoint_name
            entity = {"name": name, "entity_name": model.entity_name, "entity_version": model.entity_version}
            connection.execute(
                text("INSERT INTO serving_endpoints VALUES (:name, :id, :task, :kind, 'system', 6, 7, 1)"),
                {
                    "name": name,
                    "id": f"{number:032x}",
                    "task": model.profile.task.value,
                    "kind": "FOUNDATION_MODEL_API",
                },
            )
            connection.execute(
                text("INSERT INTO endpoint_configs VALUES (:name, 1, :entities, :routes, 7)"),
                {
                    "name": name,
                    "entities": json.dumps([entity]),
                    "routes": json.dumps([{"served_entity_name": name, "traffic_percentage": 100}]),
                },
            )


def test_migrations_make_exactly_the_tables_that_the_code_uses(database: Database) -> None:
    database.migrate()
    with database.transaction() as connection:
        assert differences(connection) == []


def test_a_database_of_the_first_release_keeps_its_endpoints(database: Database, catalog: Catalog) -> None:
    database.migrate(FIRST)
    write_as_first_release(database, catalog)
    database.migrate()
    assert ensure_workspace(database, 99) == "123"
    ensure_default_endpoints(database, catalog, 99)
    endpoints = loaded(database, catalog)
    assert len(endpoints) == 2
    assert {endpoint.name for endpoint in endpoints} == {model.endpoint_name for model in catalog.defaults}
    for endpoint in endpoints:
        assert (endpoint.creation_timestamp, endpoint.last_updated_timestamp) == (6, 7)
        assert (endpoint.update, endpoint.is_stopped, endpoint.details) == (
            UpdateState.NOT_UPDATING,
            False,
            EndpointDetails(),
        )
        (entity,) = endpoint.active.served_entities
        assert entity.deployment_id == endpoint.name
        assert endpoint.active.routes[0].traffic_percentage == 100
    with database.transaction() as connection:
        assert differences(connection) == []


def test_migrating_again_changes_nothing_and_loses_nothing(database: Database, catalog: Catalog) -> None:
    database.migrate()
    workspace_id = ensure_workspace(database, 1)
    ensure_default_endpoints(database, catalog, 1)
    before = loaded(database, catalog)
    assert len(before) == 2
    database.migrate()
    ensure_default_endpoints(database, catalog, 2)
    assert ensure_workspace(database, 2) == workspace_id
    assert loaded(database, catalog) == before


def test_a_migration_that_fails_leaves_nothing_behind(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(text("CREATE TABLE endpoint_configs (in_the_way INTEGER)"))
    with pytest.raises(DBAPIError):
        database.migrate()
    with database.transaction() as connection:
        assert inspect(connection).get_table_names() == ["endpoint_configs"]
