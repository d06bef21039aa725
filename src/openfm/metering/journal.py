"""The gateway's side of the ledger: an append-only journal, written before anything is dispatched.

A line is handed to the operating system in the caller's thread (it survives the end of the process) and synced by a
thread of the journal's own (it survives a loss of power). What a full or broken disk did not take whole is cut off
again; if even that fails the file is left and a new one begun, for readers drop what is torn.
"""

import os
import secrets
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from openfm.core.errors import LedgerUnavailable
from openfm.core.ledger import Checkpoint, LedgerEntry, Settlement
from openfm.core.usage import TokenCounts
from openfm.metering.disk import Disk, RealDisk
from openfm.metering.journal_folder import JournalFolder
from openfm.metering.journal_lines import encode

log = structlog.get_logger(__name__)

_RETRY_AFTER_S = 5.0


@dataclass(frozen=True, slots=True)
class JournalOptions:
    """`segment_bytes`: a journal of that size is followed by a new one. `sync_interval_s`: at most so long unsynced."""

    segment_bytes: int = 16 << 20
    sync_interval_s: float = 0.05


class Journal:
    """This gateway's journal. Get it from `open_journal`; fulfils the gateway's port `Ledger`.

    `reserve`, `checkpoint` and `settle` never wait for the disk; call them from any thread.
    """

    def __init__(self, gateway: str, folder: JournalFolder, disk: Disk, segment_bytes: int) -> None:
        self.gateway = gateway
        self._folder = folder
        self._disk = disk
        self._segment_bytes = segment_bytes
        self._lock = threading.Lock()
        self._number = 0
        self._descriptor: int | None = None
        self._size = 0
        self._retired: list[int] = []
        self._has_new_name = False
        self._unsynced: list[bytes] = []
        self._backlog: deque[bytes] = deque()
        self._is_trusted = True
        self.has_work = threading.Event()

    @property
    def is_available(self) -> bool:
        """Whether the disk took everything so far, or takes it again."""
        return self._is_trusted and not self._backlog

    def reserve(self, entry: LedgerEntry) -> None:
        """Put the request on record, before it is dispatched. Raises `LedgerUnavailable`; then nothing is on record."""
        line = encode(entry)
        with self._lock:
            if not self._is_trusted:
                raise _unavailable()
            try:
                self._write_backlog()
                self._append(line)
            except OSError as error:
                log.error("ledger.unavailable", reason=str(error), waiting=len(self._backlog))  # noqa: TRY400
                raise _unavailable() from error
        self._call_for_sync()

    def note(self, checkpoint: Checkpoint) -> None:
        """What was delivered so far. Where the disk does not take it, the next one may."""
        line = encode(checkpoint)
        with self._lock:
            if not self.is_available:
                return
            try:
                self._append(line)
            except OSError as error:
                log.warning("ledger.checkpoint_skipped", reason=str(error))
                return
        self._call_for_sync()

    def settle(self, settlement: Settlement) -> None:
        """How the request ended. Kept in memory as long as the disk does not take it."""
        line = encode(settlement)
        with self._lock:
            self._backlog.append(line)
            if self._is_trusted:
                try:
                    self._write_backlog()
                except OSError as error:
                    log.warning("ledger.settlement_waits", reason=str(error), waiting=len(self._backlog))
        self._call_for_sync()

    def sync(self) -> None:
        """Write what waits, and make all that was written survive a loss of power. One thread at a time; waits."""
        with self._lock:
            try:
                self._write_backlog()
                if not self._is_trusted and self._descriptor is None:
                    self._begin_segment()
            except OSError as error:
                log.warning("ledger.disk_refuses", reason=str(error), waiting=len(self._backlog))
            lines, self._unsynced = self._unsynced, []
            retired, self._retired = self._retired, []
            current, has_new_name = self._descriptor, self._has_new_name
            self._has_new_name = False
        try:
            self._sync_files([*retired, *([] if current is None else [current])], has_new_name=has_new_name)
        except OSError as error:
            log.error("ledger.sync_failed", reason=str(error), lines=len(lines))  # noqa: TRY400
            self._distrust(lines, current)
        else:
            self._is_trusted = self._is_trusted or current is not None
        for descriptor in retired:
            self._disk.close(descriptor)

    def close(self) -> None:
        """Sync for the last time, and let go of the files."""
        self.sync()
        with self._lock:
            if self._backlog:
                log.error("ledger.settlements_lost", count=len(self._backlog))
            for descriptor in (*self._retired, *([] if self._descriptor is None else [self._descriptor])):
                self._disk.close(descriptor)
            self._descriptor, self._retired, self._is_trusted = None, [], False

    def _call_for_sync(self) -> None:
        if not self.has_work.is_set():  # asking is a tenth of the work of setting it once more
            self.has_work.set()

    def _append(self, line: bytes) -> None:
        if self._descriptor is None:
            self._begin_segment()
        elif self._size >= self._segment_bytes:
            self._try_next_segment()
        descriptor = self._descriptor
        if descriptor is None:
            raise AssertionError("a segment was begun just now")
        try:
            taken = self._disk.write(descriptor, line)
        except OSError:
            self._undo(descriptor)
            raise
        if taken != len(line):
            self._undo(descriptor)
            raise OSError(f"only {taken} of {len(line)} bytes were taken")
        self._size += taken
        self._unsynced.append(line)

    def _undo(self, descriptor: int) -> None:
        """Cut off what was taken of a line."""
        try:
            self._disk.truncate(descriptor, self._size)
        except OSError as error:
            log.warning("ledger.segment_left", reason=str(error))
            self._retire()

    def _begin_segment(self) -> None:
        number = self._number + 1
        self._descriptor = self._disk.create(self._folder.journal(self.gateway, number))
        self._number, self._size, self._has_new_name = number, 0, True

    def _try_next_segment(self) -> None:
        full = self._descriptor
        try:
            self._begin_segment()
        except OSError as error:
            log.warning("ledger.segment_grows", reason=str(error))
            return
        if full is not None:
            self._retired.append(full)

    def _retire(self) -> None:
        if self._descriptor is not None:
            self._retired.append(self._descriptor)
            self._descriptor = None

    def _write_backlog(self) -> None:
        while self._backlog:
            self._append(self._backlog[0])
            self._backlog.popleft()

    def _sync_files(self, descriptors: list[int], *, has_new_name: bool) -> None:
        for descriptor in descriptors:
            self._disk.sync(descriptor)
        if has_new_name:
            self._disk.sync_folder(self._folder.path)

    def _distrust(self, lines: list[bytes], synced: int | None) -> None:
        """After a failed sync nobody knows what is on the disk: write it all again, elsewhere. Readers see it once."""
        with self._lock:
            self._is_trusted = False
            self._has_new_name = True
            self._backlog.extendleft(reversed([*lines, *self._unsynced]))
            self._unsynced = []
            if self._descriptor == synced:
                self._retire()
        self.has_work.set()


