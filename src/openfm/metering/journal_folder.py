"""HOME/ledger: the journals of every gateway that ran on this HOME, and which of them still run.

`<gateway>.lock` is held (flock) by its process as long as it lives; the operating system lets go of it, however the
process ends. `<gateway>.<number>.journal` are its journals, in the order of their numbers; only the last one grows.
"""

import fcntl
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_LOCK, _JOURNAL, _DRAFT = ".lock", ".journal", ".draft"


@dataclass(frozen=True, slots=True)
class JournalFolder:
    """The folder at `path`."""

    path: Path

    def hold(self, gateway: str) -> int:
        """Say that `gateway` lives; the descriptor that says it. Raises `OSError`."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._draft(gateway)
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        draft.rename(self._lock(gateway))  # only now: a lock that nobody holds is that of a dead gateway
        return descriptor

    def journal(self, gateway: str, number: int) -> Path:
        """Where a gateway's journal of that number is."""
        return self.path / f"{gateway}.{number:08d}{_JOURNAL}"

    def gateways(self) -> Mapping[str, list[Path]]:
        """Each gateway's journals, oldest first."""
        found: dict[str, list[Path]] = {}
        for entry in sorted(self.path.glob("*.*")):
            gateway = entry.name.partition(".")[0]
            if entry.suffix == _LOCK:
                found.setdefault(gateway, [])
            elif entry.suffix == _JOURNAL:
                found.setdefault(gateway, []).append(entry)
        return found

    def is_dead(self, gateway: str) -> bool:
        """Whether its process has ended: it will write no more."""
        try:
            descriptor = os.open(self._lock(gateway), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        return True

    def forget(self, gateway: str) -> None:
        """Remove what a dead gateway left beside its journals."""
        self._lock(gateway).unlink(missing_ok=True)

    def _lock(self, gateway: str) -> Path:
        return self.path / f"{gateway}{_LOCK}"

    def _draft(self, gateway: str) -> Path:
        return self.path / f"{gateway}{_DRAFT}"
