"""Statements run by themselves, and are kept for those who sent them."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import pytest

from openfm.batch.memory import Models
from openfm.control.sql.statements import Statement, Statements
from openfm.core.days import Days
from openfm.core.errors import NotFound
from openfm.core.principal import Principal
from openfm.core.sql import SqlAnswer, SqlColumn, SqlQuestion

ANN, BEN = Principal("p1", "ann@example.org"), Principal("p2", "ben@example.org")
ANSWER = SqlAnswer([SqlColumn("n", "INTEGER")], [[1]], has_more=False)


@dataclass
class FakeSql:
    """Answers once it may; or breaks."""

    may_go: asyncio.Event = field(default_factory=asyncio.Event)
    breaks: bool = False

    async def ask(self, question: SqlQuestion, caller: Principal, models: Models | None = None) -> SqlAnswer:
        del question, caller, models
        await self.may_go.wait()
        if self.breaks:
            raise ZeroDivisionError
        return ANSWER

    async def export(self, days: Days, form: str, caller: Principal) -> BinaryIO:
        raise NotImplementedError


@dataclass
class World:
    """Statements, at a time that a test sets; `models` of nobody."""

    sql: FakeSql = field(default_factory=FakeSql)
    now_s: float = 0.0

    def __post_init__(self) -> None:
        nobody: Any = None
        self.statements = Statements(self.sql, lambda *_: Models(nobody), lambda: self.now_s)

    def begin(self, caller: Principal = ANN) -> Statement:
        return self.statements.begin(SqlQuestion("SELECT 1", 10), caller, "token")


async def ended(statement: Statement) -> Any:
    await asyncio.wait({statement.work})
    return statement.shown()["status"]


async def test_an_answer_is_kept_for_an_hour_for_whoever_asked() -> None:
    world = World()
    world.sql.may_go.set()
    statement = world.begin()
    assert await ended(statement) == {"state": "SUCCEEDED"}
    assert world.statements.of(statement.id, ANN).shown()["result"]["data_array"] == [["1"]]
    with pytest.raises(NotFound):
        world.statements.of(statement.id, BEN)
    world.now_s = 3601.0
    await ended(world.begin(BEN))
    with pytest.raises(NotFound):
        world.statements.of(statement.id, ANN)


async def test_a_caller_has_so_many_statements_running_and_others_go_on() -> None:
    world = World()
    running = [world.begin() for _ in range(16)]
    refused = await ended(world.begin())
    assert (refused["state"], refused["error"]["error_code"]) == ("FAILED", "RESOURCE_EXHAUSTED")
    other = world.begin(BEN)
    world.sql.may_go.set()
    assert {(await ended(one))["state"] for one in (*running, other)} == {"SUCCEEDED"}


async def test_a_statement_that_broke_tells_no_more_than_that() -> None:
    world = World(FakeSql(breaks=True))
    world.sql.may_go.set()
    failed = await ended(world.begin())
    assert (failed["state"], failed["error"]["error_code"]) == ("FAILED", "INTERNAL_ERROR")
    assert "Zero" not in failed["error"]["message"]


async def test_statements_end_with_the_server() -> None:
    world = World()
    statement = world.begin()
    await world.statements.close()
    assert statement.shown()["status"] == {"state": "CANCELED"}
