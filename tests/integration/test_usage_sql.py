"""Usage in SQL, with the real DuckDB in its own process."""

import asyncio
import csv
import io
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psutil
import pytest
from hypothesis import HealthCheck, given, settings, strategies
from sqlalchemy import insert

from openfm.core.days import Days
from openfm.core.errors import ApiError, InvalidParameterValue, InvalidRequest, Unavailable
from openfm.core.principal import Principal
from openfm.core.sql import SqlAnswer, SqlQuestion
from openfm.metering.sql.archive import Archive, ArchiveState
from openfm.metering.sql.desk import SqlDesk
from openfm.metering.sql.exporter import Exporter
from openfm.metering.sql.processes import SqlBounds, SqlProcesses
from openfm.metering.sql.tables import TABLES
from openfm.store.database import Database
from openfm.store.usage_tables import refusals
from tests.integration.usage_rows import NOVEMBER_US, correct, drawn_rows, insert_rows

ADMIN = Principal("0", "admin", is_admin=True)
ANN = Principal("p1", "user1@example.org")
USAGE = "system.serving.endpoint_usage"
ENDLESS = SqlQuestion("SELECT sum(hash(x)) FROM range(10000000000000) t(x)", 10)


@dataclass
class World:
    """A ledger with its archive."""

    database: Database
    archive: Archive
    processes: SqlProcesses

    @property
    def exporter(self) -> Exporter:
        """The archive's writer, as after a restart."""
        return Exporter(self.database, self.archive, self.processes)

    @property
    def desk(self) -> SqlDesk:
        """Who answers."""
        return SqlDesk(self.database, self.archive, self.processes, "7", lambda _: frozenset({"e1"}))

    def ask(self, text: str, caller: Principal = ADMIN, max_rows: int = 10_000) -> SqlAnswer:
        """The answer."""
        return asyncio.run(self.desk.ask(SqlQuestion(text, max_rows), caller))

    def one(self, text: str, caller: Principal = ADMIN) -> Any:
        """The only value of the answer."""
        ((value,),) = self.ask(text, caller).rows
        return value


@contextmanager
def opened(folder: Path, seconds: float) -> Iterator[World]:
    database = Database(f"sqlite:///{folder / 'openfm.db'}")
    database.migrate()
    processes = SqlProcesses(SqlBounds(memory_bytes=256 << 20, seconds=seconds), dict(os.environ))
    yield World(database, Archive(folder / "usage"), processes)
    processes.close()
    database.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with opened(tmp_path, seconds=20.0) as made:
        yield made


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Has something to steal; a question gets a few seconds."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "secret").write_text("secret")
    with opened(folder, seconds=4.0) as made:
        insert_rows(made.database, list(drawn_rows(10, seed=4, days=1)))
        made.exporter.step(fewest=1)
        yield made
        assert made.one(f"SELECT count(*) FROM {USAGE}") == 10


def test_sums_are_those_of_the_rows_to_the_last_digit_wherever_the_rows_are(world: World) -> None:
    rows = list(drawn_rows(900, seed=1))
    insert_rows(world.database, rows[:600])
    assert world.exporter.step(fewest=1)
    insert_rows(world.database, rows[600:])
    cost = Decimal(sum(row["cost_pico"] for row in rows)) / 10**12
    found = world.ask(f"SELECT count(*), sum(cost), sum(input_token_count), sum(output_token_count) FROM {USAGE}")
    (shown,) = found.rows
    assert shown[0] == 900
    assert Decimal(str(shown[1])) == cost
    assert shown[2:] == [sum(row["billed_prompt"] for row in rows), sum(row["billed_completion"] for row in rows)]
    counted = world.ask(f"SELECT requester, count(*) FROM {USAGE} GROUP BY ALL")
    assert {str(who): count for who, count in counted.rows} == Counter(row["principal_name"] for row in rows)
    daily = world.ask("SELECT sum(cost), sum(requests), sum(failed_requests) FROM openfm.usage_daily").rows[0]
    assert [Decimal(str(daily[0])), *daily[1:]] == [cost, 900, 90]
    tokens = world.one("SELECT sum(usage_quantity) FROM system.billing.usage")
    assert Decimal(str(tokens)) * 10**6 == sum(row["billed_prompt"] + row["billed_completion"] for row in rows)


