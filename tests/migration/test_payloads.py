"""Inference tables on each kind of database: written beside the requests, read in pages, forgotten in time."""

from dataclasses import replace

import pytest
from sqlalchemy import insert

from openfm.core.errors import InvalidParameterValue
from openfm.core.payload import Payload
from openfm.core.report import DAY_US
from openfm.metering.payloads import MOST_BUFFERED, PayloadDesk, PayloadWriter
from openfm.store.database import Database
from openfm.store.tables import serving_endpoints

NOON_US = 1_795_000_000_000_000
ONE = Payload("r0", "e1", "mine", NOON_US, 200, 12, '{"messages": []}', '{"choices": []}', "d", "ana")


class Counted:
    """How many were left out."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


@pytest.fixture
def dropped() -> Counted:
    return Counted()


@pytest.fixture
def writer(database: Database, dropped: Counted) -> PayloadWriter:
    database.migrate()
    with database.transaction() as connection:
        values = {"task": "llm/v1/chat", "endpoint_type": "CUSTOM_MODEL", "creator": "admin"}
        times = {"creation_timestamp": 0, "last_updated_timestamp": 0, "active_config_version": 0}
        connection.execute(insert(serving_endpoints).values(name="chat", id="e1", **values, **times))
    return PayloadWriter(database, dropped)


def desk(database: Database, now_us: int = NOON_US) -> PayloadDesk:
    return PayloadDesk(database, 30, lambda: now_us)


async def test_rows_are_read_in_pages_the_latest_first(writer: PayloadWriter, database: Database) -> None:
    for number in range(450):
        writer.record(replace(ONE, request_id=f"r{number:03}", request_time_us=NOON_US + number // 3))
    writer.record(replace(ONE, request_id="other", endpoint_id="e2"))
    await writer.flush()
    seen: list[str] = []
    token = None
    while True:
        rows, token = desk(database).page("e1", token, 100)
        assert len(rows) <= 100
        seen += [row["databricks_request_id"] for row in rows]
        if token is None:
            break
    assert seen == [f"r{number:03}" for number in reversed(range(450))]


async def test_one_request_is_found_by_its_id_in_its_endpoint_alone(writer: PayloadWriter, database: Database) -> None:
    writer.record(ONE)
    await writer.flush()
    assert (desk(database).one("e1", "r0") or {})["request"] == ONE.request
    assert desk(database).one("e2", "r0") is None
    assert desk(database).one("e1", "r1") is None


async def test_a_page_is_no_larger_than_some_megabytes(writer: PayloadWriter, database: Database) -> None:
    for number in range(12):
        writer.record(replace(ONE, request_id=f"r{number:02}", request="x" * (1 << 20)))
    await writer.flush()
    rows, token = desk(database).page("e1", None, 100)
    assert 1 < len(rows) < 12
    more, _ = desk(database).page("e1", token, 100)
    assert len(rows) + len(more) == 12


async def test_what_comes_faster_than_it_is_written_is_left_out_and_counted(
    writer: PayloadWriter, database: Database, dropped: Counted
) -> None:
    large = replace(ONE, request="x" * (4 << 20))
    for number in range(10):
        writer.record(replace(large, request_id=f"r{number}"))
    assert dropped.count == 10 - MOST_BUFFERED // large.size
    await writer.flush()
    assert desk(database).count() == 10 - dropped.count
    writer.record(ONE)
    assert dropped.count == 10 - MOST_BUFFERED // large.size, "there is room again"


async def test_one_that_cannot_be_kept_holds_up_no_other(
    writer: PayloadWriter, database: Database, dropped: Counted
) -> None:
    writer.record(replace(ONE, request_id="a"))
    writer.record(replace(ONE, request_id="b", client_request_id="nul\0"))
    writer.record(replace(ONE, request_id="a"))
    writer.record(replace(ONE, request_id="c"))
    await writer.flush()
    rows, _ = desk(database).page("e1", None, 100)
    assert sorted(row["databricks_request_id"] for row in rows) == ["a", "c"]
    assert dropped.count == 2


async def test_old_rows_and_those_of_endpoints_that_are_gone_are_forgotten(
    writer: PayloadWriter, database: Database
) -> None:
    for number in range(700):
        writer.record(replace(ONE, request_id=f"old{number}", request_time_us=NOON_US - 31 * DAY_US))
    writer.record(ONE)
    writer.record(replace(ONE, request_id="gone", endpoint_id="e9"))
    await writer.flush()
    assert desk(database).sweep() == 701
    assert [row["databricks_request_id"] for row in desk(database).page("e1", None, 9)[0]] == ["r0"]


@pytest.mark.parametrize("token", ["x", "////", "MTIz", "LTEvYQ==", "é"])
async def test_a_token_that_is_none_is_refused(writer: PayloadWriter, database: Database, token: str) -> None:
    del writer
    with pytest.raises(InvalidParameterValue, match="page_token"):
        desk(database).page("e1", token, 10)
