"""What `Database` promises on each kind."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from openfm.core.errors import InvalidParameterValue, Unavailable
from openfm.store.database import CannotOpenDatabase, Database
from tests.migration.postgres import PostgresServer


def test_transactions_take_turns_so_that_no_count_is_lost(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(text("CREATE TABLE counter (value INTEGER)"))
        connection.execute(text("INSERT INTO counter VALUES (0)"))
    start = threading.Barrier(4)

    def count() -> None:
        start.wait()
        for _ in range(20):
            with database.transaction() as connection:
                value = connection.execute(text("SELECT value FROM counter")).scalar_one()
                connection.execute(text("UPDATE counter SET value = :value"), {"value": value + 1})

    with ThreadPoolExecutor(4) as pool:
        for running in [pool.submit(count) for _ in range(4)]:
            running.result()
    with database.transaction() as connection:
        assert connection.execute(text("SELECT value FROM counter")).scalar_one() == 80


def test_who_does_not_get_a_turn_is_told_to_come_back(url: str) -> None:
    waiter = Database(url, turn_timeout_ms=50)
    other = Database(url)
    for holder in (waiter, other):
        with holder.transaction(), pytest.raises(Unavailable, match="busy") as refused, waiter.transaction():
            pass
        assert refused.value.retry_after_s
        with waiter.transaction() as connection:
            assert connection.execute(text("SELECT 1")).scalar_one() == 1
    waiter.close()
    other.close()


def test_a_full_database_is_told(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'full.db'}")
    with database.transaction() as connection:
        connection.execute(text("CREATE TABLE notes (value BLOB)"))
        connection.execute(text("PRAGMA max_page_count = 10"))

    def fill() -> None:
        with database.transaction() as connection:
            connection.execute(text("INSERT INTO notes VALUES (zeroblob(1000000))"))

    with pytest.raises(Unavailable, match="disk is full"):
        fill()
    database.close()


def test_an_error_rolls_everything_back(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(text("CREATE TABLE notes (value INTEGER)"))

    def half() -> None:
        with database.transaction() as connection:
            connection.execute(text("INSERT INTO notes VALUES (1)"))
            connection.execute(text("INSERT INTO no_such_table VALUES (1)"))

    with pytest.raises(DBAPIError):
        half()
    with database.transaction() as connection:
        assert connection.execute(text("SELECT count(*) FROM notes")).scalar_one() == 0


@pytest.mark.parametrize("text_", ["a\0b", "\ud800"])
@pytest.mark.parametrize("rows", [1, 2])
def test_text_that_a_database_cannot_keep_is_the_callers_mistake(database: Database, text_: str, rows: int) -> None:
    with database.transaction() as connection:
        connection.execute(text("CREATE TABLE notes (value TEXT)"))

    def write(value: str) -> None:
        with database.transaction() as connection:
            connection.execute(text("INSERT INTO notes VALUES (:value)"), [{"value": value}] * rows)

    with pytest.raises(InvalidParameterValue, match="NUL"):
        write(text_)
    write("äöü 🙂")
    with database.transaction() as connection:
        assert connection.execute(text("SELECT value FROM notes")).scalars().all() == ["äöü 🙂"] * rows


def test_a_connection_that_the_server_closed_is_noticed(postgres_url: str) -> None:
    database = Database(postgres_url)
    with database.transaction() as connection:
        mine = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    other = Database(postgres_url)
    with other.transaction() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": mine})
    other.close()
    with database.transaction() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    database.close()


@pytest.mark.parametrize("url", ["nonsense", "mysql://host/db", "postgresql+nothing://host/db", ""])
def test_a_url_of_another_kind_is_refused_with_the_right_form(url: str) -> None:
    with pytest.raises(CannotOpenDatabase, match="postgresql://"):
        Database(url)


def test_a_database_that_is_not_there_is_told_without_its_password() -> None:
    database = Database("postgresql://somebody:secretword@127.0.0.1:9/openfm")
    with pytest.raises(CannotOpenDatabase) as caught:
        database.migrate()
    assert "127.0.0.1" in str(caught.value)
    assert "secretword" not in str(caught.value)
    database.close()


def test_memory_is_told_of_each_commit_in_the_order_of_the_commits(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(text("CREATE TABLE counter (value INTEGER)"))
        connection.execute(text("INSERT INTO counter VALUES (0)"))
    told: list[int] = []

    def take_over(connection: Connection) -> Callable[[], None]:
        value = connection.execute(text("SELECT value FROM counter")).scalar_one()
        return lambda: told.append(value)

    def count() -> None:
        for _ in range(20):
            with database.transaction(take_over) as connection:
                connection.execute(text("UPDATE counter SET value = value + 1"))

    with ThreadPoolExecutor(4) as pool:
        for running in [pool.submit(count) for _ in range(4)]:
            running.result()
    assert told == list(range(1, 81))


def test_what_memory_could_not_hold_is_not_committed(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(text("CREATE TABLE counter (value INTEGER)"))

    def take_over(_: Connection) -> Callable[[], None]:
        raise Unavailable("No.", retry_after_s=1.0)

    def insert() -> None:
        with database.transaction(take_over) as connection:
            connection.execute(text("INSERT INTO counter VALUES (1)"))

    with pytest.raises(Unavailable):
        insert()
    with database.transaction() as connection:
        assert connection.execute(text("SELECT count(*) FROM counter")).scalar_one() == 0


def test_a_database_that_went_away_is_told_and_found_again(postgres_server: PostgresServer, postgres_url: str) -> None:
    database = Database(postgres_url)
    with database.transaction() as connection:
        backend = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()

    def work() -> None:
        with database.transaction() as connection:
            with closing(psycopg.connect(postgres_server.url("postgres"), autocommit=True)) as other:
                other.execute("SELECT pg_terminate_backend(%s)", (backend,))
            connection.execute(text("SELECT 1"))

    with pytest.raises(Unavailable, match="cannot be reached"):
        work()
    with database.transaction() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    database.close()