def test_tokens_that_provisioned_throughput_answered_are_no_part_of_the_bill(world: World) -> None:
    """Files of before it was noted are read beside those of now."""
    rows = list(drawn_rows(30, seed=5, days=1))
    insert_rows(world.database, rows[:10])
    old = world.archive.new_file("2026-11-01", 1, 10)
    world.exporter.step(fewest=1)
    (new,) = world.archive.state().files
    path = world.archive.root / old
    duckdb.sql(f"COPY (SELECT * EXCLUDE is_provisioned FROM '{world.archive.root / new}') TO '{path}' (FORMAT parquet)")
    world.archive.keep(ArchiveState(10, (old,)))
    insert_rows(world.database, [row | {"is_provisioned": True, "price_version": 0} for row in rows[10:20]])
    world.exporter.step(fewest=1)
    insert_rows(world.database, rows[20:])
    billed = world.one("SELECT sum(usage_quantity) FROM system.billing.usage")
    tokens = [row["billed_prompt"] + row["billed_completion"] for row in rows]
    assert Decimal(str(billed)) * 10**6 == sum(tokens[:10]) + sum(tokens[20:])
    assert world.one(f"SELECT count(*) FROM {USAGE} WHERE is_provisioned") == 10


def test_refusals_are_a_table_of_their_own_and_everybody_sees_ones_own(world: World) -> None:
    facts = {"digest": "d", "endpoint_id": "e1", "endpoint_name": "chat", "served_entity": "s", "status": 429}
    named = {"entity_name": "m", "code": "overloaded", "requests": 14, "principal_name": "user1@example.org"}
    with world.database.transaction() as connection:
        for minute, who in ((NOVEMBER_US // 60_000_000, "p1"), (NOVEMBER_US // 60_000_000 + 1, "p2")):
            connection.execute(insert(refusals).values(minute=minute, principal_id=who, **facts, **named))
    asked = "SELECT sum(requests), min(error_code), min(request_minute) FROM system.serving.endpoint_refusals"
    ((total, code, first),) = world.ask(asked).rows
    assert (total, code) == (28, "overloaded")
    assert str(first).startswith("2026-11-01T")
    assert world.ask(asked, ANN).rows[0][0] == 14
    assert world.one(f"SELECT count(*) FROM {USAGE}") == 0


def test_corrections_are_seen_beside_the_rows_by_whom_they_are_about(world: World) -> None:
    rows = list(drawn_rows(20, seed=3))
    insert_rows(world.database, rows)
    world.exporter.step(fewest=1)
    for number in range(1, 21):
        correct(world.database, number, -number)
    asked = "SELECT sum(amount), count(*) FROM openfm.corrections"
    ((total, count),) = world.ask(asked).rows
    assert (Decimal(str(total)), count) == (Decimal(-210) / 10**12, 20)
    own = [number for number, row in enumerate(rows, 1) if row["principal_id"] == ANN.id]
    ((total, count),) = world.ask(asked, ANN).rows
    assert (Decimal(str(total)), count) == (Decimal(-sum(own)) / 10**12, len(own))
    joined = f"SELECT count(*) FROM {USAGE} JOIN openfm.corrections USING (databricks_request_id)"
    assert world.one(joined) == 20


def test_each_row_is_in_the_archive_once_whenever_the_export_breaks_off(world: World) -> None:
    rows = list(drawn_rows(300, seed=2, days=1))
    for part in range(12):
        insert_rows(world.database, rows[part * 25 : part * 25 + 25])
        before = world.archive.state()
        assert world.exporter.step(fewest=1)
        if part % 4 == 1:
            world.archive.keep(before)  # as if the process had ended before it said so
    while world.exporter.step(fewest=1):
        pass
    state = world.archive.state()
    assert state.through == 300
    assert len(state.files) <= 9
    assert world.one(f"SELECT count(DISTINCT databricks_request_id) FROM {USAGE}") == 300
    assert world.one(f"SELECT count(*) FROM {USAGE}") == 300
    world.archive.sweep(state, now_s=2.0**40)
    left = {file.relative_to(world.archive.root).as_posix() for file in world.archive.root.rglob("*.parquet")}
    assert left == set(state.files)


def test_days_that_are_kept_no_longer_leave_the_archive(world: World) -> None:
    rows = list(drawn_rows(90, seed=9, days=3))
    insert_rows(world.database, rows)
    exporter = Exporter(world.database, world.archive, world.processes, keep_days=1)
    assert exporter.step(fewest=1)
    newest = max(row["received_us"] for row in rows)
    exporter.forget(newest / 1_000_000)
    oldest = newest - newest % 86_400_000_000 - 86_400_000_000
    kept = sum(row["received_us"] >= oldest for row in rows)
    assert 0 < kept < 90
    assert world.one(f"SELECT count(*) FROM {USAGE}") == kept


def test_a_caller_sees_what_is_its_own(world: World) -> None:
    rows = list(drawn_rows(200, seed=3))
    insert_rows(world.database, rows[:100])
    world.exporter.step(fewest=1)
    insert_rows(world.database, rows[100:])
    own = sum(row["principal_id"] == ANN.id for row in rows)
    assert world.one(f"SELECT count(*) FROM {USAGE}", ANN) == own
    for table in ("system.billing.usage", "openfm.usage_hourly"):
        columns = {"system.billing.usage": "identity_metadata.run_as", "openfm.usage_hourly": "requester"}
        found = world.ask(f"SELECT DISTINCT {columns[table]} FROM {table}", ANN).rows
        assert [list(row) for row in found] == [[ANN.name]]


@pytest.mark.parametrize(
    "question",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_text('{folder}/secret')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM read_parquet('{folder}/usage/**')",
        "SELECT * FROM parquet_metadata('{folder}/usage/x.parquet')",
        "SELECT * FROM read_json('https://example.org/')",
        "SELECT * FROM query('SELECT 1')",
        "SELECT * FROM query_table('new_rows')",
        "SELECT * FROM duckdb_settings()",
        "SELECT * FROM duckdb_views()",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM sqlite_master",
        "SELECT * FROM new_rows",
        "SELECT * FROM main.new_rows",
        "SELECT * FROM memory.main.ledger_rows",
        "SELECT * FROM system__serving__endpoint_usage",
        "SELECT * FROM new_rows, (WITH new_rows AS (SELECT 1) SELECT 1)",
        "SELECT * FROM ledger_rows, (WITH LEDGER_ROWS AS (SELECT 1) SELECT 1)",
        "SELECT * FROM duckdb_views, (WITH duckdb_views AS (SELECT 1) SELECT 1)",
        "SELECT * FROM pg_tables, (WITH pg_tables AS (SELECT 1) SELECT 1)",
        "SELECT * FROM '{file}', (WITH \"{file}\" AS (SELECT 1) SELECT 1)",
        "SELECT (SELECT count(*) FROM '{file}') FROM (WITH \"{file}\" AS (SELECT 1) SELECT 1)",
        "WITH x AS (INSERT INTO new_rows SELECT 1) SELECT 1",
        "WITH x AS (DELETE FROM new_rows RETURNING *) SELECT * FROM x",
        "WITH x AS (COPY new_rows TO '{folder}/out.csv') SELECT 1",
        "SELECT * FROM (DESCRIBE new_rows)",
        "SELECT * FROM (SHOW ALL TABLES)",
        "SELECT * FROM (SUMMARIZE new_rows)",
        "SUMMARIZE new_rows",
        "SELECT $1",
        "SELECT ?",
        "SELECT getenv('HOME')",
        "SELECT ai_query('chat', 'hi')",
        "SELECT ai_query__('chat', 'hi', NULL, true)",
        "SELECT * FROM ai_query('chat', 'hi')",
        "SELECT current_setting('allowed_paths')",
        "SELECT getvariable('workspace_id')",
        "SELECT sleep_ms(100000)",
        "SELECT write_log('x')",
        "SELECT nextval('s')",
        "SELECT main.getenv('HOME')",
        "COPY (SELECT 1) TO '{folder}/out.csv'",
        "COPY new_rows FROM '/etc/passwd'",
        "CREATE TABLE t AS SELECT 1",
        "INSERT INTO new_rows SELECT 1",
        "DELETE FROM new_rows",
        "ATTACH '{folder}/openfm.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "PRAGMA database_list",
        "CALL pragma_version()",
        "EXPORT DATABASE '{folder}/out'",
        "EXPLAIN ANALYZE SELECT 1",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP VIEW ledger_rows",
        "SELEC 1",
        "",
        ";",
        "SELECT * FROM system.serving.nothing",
        "SELECT no_such_column FROM system.serving.endpoint_usage",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t",
        "SELECT count(*) FROM range(100000000000) a, range(100000000) b",
        "SELECT list(x) FROM range(1000000000) t(x)",
        "SELECT repeat('x', 2000000000)",
        "SELECT repeat('x', 1000000) FROM range(10000)",
        "SELECT repeat('x', 17000000)",
        "SELECT printf('%2000000000d', 1)",
        "SELECT range(1000000000)",
        "SELECT string_agg(repeat('x', 1000), '') FROM range(10000000)",
        f"SELECT {'(' * 5000}1{')' * 5000}",
        f"SELECT {'NOT ' * 20000}true",
        f"SELECT {', '.join('1' for _ in range(25_000))}",
    ],
)
def test_what_may_not_be_asked_is_refused_and_leaves_everything_as_it_was(hostile: World, question: str) -> None:
    folder = hostile.archive.root.parent
    before = sorted(folder.rglob("*"))
    file = hostile.archive.paths(hostile.archive.state())[0]
    with pytest.raises(ApiError) as refused:
        hostile.ask(question.replace("{folder}", str(folder)).replace("{file}", file), ANN)
    assert refused.value.status in (400, 503)
    assert "root:" not in refused.value.message
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("table", sorted(TABLES))
def test_every_table_can_be_asked_while_it_is_empty(world: World, table: str) -> None:
    answer = world.ask(f"SELECT * FROM {table}")
    assert answer.rows == []
    assert answer.columns


def test_pages_follow_one_another(world: World) -> None:
    insert_rows(world.database, list(drawn_rows(25, seed=5)))
    text = f"SELECT databricks_request_id FROM {USAGE} ORDER BY 1"
    seen: list[Any] = []
    has_more = True
    while has_more:
        answer = asyncio.run(world.desk.ask(SqlQuestion(text, 10, len(seen)), ADMIN))
        seen += [row[0] for row in answer.rows]
        has_more = answer.has_more
    assert seen == [f"{number:032x}" for number in range(1, 26)]


def test_names_of_the_question_are_its_own(world: World) -> None:
    insert_rows(world.database, list(drawn_rows(5, seed=6)))
    text = f"WITH mine AS (SELECT requester AS who FROM {USAGE}) SELECT count(m.who) FROM mine m JOIN {USAGE} u ON true"
    assert world.one(text) == 25
    assert world.one(f"SELECT endpoint_usage.task FROM {USAGE} LIMIT 1") == "llm/v1/chat"
    assert world.one("SELECT sum(x) FROM range(4) t(x)") == 6
    assert world.one("WITH new_rows AS (SELECT 3 AS n) SELECT New_Rows.n FROM NEW_ROWS") == 3
    counted = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT sum(t.n) FROM t"
    assert world.one(counted) == 15
    nested = "WITH a AS (SELECT 1 AS n), b AS (SELECT a.n + 1 AS n FROM a) SELECT (SELECT max(b.n) FROM b) + a.n FROM a"
    assert world.one(nested) == 3


def test_an_answer_that_would_be_too_large_comes_in_smaller_pages(world: World) -> None:
    answer = world.ask("SELECT repeat('x', 1000000) FROM range(20)")
    assert answer.has_more
    assert 0 < len(answer.rows) < 20


def test_rows_that_are_not_all_in_reach_are_not_summed_up(world: World) -> None:
    insert_rows(world.database, list(drawn_rows(30, seed=8)))
    behind = replace(world.desk, most_new_rows=29)
    question = SqlQuestion(f"SELECT count(*) FROM {USAGE}", 10)
    with pytest.raises(Unavailable, match="archive"):
        asyncio.run(behind.ask(question, ADMIN))
    world.exporter.step(fewest=1)
    assert asyncio.run(behind.ask(question, ADMIN)).rows == [[30]]


def test_a_file_of_some_days_has_their_rows_wherever_they_are(world: World) -> None:
    rows = list(drawn_rows(300, seed=9, days=4))
    insert_rows(world.database, rows[:200])
    world.exporter.step(fewest=1)
    insert_rows(world.database, rows[200:])
    days = Days.parse("2026-11-02", "2026-11-03")
    wanted = {row["request_id"]: row for row in rows if day_of_row(row) in days}
    assert 0 < len(wanted) < 300
    with asyncio.run(world.desk.export(days, "csv", ADMIN)) as file:
        written = list(csv.DictReader(io.StringIO(file.read().decode())))
    assert {row["databricks_request_id"] for row in written} == set(wanted)
    for row in written:
        assert Decimal(row["cost"]) == Decimal(wanted[row["databricks_request_id"]]["cost_pico"]) / 10**12
        assert json.loads(row["usage_context"]) == wanted[row["databricks_request_id"]]["tags"]
    with asyncio.run(world.desk.export(days, "parquet", ANN)) as file:
        assert file.read(4) == b"PAR1"
    with asyncio.run(world.desk.export(days, "csv", ANN)) as file:
        own = sum(row["principal_id"] == ANN.id for row in wanted.values())
        assert len(file.readlines()) == own + 1
    with pytest.raises(InvalidParameterValue, match="csv, parquet"):
        asyncio.run(world.desk.export(days, "xlsx", ADMIN))


def day_of_row(row: dict[str, Any]) -> str:
    return datetime.fromtimestamp(row["received_us"] / 10**6, UTC).date().isoformat()


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=strategies.data())
def test_sums_by_any_columns_are_those_of_a_naive_computation(world: World, data: strategies.DataObject) -> None:
    rows = drawn_once(world)
    keys = {"requester": "principal_name", "endpoint_name": "endpoint_name", "status_code": "status"}
    by = data.draw(strategies.lists(strategies.sampled_from(sorted(keys)), unique=True, min_size=1))
    sums = {"input_token_count": "billed_prompt", "output_token_count": "billed_completion"}
    what = data.draw(strategies.sampled_from(sorted(sums)))
    least = data.draw(strategies.integers(0, 3000))
    caller = data.draw(strategies.sampled_from([ADMIN, ANN]))
    text = f"SELECT {', '.join(by)}, sum({what}), sum(cost) FROM {USAGE} WHERE {what} >= {least} GROUP BY ALL"
    found = {tuple(row[:-2]): (int(str(row[-2])), Decimal(str(row[-1]))) for row in world.ask(text, caller).rows}
    naive: dict[tuple[Any, ...], tuple[int, Decimal]] = {}
    for row in rows:
        if row[sums[what]] >= least and (caller.is_admin or row["principal_id"] == caller.id):
            key = tuple(row[keys[name]] for name in by)
            tokens, cost = naive.get(key, (0, Decimal(0)))
            naive[key] = (tokens + row[sums[what]], cost + Decimal(row["cost_pico"]) / 10**12)
    assert found == naive


