"""`system.serving.served_entities`: usage says what it was of, whatever became of the endpoint."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from openfm.core.principal import Principal
from openfm.core.sql import SqlQuestion
from openfm.metering.sql.archive import Archive
from openfm.metering.sql.desk import SqlDesk
from openfm.metering.sql.processes import SqlBounds, SqlProcesses
from openfm.store.database import Database
from openfm.store.tables import deleted_endpoints
from tests.integration.test_endpoint_service import Desk
from tests.integration.usage_rows import drawn_rows, insert_rows
from tests.unit.control.endpoints.fakes import ANN

ADMIN = Principal("0", "admin", is_admin=True)
EVE = Principal("9", "eve@example.org")
ENTITIES = "system.serving.served_entities"
KEY = "sk-that-nobody-may-read"
EXTERNAL = {
    "served_entities": [
        {
            "name": "far",
            "external_model": {
                "name": "gpt-x",
                "provider": "openai",
                "task": "llm/v1/chat",
                "openai_config": {"openai_api_key_plaintext": KEY},
            },
        }
    ]
}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    database = Database(f"sqlite:///{tmp_path / 'openfm.db'}")
    database.migrate()
    yield Desk(database)
    database.close()


@pytest.fixture
def sql(desk: Desk, tmp_path: Path) -> Iterator[SqlDesk]:
    processes = SqlProcesses(SqlBounds(memory_bytes=256 << 20, seconds=20.0), dict(os.environ))

    def visible(caller: Principal) -> frozenset[str]:
        return frozenset(endpoint.id for endpoint in desk.directory.visible(caller))

    yield SqlDesk(desk.database, Archive(tmp_path / "usage"), processes, "7", visible)
    processes.close()


def ask(sql: SqlDesk, text: str, caller: Principal = ADMIN) -> list[list[Any]]:
    return [list(row) for row in asyncio.run(sql.ask(SqlQuestion(text, 100), caller)).rows]


def used(desk: Desk, caller: Principal) -> None:
    """A request of the caller's to the first config of the endpoint."""
    entity = desk.mine.active.served_entities[0]
    facts = {"endpoint_id": desk.mine.id, "endpoint_name": "mine", "served_entity": entity.name}
    (row,) = drawn_rows(1, seed=1)
    insert_rows(desk.database, [row | facts | {"principal_id": caller.id, "principal_name": caller.name}])


def test_usage_of_a_deleted_endpoint_still_says_what_it_was_of(desk: Desk, sql: SqlDesk) -> None:
    desk.create()
    desk.service.commit(desk.mine)
    used(desk, EVE)
    joined = (
        "SELECT endpoint_delete_time, e.entity_name FROM system.serving.endpoint_usage u "
        f"JOIN {ENTITIES} e USING (served_entity_id)"
    )
    assert ask(sql, joined) == [[None, "main.a.llama"]]
    desk.now = 5000
    desk.service.delete("mine")
    desk.create()
    desk.service.commit(desk.mine)
    for caller in (ADMIN, EVE):
        assert ask(sql, joined, caller) == [["1970-01-01T00:00:05", "main.a.llama"]]


def test_deleted_endpoints_are_seen_by_who_made_or_used_them(desk: Desk, sql: SqlDesk) -> None:
    desk.create()
    desk.service.commit(desk.mine)
    desk.service.delete("mine")
    count = f"SELECT count(*) FROM {ENTITIES}"
    assert [ask(sql, count, caller) for caller in (ADMIN, ANN, EVE)] == [[[1]], [[1]], [[0]]]


def test_a_row_has_the_config_of_its_kind_and_no_key_outlives_its_endpoint(desk: Desk, sql: SqlDesk) -> None:
    desk.create()
    desk.create("other", config=EXTERNAL)
    asked = (
        "SELECT external_model_config, foundation_model_config, custom_model_config, feature_spec_config, "
        f"endpoint_delete_time IS NULL FROM {ENTITIES} ORDER BY endpoint_name"
    )
    custom = {"min_concurrency": None, "max_concurrency": None, "compute_type": "CPU"}
    assert ask(sql, asked) == [
        [None, None, custom, None, True],
        [{"provider": "openai"}, None, None, None, True],
    ]
    desk.service.delete("other")
    assert ask(sql, asked)[1] == [{"provider": "openai"}, None, None, None, False]
    with desk.database.transaction() as connection:
        (kept,) = connection.execute(select(deleted_endpoints.c.configs)).scalars()
    assert kept[0]["served_entities"][0]["external"] == {"provider": "openai"}
