"""Migrations and tables say the same, and a migration happens whole or not at all."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text
from sqlalchemy.exc import OperationalError

import openfm.store.registry_tables  # noqa: F401  # its tables are part of the metadata
from openfm.catalog.catalog import load_catalog
from openfm.control.endpoints.service import active_endpoints, ensure_default_endpoints
from openfm.control.workspace.service import ensure_workspace
from openfm.store.database import Database
from openfm.store.tables import metadata


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(f"sqlite:///{tmp_path / 'openfm.db'}")


def test_migrations_make_exactly_the_tables_that_the_code_uses(database: Database) -> None:
    database.migrate()
    with database.transaction() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    database.close()


def test_migrating_again_changes_nothing_and_loses_nothing(database: Database) -> None:
    database.migrate()
    workspace_id = ensure_workspace(database, 1)
    ensure_default_endpoints(database, load_catalog(), 1)
    before = active_endpoints(database, load_catalog())
    database.migrate()
    ensure_default_endpoints(database, load_catalog(), 2)
    assert ensure_workspace(database, 2) == workspace_id
    assert active_endpoints(database, load_catalog()) == before
    database.close()


def test_a_migration_that_fails_leaves_nothing_behind(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(text("CREATE TABLE endpoint_configs (in_the_way INTEGER)"))
    with pytest.raises(OperationalError):
        database.migrate()
    with database.transaction() as connection:
        assert inspect(connection).get_table_names() == ["endpoint_configs"]
    database.close()
