"""Turns journals into rows of the ledger: each event once, whenever and however often this process ends.

How far a journal was read is kept in the transaction that writes the rows, and rows are idempotent by request id. A
journal is deleted when all of it is in the ledger and nothing more can come. A dead gateway's open requests are closed,
and billed what their last checkpoints say was delivered.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import structlog
from sqlalchemy.exc import DataError, SQLAlchemyError

from openfm.core.errors import InvalidParameterValue
from openfm.metering.journal_folder import JournalFolder
from openfm.metering.journal_lines import Event, decode
from openfm.metering.price_list import CachedBook
from openfm.metering.rows import LedgerRows, forget_positions, position, set_position
from openfm.store.database import Database

log = structlog.get_logger(__name__)

_BATCH_BYTES = 1 << 20
_INTERVAL_S = 0.2
_RETRY_S = 1.0
_MANY_EVENTS = 1000
_MISFITS = (DataError, OverflowError, InvalidParameterValue)
_KEPT = ".unreadable"


@dataclass(frozen=True, slots=True)
class WriterOptions:
    """`batch_bytes` of a journal go into one transaction. `interval_s` between looks when there is nothing to do."""

    batch_bytes: int = _BATCH_BYTES
    interval_s: float = _INTERVAL_S


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Part of a gateway's journal, in bytes."""

    gateway: str
    journal: Path
    start: int
    end: int


class LedgerWriter:
    """Reads every journal in `folder` into the database. Several may run at once: they do the work once."""

    def __init__(self, database: Database, folder: JournalFolder, options: WriterOptions | None = None) -> None:
        self._database = database
        self._folder = folder
        self._options = options or WriterOptions()
        self._book = CachedBook()
        self._positions: dict[str, int] = {}
        self._has_unreadable: set[str] = set()
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        """Work until `stop`. What the database or the disk refuses is tried again."""
        while not self._stopped.is_set():
            pause_s = self._options.interval_s
            try:
                if await asyncio.to_thread(self.step) >= _MANY_EVENTS:
                    continue
            except (SQLAlchemyError, OSError) as error:
                log.warning("ledger.writer_waits", reason=str(error))
                pause_s = _RETRY_S
            await self._pause(pause_s)

    def stop(self) -> None:
        """Let `run` end after what it is at."""
        self._stopped.set()

    def drain(self) -> None:
        """Write everything there is. Blocks; for the end, when this process's journal is closed."""
        while self.step():
            pass

    def step(self) -> int:
        """Go over all journals once; how many events came in. Blocks. Raises `SQLAlchemyError`, `OSError`."""
        count = 0
        dead = {gateway for gateway in self._folder.gateways() if self._folder.is_dead(gateway)}
        # Listed again: until it was found dead, a gateway may have begun another journal.
        for gateway, journals in self._folder.gateways().items():
            is_dead = gateway in dead
            for journal in journals:
                is_complete = is_dead or journal != journals[-1]
                count += self._consume(gateway, journal)
                if is_complete and not is_dead:
                    self._finish([journal])
            if is_dead:
                self._bury(gateway, journals)
        return count

    @property
    def lag_bytes(self) -> int:
        """Bytes in journals that are not in the ledger yet."""
        journals = [path for paths in self._folder.gateways().values() for path in paths]
        return sum(max(0, _size(path) - self._positions.get(path.name, 0)) for path in journals)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopped.wait(), seconds)
        except TimeoutError:
            return

    def _consume(self, gateway: str, journal: Path) -> int:
        """Read to the end of the last whole line."""
        count = 0
        while True:
            start = self._position(journal)
            lines = decode(_read(journal, start, self._options.batch_bytes))
            if not lines.size:
                return count
            if lines.unreadable:
                self._keep(journal, lines.unreadable)
            stretch = _Stretch(gateway, journal, start, start + lines.size)
            try:
                self._write(lines.events, stretch)
            except _MISFITS:
                self._write_what_fits(lines.events, stretch)
            count += len(lines.events)

    def _write(self, events: Sequence[Event], stretch: _Stretch) -> None:
        name = stretch.journal.name
        with self._database.transaction() as connection:
            is_next = position(connection, name) == stretch.start
            if is_next:
                if events:
                    LedgerRows(connection, self._book.current(connection)).write(events, stretch.gateway)
                set_position(connection, name, stretch.end)
        if is_next:
            self._positions[name] = stretch.end
        else:  # another writer was here
            self._positions.pop(name, None)

    def _write_what_fits(self, events: Sequence[Event], stretch: _Stretch) -> None:
        """One event that the database cannot keep must not hold up all others."""
        for event in events:
            try:
                self._write([event], replace(stretch, end=stretch.start))
            except _MISFITS:
                log.exception("ledger.event_does_not_fit", request_id=event.request_id)
                self._keep(stretch.journal, 1)
        self._write((), stretch)

    def _keep(self, journal: Path, count: int) -> None:
        log.error("ledger.unreadable_events", journal=journal.name, count=count)
        self._has_unreadable.add(journal.name)

    def _position(self, journal: Path) -> int:
        if journal.name not in self._positions:
            with self._database.transaction() as connection:
                self._positions[journal.name] = position(connection, journal.name)
        return self._positions[journal.name]

    def _bury(self, gateway: str, journals: list[Path]) -> None:
        """All of a dead gateway's journals were read: close what it left open, and forget it."""
        total = 0
        while True:
            with self._database.transaction() as connection:
                closed = LedgerRows(connection, self._book.current(connection)).abandon(gateway)
            total += closed
            if not closed:
                break
        if total:
            log.warning("ledger.closed_after_crash", gateway=gateway, requests=total)
        self._finish(journals)
        self._folder.forget(gateway)

    def _finish(self, journals: list[Path]) -> None:
        """Delete what is wholly in the ledger. Read again after a crash in between, it would change nothing."""
        names = [journal.name for journal in journals]
        with self._database.transaction() as connection:
            forget_positions(connection, names)
        for journal in journals:
            self._positions.pop(journal.name, None)
            if journal.name in self._has_unreadable:
                journal.rename(journal.with_suffix(_KEPT))
            else:
                journal.unlink(missing_ok=True)


def _read(journal: Path, start: int, size: int) -> bytes:
    """At least one whole line from `start` on, if there is one."""
    try:
        with journal.open("rb") as file:
            file.seek(start)
            data = more = file.read(size)
            while more and b"\n" not in more:
                more = file.read(size)
                data += more
    except FileNotFoundError:  # another writer was done with it
        return b""
    return data


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
