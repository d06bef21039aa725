"""Opens the database and brings its schema up to date: SQLite in a file, or PostgreSQL.

Transactions take turns on both, readers too: so a rule that is read and then relied on holds until the commit.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib import resources
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft
from sqlalchemy.pool import ConnectionPoolEntry

from openfm.core.errors import InvalidParameterValue, Unavailable
from openfm.store.turns import NoTurn, Turns

_TURN_TIMEOUT_MS = 5000
_RETRY_S = 5.0
_RETRY_FULL_S = 60.0
_SQLITE_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_POSTGRES_BUSY = frozenset({"55P03", "40P01", "40001", "53300"})
"""lock_not_available, deadlock_detected, serialization_failure, too_many_connections
(PostgreSQL's manual, appendix A)."""
_POSTGRES_FULL = "53100"
_SQLITE_LOST = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY})
_POSTGRES_LOST = ("08", "57P")
"""Classes connection_exception and operator_intervention: it restarts, or is gone."""
_TURN_KEY = int.from_bytes(b"openfm")


TakeOver = Callable[[Connection], Callable[[], None]]
"""Reads, at the end of a transaction, what memory is to hold after it. What it gives back is called once that is
committed and before the next transaction begins; it must not fail."""


class CannotOpenDatabase(Exception):
    """The database cannot be used; the message says why and what to do."""


class Database:
    """The state of this workspace. Its calls block: run them in a thread (`asyncio.to_thread`).

    A transaction waits at most `turn_timeout_ms` for those before it. Raises `CannotOpenDatabase` for a URL of another
    kind, or without the driver.
    """

    def __init__(self, url: str, turn_timeout_ms: int = _TURN_TIMEOUT_MS) -> None:
        self._engine = _engine(url)
        self._turns = Turns()
        self._turn_timeout_s = turn_timeout_ms / 1000
        event.listen(self._engine, "before_cursor_execute", _check_text)
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", partial(_configure_sqlite, turn_timeout_ms))
            event.listen(self._engine, "begin", _begin_sqlite)
        else:
            event.listen(self._engine, "begin", partial(_begin_postgres, turn_timeout_ms))

    def migrate(self, revision: str = "head") -> None:
        """Run the migrations up to `revision` that this database has not seen.

        Raises `CannotOpenDatabase` when it cannot be reached.
        """
        config = Config()
        config.set_main_option("script_location", str(resources.files("openfm.store") / "migrations"))
        self._reach()
        with self._engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)

    def _reach(self) -> None:
        try:
            with self._engine.connect():
                pass
        except OperationalError as error:
            # As SQLAlchemy shows a URL: without its password.
            raise CannotOpenDatabase(
                f"The database {self._engine.url!r} cannot be opened: {error.orig} Check database_url."
            ) from error

    @contextmanager
    def transaction(self, take_over: TakeOver | None = None) -> Iterator[Connection]:
        """Commit on the way out, roll back on an error. `take_over`: memory then says what the database says.

        Statements raise `InvalidParameterValue` for text that not every database can keep. Raises `Unavailable` when
        its turn does not come, the disk is full, or the database cannot be reached.
        """
        try:
            with self._turns.one(self._turn_timeout_s):
                with self._engine.begin() as connection:
                    yield connection
                    swap = None if take_over is None else take_over(connection)
                if swap is not None:
                    swap()
        except (NoTurn, NoConnectionLeft) as error:
            raise _busy() from error
        except OperationalError as error:
            if (explained := _explained(error)) is None:
                raise
            raise explained from error

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def _engine(url: str) -> Engine:
    try:
        return _engine_of(make_url(url))
    except (ArgumentError, NoSuchModuleError):
        raise CannotOpenDatabase(
            "database_url cannot be read. Use sqlite:////path/to/file or postgresql://user:password@host/database."
        ) from None
    except ModuleNotFoundError as error:
        raise CannotOpenDatabase(
            f"PostgreSQL needs the package {error.name}. Install it: pip install 'openfm[postgres]'."
        ) from None


def _engine_of(url: URL) -> Engine:
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise ArgumentError(url.drivername)
    # A pooled connection may outlive its server; asking first costs a round trip, and spares a request its error.
    # JSON as text, not as escapes: what is no text must not slip past `_check_text`, to fail at every later reading.
    return create_engine(
        url,
        pool_pre_ping=url.get_backend_name() == "postgresql",
        json_serializer=partial(json.dumps, ensure_ascii=False),
    )


def _check_text(*execution: Any) -> None:
    """Refuse NUL, which PostgreSQL cannot keep, and halves of surrogate pairs, which are no text at all."""
    parameters, is_many = execution[3], execution[5]
    for row in parameters if is_many else (parameters,):
        for value in row.values() if isinstance(row, Mapping) else row or ():
            if isinstance(value, str) and not _is_text(value):
                raise InvalidParameterValue(
                    "A text holds a NUL character or half a surrogate pair. Send it without them."
                )


def _is_text(value: str) -> bool:
    try:
        return b"\0" not in value.encode()
    except UnicodeEncodeError:
        return False


def _explained(error: OperationalError) -> Unavailable | None:
    sqlite_code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
    state = getattr(error.orig, "sqlstate", None)
    if sqlite_code in _SQLITE_BUSY or state in _POSTGRES_BUSY:
        return _busy()
    if sqlite_code == sqlite3.SQLITE_FULL or state == _POSTGRES_FULL:
        return Unavailable("The database's disk is full. Make room on it, then try again.", retry_after_s=_RETRY_FULL_S)
    is_lost = sqlite_code in _SQLITE_LOST or (state or "").startswith(_POSTGRES_LOST)
    if is_lost or error.connection_invalidated or (state is None and not sqlite_code):
        return Unavailable("The database cannot be reached. Try again in a moment.", retry_after_s=_RETRY_S)
    return None


def _busy() -> Unavailable:
    return Unavailable("The database is busy with other changes. Try again.", retry_after_s=_RETRY_S)


def _configure_sqlite(turn_timeout_ms: int, connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    # The module must not open transactions by itself: it would commit before a CREATE TABLE, and a migration that
    # fails half-way would stay half done.
    connection.isolation_level = None
    for pragma in (f"busy_timeout={turn_timeout_ms}", "journal_mode=WAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_postgres(turn_timeout_ms: int, connection: Connection) -> None:
    connection.execute(text(f"SET LOCAL lock_timeout = {turn_timeout_ms}"))
    connection.execute(text(f"SELECT pg_advisory_xact_lock({_TURN_KEY})"))