class OpenJournal:
    """A journal with its thread, held open. `ledger` is for the gateway; `close` at the end, after the last request."""

    def __init__(self, journal: Journal, lock: int, clock_us: Callable[[], int], interval_s: float) -> None:
        self.journal = journal
        self._lock = lock
        self._clock_us = clock_us
        self._interval_s = interval_s
        self._is_closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ledger-sync", daemon=True)

    def start(self) -> None:
        """Begin to sync."""
        self._thread.start()

    def reserve(self, entry: LedgerEntry) -> None:
        """See `gateway.ports.Ledger`."""
        self.journal.reserve(entry)

    def checkpoint(self, request_id: str, delivered: TokenCounts) -> None:
        """See `gateway.ports.Ledger`."""
        self.journal.note(Checkpoint(request_id, delivered, self._clock_us()))

    def settle(self, settlement: Settlement) -> None:
        """See `gateway.ports.Ledger`."""
        self.journal.settle(settlement)

    def close(self) -> None:
        """Sync, and say that this gateway has ended: what it reserved and did not settle is closed by the writer."""
        self._is_closing.set()
        self.journal.has_work.set()
        self._thread.join()
        self.journal.close()
        os.close(self._lock)

    def _run(self) -> None:
        while not self._is_closing.is_set():
            self.journal.has_work.wait()
            self._is_closing.wait(self._interval_s)  # one sync for all that comes meanwhile
            self.journal.has_work.clear()
            self.journal.sync()
            if not self.journal.is_available:
                self.journal.has_work.set()


def open_journal(
    folder: JournalFolder, clock_us: Callable[[], int], options: JournalOptions | None = None, disk: Disk | None = None
) -> OpenJournal:
    """A new journal of this process, under a name that no other has. Raises `OSError`."""
    options = options or JournalOptions()
    gateway = f"{clock_us():016x}-{os.getpid()}-{secrets.token_hex(4)}"
    lock = folder.hold(gateway)
    journal = Journal(gateway, folder, disk or RealDisk(), options.segment_bytes)
    opened = OpenJournal(journal, lock, clock_us, options.sync_interval_s)
    opened.start()
    return opened


def _unavailable() -> LedgerUnavailable:
    return LedgerUnavailable(
        "The ledger cannot be written, and nothing is served that cannot be metered. Free space on the disk of the "
        "server's home folder; it goes on by itself.",
        retry_after_s=_RETRY_AFTER_S,
    )
