"""Processes that `test_ledger_kill.py` ends with SIGKILL: `python -m tests.integration.ledger_processes WHAT HOME`."""

import itertools
import os
import shutil
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from sqlalchemy import select

from openfm.core.ledger import Checkpoint
from openfm.core.usage import TokenCounts
from openfm.metering.journal import JournalOptions, open_journal
from openfm.metering.journal_folder import JournalFolder
from openfm.metering.journal_lines import Event, encode
from openfm.metering.writer import LedgerWriter, WriterOptions
from openfm.store.database import Database
from openfm.store.ledger_tables import ledger
from tests.unit.metering.events import NOON_US, clock_us, entry, settlement

_METERING = f"{os.sep}metering{os.sep}"
_EVENTS: tuple[Event, ...] = (
    entry("done"),
    entry("left"),
    Checkpoint("left", TokenCounts(10, 1), NOON_US),
    Checkpoint("done", TokenCounts(10, 2), NOON_US),
    settlement("done", TokenCounts(10, 7)),
    Checkpoint("left", TokenCounts(10, 3), NOON_US),
    entry("none"),
)
_EXPECTED = {"done": ("SETTLED", 7), "left": ("ABORTED", 3), "none": ("ABORTED", 0)}


def gateway(home: Path) -> None:
    """Serve requests for ever; say what is about to be recorded (`try`) and what is on record (`ok`)."""
    journal = open_journal(JournalFolder(home / "ledger"), clock_us, JournalOptions(segment_bytes=20_000))
    for number in itertools.count():
        name = f"{os.getpid()}-{number}"
        _say(f"try {name} 0")
        journal.reserve(entry(name))
        _say(f"ok {name} 0")
        for tokens in range(3, 12, 3):
            _say(f"try {name} {tokens}")
            journal.checkpoint(name, TokenCounts(10, tokens))
            _say(f"ok {name} {tokens}")
        _say(f"try {name} 12")
        journal.settle(settlement(name, TokenCounts(10, 12)))
        _say(f"ok {name} 12")


def writer(home: Path) -> None:
    """Write for ever; say when a round is done."""
    database = Database(f"sqlite:///{home / 'openfm.db'}")
    working = LedgerWriter(database, JournalFolder(home / "ledger"), WriterOptions(batch_bytes=3000))
    while True:
        working.step()
        _say("round")


def each_line(home: Path, stride: int = 1) -> None:
    """Kill a writer at each line of its code in turn, let another one finish, and say how many lines there are."""
    template = home / "template"
    (template / "ledger").mkdir(parents=True)
    database = Database(f"sqlite:///{template / 'openfm.db'}")
    database.migrate()
    database.close()
    journals = ([*_EVENTS[:4]], [*_EVENTS[4:]])
    for number, events in enumerate(journals, 1):
        path = template / "ledger" / f"dead.{number:08}.journal"
        path.write_bytes(b"".join(map(encode, events)))
    for line in itertools.count(1, stride):
        scene = home / "scene"
        shutil.copytree(template, scene)
        child = os.fork()
        if child == 0:
            _write_until(line, scene)
        _, status = os.waitpid(child, 0)
        _check(scene, line)
        shutil.rmtree(scene)
        if os.WIFEXITED(status):
            _say(str(line))
            return


def _write_until(line: int, home: Path) -> None:
    """Be killed at that line; end well if there are not so many."""
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        if _METERING not in frame.f_code.co_filename:
            return None
        if event == "line":
            count += 1
            if count == line:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    working = _writer(home)
    sys.settrace(trace)
    working.drain()
    sys.settrace(None)
    os._exit(0)


def _check(home: Path, line: int) -> None:
    _writer(home).drain()
    database = Database(f"sqlite:///{home / 'openfm.db'}")
    with database.transaction() as connection:
        rows = connection.execute(select(ledger)).all()
    database.close()
    found = {row.request_id: (row.state, row.billed_completion) for row in rows}
    if found != _EXPECTED or sorted(row.closing_number for row in rows) != [1, 2, 3] or _left(home):
        raise AssertionError(f"killed at line {line}: {found}, {_left(home)}")


def _left(home: Path) -> list[str]:
    return [path.name for path in (home / "ledger").iterdir()]


def _writer(home: Path) -> LedgerWriter:
    database = Database(f"sqlite:///{home / 'openfm.db'}")
    return LedgerWriter(database, JournalFolder(home / "ledger"), WriterOptions(batch_bytes=600))


def _say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


PROCESSES: dict[str, Callable[[Path], None]] = {
    "gateway": gateway,
    "writer": writer,
    "each-line": each_line,
    "some-lines": partial(each_line, stride=11),
}

if __name__ == "__main__":
    PROCESSES[sys.argv[1]](Path(sys.argv[2]))
