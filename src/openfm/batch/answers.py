"""The state of a batch: a file beside the output, with every question and the answers so far.

A kill at any time loses at most the answers that were under way: each is committed by itself.
"""

import sqlite3
import threading
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from openfm.batch.question import BatchError, Question

_TABLES = """
CREATE TABLE IF NOT EXISTS batch (id TEXT NOT NULL, query TEXT NOT NULL, server TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS questions (
    key TEXT PRIMARY KEY, endpoint TEXT NOT NULL, text TEXT NOT NULL, parameters TEXT, may_fail INTEGER NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0, answer TEXT, error TEXT
) WITHOUT ROWID;
"""
_OPEN = "answer IS NULL AND error IS NULL"


@dataclass(frozen=True, slots=True)
class Open:
    """A question without an answer, and the number of the attempt that may be under way."""

    question: Question
    attempt: int


class Answers:
    """What was asked and answered. Thread-safe; calls block. Raises `BatchError` if it is another batch's."""

    def __init__(self, path: Path, query: str, server: str) -> None:
        self._lock = threading.Lock()
        self._path = path
        self._file = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=0)
        try:
            self._file.execute("PRAGMA locking_mode = EXCLUSIVE")
            # No sync for each answer: the shorter it takes, the fewer are lost to a kill between answer and commit.
            self._file.execute("PRAGMA journal_mode = WAL")
            self._file.execute("PRAGMA synchronous = NORMAL")
            self._file.executescript(_TABLES)
            self.batch = self._begun(query, server)
        except sqlite3.OperationalError as error:
            self._file.close()
            raise BatchError(f"{path} cannot be used ({error}): does this batch run already?") from error
        except (sqlite3.DatabaseError, BatchError):
            self._file.close()
            raise

    def _begun(self, query: str, server: str) -> str:
        found = self._file.execute("SELECT id, query, server FROM batch").fetchone()
        if found is not None and found[1:] != (query, server):
            if self._file.execute("SELECT 1 FROM questions WHERE answer IS NOT NULL").fetchone():
                raise BatchError(
                    f"{self._path} is of another query or server, and has answers. Run that one to its end, write to "
                    "another file, or delete it."
                )
            self._file.executescript("DELETE FROM questions; DELETE FROM batch;")
            found = None
        if found is None:
            found = (uuid.uuid4().hex, query, server)
            self._file.execute("INSERT INTO batch VALUES (?, ?, ?)", found)
        # What failed for good is tried again by who runs the command again.
        self._file.execute("UPDATE questions SET error = NULL WHERE error IS NOT NULL")
        return str(found[0])

    def answer(self, question: Question) -> str | None:
        """The answer; None if there is none, and then the question is remembered."""
        with self._lock:
            key = question.key
            found = self._file.execute("SELECT answer FROM questions WHERE key = ?", (key,)).fetchone()
            if found is None:
                row = (key, question.endpoint, question.text, question.parameters, question.may_fail)
                columns = "(key, endpoint, text, parameters, may_fail)"
                self._file.execute(f"INSERT INTO questions {columns} VALUES (?, ?, ?, ?, ?)", row)  # noqa: S608
                return None
            return None if found[0] is None else str(found[0])

    def begin(self) -> None:
        """Many calls of `answer` follow: they are one transaction, until `commit`."""
        self._file.execute("BEGIN")

    def commit(self) -> None:
        """They were all made."""
        self._file.execute("COMMIT")

    def open(self) -> Sequence[Open]:
        """Questions without an answer."""
        with self._lock:
            columns = "endpoint, text, parameters, may_fail, attempt"
            rows = self._file.execute(f"SELECT {columns} FROM questions WHERE {_OPEN} ORDER BY key").fetchall()  # noqa: S608
        return [Open(Question(row[0], row[1], row[2], may_fail=bool(row[3])), row[4]) for row in rows]

    def keep(self, question: Question, answer: str) -> None:
        """It was answered."""
        self._change("answer = ?", answer, question)

    def fail(self, question: Question, error: str) -> None:
        """It cannot be answered."""
        self._change("error = ?", error, question)

    def begin_attempt(self, question: Question, attempt: int) -> None:
        """It is asked once more, under another key: an answer to the one before was made, and lost."""
        self._change("attempt = ?", attempt, question)

    def counts(self) -> tuple[int, int, int]:
        """Questions answered, failed, and asked more than once."""
        sums = "count(answer), count(error), count(CASE WHEN attempt > 0 THEN 1 END)"
        with self._lock:
            row = self._file.execute(f"SELECT {sums} FROM questions").fetchone()  # noqa: S608
        return int(row[0]), int(row[1]), int(row[2])

    def errors(self, most: int) -> Sequence[str]:
        """Some of what failed."""
        with self._lock:
            rows = self._file.execute("SELECT DISTINCT error FROM questions WHERE error IS NOT NULL LIMIT ?", (most,))
            return [str(row[0]) for row in rows.fetchall()]

    def close(self) -> None:
        """Keep it for the next run."""
        self._file.close()

    def discard(self) -> None:
        """The output is written: nothing of this is needed any more."""
        self._file.close()
        for suffix in ("", "-wal"):
            with suppress(FileNotFoundError):
                self._path.with_name(self._path.name + suffix).unlink()

    def _change(self, what: str, value: str | int, question: Question) -> None:
        with self._lock:
            self._file.execute(f"UPDATE questions SET {what} WHERE key = ?", (value, question.key))  # noqa: S608
