"""Brings closed rows of the ledger into the archive, some time after they were closed."""

import asyncio
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
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


class Exporter:
    """The archive's one writer. `step` blocks."""

    def __init__(self, database: Database, archive: Archive, processes: SqlProcesses) -> None:
        self._database = database
        self._archive = archive
        self._processes = processes

    async def run(self) -> None:
        """Export for ever; what fails is tried again."""
        while True:
            with survived("usage.not_exported"):
                while await asyncio.to_thread(self.step, _WORTH_A_FILE):
                    pass
            await asyncio.sleep(_INTERVAL_S)

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
            new = [self._written(day, found, Path(folder)) for day, found in _by_day(rows).items()]
        state = ArchiveState(rows[-1]["closing_number"], (*state.files, *new))
        self._archive.keep(state)
        self._archive.sweep(self._compacted(state), time.time())
        log.info("usage.exported", rows=len(rows), through=state.through)
        return True

    def _written(self, day: str, rows: Rows, folder: Path) -> str:
        first, last = rows[0]["closing_number"], rows[-1]["closing_number"]
        name = self._archive.new_file(day, first, last)
        lines = write_lines(folder / f"{day}.jsonl", rows)
        self._write({"rows": lines, "files": []}, name)
        return name

    def _compacted(self, state: ArchiveState) -> ArchiveState:
        """Many small files of a day become one."""
        for day in crowded_days(state.files, _MOST_FILES_A_DAY):
            old = [file for file in state.files if day_of(file) == day]
            numbers = [int(number) for file in old for number in Path(file).stem.split("-")]
            name = self._archive.new_file(day, min(numbers), max(numbers))
            self._write({"rows": None, "files": self._archive.paths(ArchiveState(0, tuple(old)))}, name)
            state = ArchiveState(state.through, (*(file for file in state.files if file not in old), name))
            self._archive.keep(state)
        return state

    def _write(self, source: Mapping[str, Any], name: str) -> None:
        self._processes.run({"kind": "write", "to": str(self._archive.root / name), **source})


def _by_day(rows: Rows) -> Mapping[str, Rows]:
    days: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        days[(_EPOCH + timedelta(microseconds=row["received_us"])).date().isoformat()].append(row)
    return days