def drawn_once(world: World) -> list[dict[str, Any]]:
    rows = list(drawn_rows(400, seed=10))
    if world.one(f"SELECT count(*) FROM {USAGE}") == 0:
        insert_rows(world.database, rows[:250])
        world.exporter.step(fewest=1)
        insert_rows(world.database, rows[250:])
    return rows


def test_a_question_that_takes_too_long_says_so(world: World) -> None:
    hasty = replace(world, processes=SqlProcesses(SqlBounds(256 << 20, seconds=0.2), dict(os.environ)))
    with pytest.raises(InvalidRequest, match="longer than"):
        hasty.ask("SELECT count(*) FROM range(100000000000)")
    hasty.processes.close()


def answering() -> set[psutil.Process]:
    """Processes that answer a question now."""
    return {child for process in forking() for child in process.children()}


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110  # processes tell nobody
        await asyncio.sleep(0.01)


async def test_the_process_of_a_question_ends_with_whoever_waits_for_it(world: World) -> None:
    asked = asyncio.create_task(world.desk.ask(ENDLESS, ANN))
    async with asyncio.timeout(15):
        await until(lambda: len(answering()) > 0)
        begun = answering()
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        await until(lambda: not any(process.is_running() for process in begun))


async def test_a_caller_whose_questions_are_endless_keeps_nobody_out(world: World) -> None:
    desk = world.desk
    asked = [asyncio.create_task(desk.ask(ENDLESS, ANN)) for _ in range(6)]
    async with asyncio.timeout(15):
        await until(lambda: len(answering()) > 0)
        assert (await desk.ask(SqlQuestion("SELECT 42", 10), ADMIN)).rows == [[42]]
    assert len(answering()) == 1
    for one in asked:
        one.cancel()
    await asyncio.gather(*asked, return_exceptions=True)


def forking() -> set[psutil.Process]:
    return {child for child in psutil.Process().children() if "openfm.metering.sql.fork_server" in child.cmdline()}


def test_questions_go_on_when_the_process_that_forks_was_killed(world: World) -> None:
    others = forking()
    assert world.one("SELECT 42") == 42
    (process,) = forking() - others
    process.kill()
    process.wait()
    assert world.one("SELECT 43") == 43
    world.processes.close()
    assert forking() == others


def test_a_question_that_kills_its_process_takes_no_other_with_it(world: World) -> None:
    with pytest.raises((InvalidRequest, Unavailable), match=r"memory"):
        world.ask("SELECT repeat('x', 2000000000)")
    assert world.one("SELECT 42") == 42


def test_an_archive_that_was_never_written_is_empty(tmp_path: Path) -> None:
    assert Archive(tmp_path / "nothing").state() == ArchiveState()
