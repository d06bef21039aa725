"""Refused requests on each kind of database: counted once, in sums, and forgotten in time."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from openfm.core.report import DAY_US
from openfm.core.usage import Refused, TokenCounts, UsageRecord
from openfm.metering.refusals import MOST_TOLD_APART, RefusalWriter
from openfm.metering.retention import LedgerRetention
from openfm.store.database import Database
from openfm.store.usage_tables import refusals

NOON_S = 1_795_000_020
REFUSED = Refused("e1", "system.ai.m", "7", "provisioned_throughput_exceeded")
ONE = UsageRecord(
    request_id="r1",
    principal="ana",
    endpoint="chat",
    served_entity="m-1",
    task="llm/v1/chat",
    status=429,
    is_streaming=False,
    received_s=NOON_S + 1.5,
    first_token_s=None,
    finished_s=NOON_S + 1.6,
    queue_s=0.0,
    generated=TokenCounts(),
    delivered=TokenCounts(),
    refused=REFUSED,
)


@pytest.fixture
def writer(database: Database) -> RefusalWriter:
    database.migrate()
    return RefusalWriter(database)


def rows(database: Database) -> list[Any]:
    with database.transaction() as connection:
        return list(connection.execute(select(refusals).order_by(refusals.c.minute, refusals.c.requests)))


async def test_refusals_are_sums_by_minute_principal_and_reason(writer: RefusalWriter, database: Database) -> None:
    for _ in range(1000):
        writer.record(ONE)
    writer.record(replace(ONE, refused=replace(REFUSED, principal_id="8"), principal="bob"))
    writer.record(replace(ONE, received_s=NOON_S + 61))
    writer.record(replace(ONE, refused=None, status=200))
    await writer.flush()
    found = [(row.minute * 60 - NOON_S // 60 * 60, row.principal_name, row.requests) for row in rows(database)]
    assert found == [(0, "bob", 1), (0, "ana", 1000), (60, "ana", 1)]
    first = rows(database)[0]
    assert (first.status, first.code, first.endpoint_id) == (429, REFUSED.code, "e1")


async def test_what_comes_later_is_added_whoever_brings_it(writer: RefusalWriter, database: Database) -> None:
    other = RefusalWriter(database)
    for count, one in ((2, writer), (3, other), (4, writer)):
        for _ in range(count):
            one.record(ONE)
        await one.flush()
        await one.flush()
    assert [row.requests for row in rows(database)] == [9]


async def test_a_storm_of_names_is_bounded(writer: RefusalWriter, database: Database) -> None:
    for number in range(MOST_TOLD_APART + 100):
        writer.record(replace(ONE, refused=replace(REFUSED, principal_id=str(number))))
    await writer.flush()
    found = rows(database)
    assert len(found) == MOST_TOLD_APART + 1
    assert (found[-1].principal_id, found[-1].requests) == ("", 100)


async def test_they_are_forgotten_with_the_rows_of_the_ledger(writer: RefusalWriter, database: Database) -> None:
    now_us = NOON_S * 1_000_000
    writer.record(ONE)
    writer.record(replace(ONE, received_s=NOON_S - 40 * 86400))
    await writer.flush()
    LedgerRetention(database, None, lambda: now_us).sweep()
    assert len(rows(database)) == 2
    LedgerRetention(database, 32, lambda: now_us).sweep()
    assert [row.minute for row in rows(database)] == [NOON_S // 60]
    LedgerRetention(database, 32, lambda: now_us + 40 * DAY_US).sweep()
    assert rows(database) == []
