"""What `Database` promises on each kind."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from openfm.core.errors import InvalidParameterValue, Unavailable
from openfm.store.database import CannotOpenDatabase, Database


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
