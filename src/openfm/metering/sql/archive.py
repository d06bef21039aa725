"""HOME/usage: closed rows of the ledger as Parquet, a folder a day, and the one file that says which of it counts.

A file counts once `archive.json` names it, which is swapped whole; what it does not name is left of a crash and is
removed. So each row is in the archive once, whenever and however often a process ends.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from openfm.core.days import Days

_STATE, _DRAFT = "archive.json", "archive.json.draft"
_FOLDER = "endpoint_usage"
_READ_FOR_S = 600.0


@dataclass(frozen=True, slots=True)
class ArchiveState:
    """Rows up to the closing number `through` are in `files`, which are relative to the archive."""

    through: int = 0
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Archive:
    """The archive in the folder `root`."""

    root: Path

    def state(self) -> ArchiveState:
        """What counts now; of a new archive, nothing. Raises `OSError`."""
        try:
            stored = json.loads((self.root / _STATE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return ArchiveState()
        return ArchiveState(stored["through"], tuple(stored["files"]))

    def paths(self, state: ArchiveState, days: Days | None = None) -> list[str]:
        """The files that count; those of some days, or all."""
        return [str(self.root / file) for file in state.files if days is None or day_of(file) in days]

    def new_file(self, day: str, first: int, last: int) -> str:
        """Where rows of a day (YYYY-MM-DD) with closing numbers from `first` to `last` go; its folder is made."""
        name = f"{_FOLDER}/usage_date={day}/{first}-{last}.parquet"
        (self.root / name).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return name

    def keep(self, state: ArchiveState) -> None:
        """From now on this counts. Raises `OSError`."""
        draft = self.root / _DRAFT
        with draft.open("w", encoding="utf-8") as file:
            json.dump({"through": state.through, "files": list(state.files)}, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.root / _STATE)

    def sweep(self, state: ArchiveState, now_s: float) -> None:
        """Remove files that do not count, once nobody can be reading them any more. `now_s` is epoch seconds."""
        known = set(state.files)
        for file in self.root.glob(f"{_FOLDER}/*/*.parquet"):
            is_known = file.relative_to(self.root).as_posix() in known
            if not is_known and now_s - file.stat().st_mtime > _READ_FOR_S:
                file.unlink(missing_ok=True)


def day_of(file: str) -> str:
    """The day whose rows a file has."""
    return file.split("/")[1].removeprefix("usage_date=")


def crowded_days(files: Sequence[str], most: int) -> list[str]:
    """Days that have more files than `most`."""
    days = [day_of(file) for file in files]
    return sorted({day for day in days if days.count(day) > most})
