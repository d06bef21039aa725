"""Engines' log files are bounded: engines only append to them, whoever writes much or is gone has no say in it."""

import os
from collections.abc import Callable
from pathlib import Path

_MOST_BYTES = 16 << 20
_KEPT_BYTES = 4 << 20
_DAY_S = 86_400.0
_GONE_DAYS = 1
_QUIET_DAYS = 30


class LogKeeper:
    """Keeps `<deployment id>-<number>.log` files in bounds.

    `living` says which deployments an endpoint names; the others' logs are kept for a day, for whoever wonders why
    they ended. `now` gives seconds since the epoch.
    """

    def __init__(self, log_dir: Path, living: Callable[[], frozenset[str]], now: Callable[[], float]) -> None:
        self._log_dir = log_dir
        self._living = living
        self._now = now

    def tidy(self) -> None:
        """Remove what is left of deployments that are gone; shorten what is large; empty what is old. Blocks."""
        living = self._living()
        for file in self._log_dir.glob("*-*.log"):
            status = file.stat()
            days = (self._now() - status.st_mtime) / _DAY_S
            if days > _GONE_DAYS and file.stem.rpartition("-")[0] not in living:
                file.unlink()
            elif days > _QUIET_DAYS and status.st_size:
                os.truncate(file, 0)
            elif status.st_size > _MOST_BYTES:
                _shorten(file)


def _shorten(file: Path) -> None:
    """Keep the end, in place: the engine has the file open. What it writes in this very moment may be lost."""
    with file.open("rb") as opened:
        opened.seek(-_KEPT_BYTES, os.SEEK_END)
        end = opened.read().partition(b"\n")[2]
    os.truncate(file, 0)
    with file.open("ab") as opened:
        opened.write(end)
