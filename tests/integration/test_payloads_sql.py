"""Inference tables in SQL: under the name that the endpoint gave them, for those who manage it."""

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from openfm.core.endpoint import served_entity_id
from openfm.core.errors import InvalidRequest
from openfm.core.principal import Principal
from openfm.core.sql import SqlQuestion
from openfm.metering.payloads import PayloadDesk
from openfm.metering.sql.archive import Archive
from openfm.metering.sql.desk import SqlDesk
from openfm.metering.sql.payload_tables import PayloadTables
from openfm.metering.sql.processes import SqlBounds, SqlProcesses
from openfm.store.database import Database
from openfm.store.usage_tables import payloads
from tests.integration.usage_rows import drawn_rows, insert_rows

ADMIN = Principal("0", "admin", is_admin=True)
ANN = Principal("p1", "user1@example.org")
TABLES = {"main.llm.chat_payload": ["e1"], 'main.llm.odd"name_payload': ["e0", "e2"]}


def managed(caller: Principal) -> Mapping[str, Sequence[str]]:
    return TABLES if caller.is_admin else {}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[SqlDesk]:
    database = Database(f"sqlite:///{tmp_path / 'openfm.db'}")
    database.migrate()
    processes = SqlProcesses(SqlBounds(memory_bytes=256 << 20, seconds=20.0), dict(os.environ))
    tables = PayloadTables(PayloadDesk(database, 30, lambda: 0), managed)
    yield SqlDesk(database, Archive(tmp_path / "usage"), processes, "7", lambda _: frozenset(), tables)
    processes.close()
    database.close()


def keep(desk: SqlDesk, rows: Sequence[Mapping[str, Any]], request: str = '{"messages": []}') -> None:
    """A row of an inference table for each of the ledger's."""
    kept = [
        {
            "databricks_request_id": row["request_id"],
            "endpoint_id": row["endpoint_id"],
            "client_request_id": "mine",
            "request_time_us": row["received_us"],
            "status_code": 200,
            "sampling_fraction": 1.0,
            "execution_duration_ms": 5,
            "request": request,
            "response": None,
            "served_entity_id": served_entity_id(row["endpoint_id"], row["config_version"], row["served_entity"]),
            "logging_error_codes": ["MAX_RESPONSE_SIZE_EXCEEDED"],
            "requester": row["principal_name"],
        }
        for row in rows
    ]
    with desk.database.transaction() as connection:
        connection.execute(insert(payloads), kept)


def ask(desk: SqlDesk, text: str, caller: Principal = ADMIN) -> list[list[Any]]:
    return [list(row) for row in asyncio.run(desk.ask(SqlQuestion(text, 100), caller)).rows]


def test_rows_join_usage_by_request_and_by_served_entity(desk: SqlDesk) -> None:
    rows = list(drawn_rows(1500, seed=2))
    insert_rows(desk.database, rows)
    keep(desk, rows)
    joined = (
        "SELECT count(*) FROM Main.llm.chat_payload p JOIN system.serving.endpoint_usage u "
        "USING (databricks_request_id, served_entity_id) WHERE p.request_date = CAST(u.request_time AS DATE)"
    )
    assert ask(desk, joined) == [[sum(row["endpoint_id"] == "e1" for row in rows)]]
    others = 'SELECT count(*) FROM main.llm."odd""name_payload"'
    assert ask(desk, others) == [[sum(row["endpoint_id"] == "e0" for row in rows)]]
    shown = "SELECT request, response, logging_error_codes, client_request_id FROM main.llm.chat_payload LIMIT 1"
    assert ask(desk, shown) == [['{"messages": []}', None, ["MAX_RESPONSE_SIZE_EXCEEDED"], "mine"]]


def test_who_does_not_manage_the_endpoint_finds_no_table(desk: SqlDesk) -> None:
    keep(desk, list(drawn_rows(5, seed=2)))
    for text in ("SELECT * FROM main.llm.chat_payload", "SELECT * FROM payloads_0", "SELECT * FROM main.llm.other"):
        with pytest.raises(InvalidRequest, match="no table") as refused:
            ask(desk, text, ANN)
        assert "chat" not in refused.value.message.partition("There are")[2]


def test_a_file_of_rows_cannot_be_asked_past_its_table(desk: SqlDesk) -> None:
    keep(desk, list(drawn_rows(5, seed=2)))
    for text in ("SELECT * FROM payloads_0", "SELECT * FROM main.payloads_1", "SELECT * FROM chat_payload"):
        with pytest.raises(InvalidRequest, match="no table"):
            ask(desk, text)


def test_a_table_that_is_too_large_for_a_question_says_how_to_read_it(desk: SqlDesk) -> None:
    keep(desk, list(drawn_rows(40, seed=2)), request="x" * 100_000)
    assert desk.payloads is not None
    small = replace(desk, payloads=replace(desk.payloads, most_bytes=1 << 20))
    with pytest.raises(InvalidRequest, match="inference-tables"):
        ask(small, "SELECT count(*) FROM main.llm.chat_payload")
    assert ask(small, "SELECT count(*) FROM system.serving.endpoint_usage") == [[0]]
