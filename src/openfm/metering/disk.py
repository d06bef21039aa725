"""The few calls by which a journal reaches the disk. Each raises `OSError`, as the operating system does."""

import os
from pathlib import Path
from typing import Protocol


class Disk(Protocol):
    """Files that only grow, by descriptor."""

    def create(self, path: Path) -> int:
        """A new file; every write goes to its end."""
        ...

    def write(self, descriptor: int, data: bytes) -> int:
        """How many bytes the operating system took; they survive the end of this process."""
        ...

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut the file to `size` bytes."""
        ...

    def sync(self, descriptor: int) -> None:
        """Wait until what was written survives a loss of power."""
        ...

    def sync_folder(self, folder: Path) -> None:
        """The same of the names in the folder."""
        ...

    def close(self, descriptor: int) -> None:
        """Let go of the file."""
        ...


class RealDisk:
    """The operating system's."""

    def create(self, path: Path) -> int:
        """See `Disk`."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def write(self, descriptor: int, data: bytes) -> int:
        """See `Disk`."""
        return os.write(descriptor, data)

    def truncate(self, descriptor: int, size: int) -> None:
        """See `Disk`."""
        os.ftruncate(descriptor, size)

    def sync(self, descriptor: int) -> None:
        """See `Disk`."""
        os.fsync(descriptor)

    def sync_folder(self, folder: Path) -> None:
        """See `Disk`."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def close(self, descriptor: int) -> None:
        """See `Disk`."""
        os.close(descriptor)
