"""Brings closed rows of the ledger into the archive, some time after they were closed."""

import asyncio
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from openfm.metering.sql.archive import Archive, ArchiveState, crowded_days, day_of
from openfm.metering.sql.processes import SqlProcesses
from openfm.metering.sql.rows import Rows, closed_rows, write_lines
from openfm.store.database import Database
from openfm.telemetry.survival import survived

log = structlog.get_logger(__name__)

ROWS_AT_ONCE = 50_000
_WORTH_A_FILE = 2_000
_INTERVAL_S = 30.0
_MOST_FILES_A_DAY = 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Part:
    """A file to be written, of rows (JSON lines) or of other files."""

    name: str
    lines: str | None
    files: Sequence[str] = ()


class Exporter:
    """The archive's one writer. `step` and `forget` block. After `keep_days` a day's rows go; None keeps them."""

    def __init__(
        self, database: Database, archive: Archive, processes: SqlProcesses, keep_days: int | None = None
    ) -> None:
        self._keep_days = keep_days
        self._database = database
        self._archive = archive
        self._processes = processes

    async def run(self) -> None:
        """Export for ever; what fails is tried again."""
        while True:
            with survived("usage.not_exported"):
                while await asyncio.to_thread(self.step, _WORTH_A_FILE):
                    pass
                await asyncio.to_thread(self.forget, time.time())
            await asyncio.sleep(_INTERVAL_S)

    def forget(self, now_s: float) -> None:
        """Drop the days that are kept no longer; `now_s` is epoch seconds. Raises `OSError`."""
        if self._keep_days is None:
            return
        oldest = (_EPOCH + timedelta(seconds=now_s) - timedelta(days=self._keep_days)).date().isoformat()
        state = self._archive.state()
        kept = ArchiveState(state.through, tuple(file for file in state.files if day_of(file) >= oldest))
        if kept != state:
            self._archive.keep(kept)
        self._archive.sweep(kept, now_s)

    def step(self, fewest: int) -> bool:
        """Export some rows if there are at least so many; whether there were.

        Raises `OSError`, and what `SqlProcesses.run` does.
        """
        self._archive.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        state = self._archive.state()
        with self._database.transaction() as connection:
            rows = closed_rows(connection, state.through, ROWS_AT_ONCE)
        if len(rows) < max(1, fewest):
            return False
        with tempfile.TemporaryDirectory(prefix="incoming-", dir=self._archive.root) as folder:
            parts = [self._new_part(day, found, Path(folder)) for day, found in _by_day(rows).items()]
            self._write(parts)
        state = ArchiveState(rows[-1]["closing_number"], (*state.files, *(part.name for part in parts)))
        self._archive.keep(state)
        self._archive.sweep(self._compacted(state), time.time())
        log.info("usage.exported", rows=len(rows), through=state.through)
        return True

    def _new_part(self, day: str, rows: Rows, folder: Path) -> _Part:
        name = self._archive.new_file(day, rows[0]["closing_number"], rows[-1]["closing_number"])
        return _Part(name, write_lines(folder / f"{day}.jsonl", rows))

    def _compacted(self, state: ArchiveState) -> ArchiveState:
        """Many small files of a day become one."""
        days = crowded_days(state.files, _MOST_FILES_A_DAY)
        old = [file for file in state.files if day_of(file) in days]
        if not old:
            return state
        parts = [self._whole_day(day, [file for file in old if day_of(file) == day]) for day in days]
        self._write(parts)
        kept = (file for file in state.files if file not in old)
        state = ArchiveState(state.through, (*kept, *(part.name for part in parts)))
        self._archive.keep(state)
        return state

    def _whole_day(self, day: str, files: Sequence[str]) -> _Part:
        numbers = [int(number) for file in files for number in Path(file).stem.split("-")]
        name = self._archive.new_file(day, min(numbers), max(numbers))
        return _Part(name, None, self._archive.paths(ArchiveState(0, tuple(files))))

    def _write(self, parts: Sequence[_Part]) -> None:
        jobs = [{"rows": part.lines, "files": part.files, "to": str(self._archive.root / part.name)} for part in parts]
        # In a loop of its own: this thread has none, and waits.
        asyncio.run(self._processes.run({"kind": "write", "parts": jobs}))


def _by_day(rows: Rows) -> Mapping[str, Rows]:
    days: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        days[(_EPOCH + timedelta(microseconds=row["received_us"])).date().isoformat()].append(row)
    return days
