"""Uploads in parts: every part is a file, so that an upload goes on after the server was restarted. Calls block.

Layout: `<root>/<token>/session.json`, and `00001.<SHA-256>` for part 1. A part that is sent again replaces the first.
An upload ends by one renaming of its folder: whoever works in it at that moment finds nothing, and leaves nothing.
"""

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from openfm.core.errors import ApiError, InvalidParameterValue, NotFound
from openfm.store.blobs import full_disk_told

MOST_PARTS = 10_000
_CHUNK_BYTES = 1 << 20
_TOKEN = re.compile("[0-9a-f]{32}")
_PART = re.compile("[0-9]{5}[.][0-9a-f]{64}")
_SESSION = "session.json"
_DONE = "done"
_ABANDONED_S = 7 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class UploadSession:
    """What is being uploaded, to which path of which version, and by whom."""

    token: str
    full_name: str
    version: int
    path: str
    owner: str
    overwrite: bool


@dataclass(frozen=True, slots=True)
class Part:
    """A part that a client says it has sent."""

    number: int
    etag: str


class Uploads:
    """The uploads in progress."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}

    def prepare(self) -> None:
        """Make the folder; remove uploads that nobody touched for a week, and what a crash left half written."""
        self._root.mkdir(parents=True, exist_ok=True)
        for folder in self._root.iterdir():
            if time.time() - folder.stat().st_mtime > _ABANDONED_S or not self._is_known(folder.name):
                shutil.rmtree(folder, ignore_errors=True)
            for unfinished in folder.glob("*.tmp"):
                unfinished.unlink()

    def begin(self, full_name: str, version: int, path: str, owner: str, *, overwrite: bool) -> UploadSession:
        """A new upload."""
        session = UploadSession(secrets.token_hex(16), full_name, version, path, owner, overwrite)
        folder = self._root / session.token
        try:
            with full_disk_told(self._root, 0):
                folder.mkdir(parents=True)
                _write_whole(folder / _SESSION, json.dumps(asdict(session)))
        except Exception:
            self.end(session.token)
            raise
        return session

    def find(self, token: str) -> UploadSession:
        """The upload of that token. Raises `NotFound`, also for one whose description the disk has lost."""
        try:
            text = (self._folder(token) / _SESSION).read_text(encoding="utf-8")
            return UploadSession(**json.loads(text))
        except (FileNotFoundError, ValueError, TypeError):
            raise _unknown() from None

    def receive(self, token: str, number: int) -> "PartWriter":
        """A part, chunk by chunk, inside `with`.

        Raises `InvalidParameterValue` for a number out of range, `NotFound` where there is no such upload any more.
        """
        if not 1 <= number <= MOST_PARTS:
            raise InvalidParameterValue(f"Part numbers go from 1 to {MOST_PARTS}, not {number}.", param="part_number")
        folder = self._folder(token)
        if (folder / _DONE).exists():
            raise _unknown()
        return PartWriter(folder, number, self._lock)

    def chunks(self, token: str, parts: Sequence[Part]) -> Iterator[bytes]:
        """The content of these parts, one after the other. Raises as `size`."""
        ordered = sorted(parts, key=lambda part: part.number)
        for part, file in zip(ordered, self._files(token, ordered), strict=True):
            try:
                source = file.open("rb")
            except FileNotFoundError:
                raise self._missing(token, part) from None
            with source:
                while chunk := source.read(_CHUNK_BYTES):
                    yield chunk

    def size(self, token: str, parts: Sequence[Part]) -> int:
        """The bytes of these parts.

        Raises `InvalidParameterValue` for one that is not here, `NotFound` when the upload ended meanwhile.
        """
        total = 0
        for part, file in zip(parts, self._files(token, parts), strict=True):
            try:
                total += file.stat().st_size
            except FileNotFoundError:
                raise self._missing(token, part) from None
        return total

    def parts(self, token: str) -> Sequence[Part]:
        """The parts that are here."""
        files = sorted(self._folder(token).glob("[0-9]*.*"))
        return [Part(int(file.name[:5]), file.name[6:]) for file in files if _PART.fullmatch(file.name)]

    def of_version(self, full_name: str, version: int | None) -> Sequence[UploadSession]:
        """The uploads to a version that go on, or to every version of a model."""
        found = []
        for folder in sorted(self._root.iterdir()):
            with contextlib.suppress(NotFound):
                session = self.find(folder.name)
                is_done = (folder / _DONE).exists()
                if session.full_name == full_name and version in {None, session.version} and not is_done:
                    found.append(session)
        return found

    @contextlib.contextmanager
    def completing(self, token: str) -> Iterator[bool]:
        """Alone with the upload, inside `with`; whether it is complete already."""
        with self._lock:
            lock = self._locks.setdefault(token, threading.Lock())
        with lock:
            yield (self._folder(token) / _DONE).exists()

    def complete(self, token: str) -> None:
        """Remove the parts, but remember that the upload was complete: the client may ask again."""
        folder = self._folder(token)
        with contextlib.suppress(FileNotFoundError):  # aborted meanwhile: nothing is left to remember
            with self._lock, full_disk_told(self._root, 0):
                (folder / _DONE).touch()
            for part in folder.glob("[0-9]*.*"):
                part.unlink(missing_ok=True)

    def end(self, token: str) -> None:
        """Remove the upload. Whoever still sends to it or reads from it gets `NotFound`."""
        folder = self._folder(token)
        ended = folder.with_suffix(".ended")
        with contextlib.suppress(FileNotFoundError):
            folder.rename(ended)
        shutil.rmtree(ended, ignore_errors=True)
        with self._lock:
            self._locks.pop(token, None)

    def end_all(self, full_name: str, version: int | None = None) -> None:
        """Remove the uploads to a version, or to every version of a model."""
        for folder in self._root.iterdir():
            with contextlib.suppress(NotFound):
                session = self.find(folder.name)
                if session.full_name == full_name and version in {None, session.version}:
                    self.end(session.token)

    def _files(self, token: str, parts: Sequence[Part]) -> Sequence[Path]:
        folder = self._folder(token)
        try:
            here = {file.name for file in folder.iterdir()}
        except FileNotFoundError:
            raise _unknown() from None
        # The tag is compared with names that are there, never made into a path.
        for part in parts:
            if _file_name(part) not in here:
                raise self._missing(token, part)
        return [folder / _file_name(part) for part in parts]

    def _missing(self, token: str, part: Part) -> ApiError:
        if not self._folder(token).is_dir():
            return _unknown()
        return InvalidParameterValue(
            f"Part {part.number} with that ETag has not arrived; send it again, then complete the upload.",
            param="parts",
        )

    def _is_known(self, token: str) -> bool:
        try:
            self.find(token)
        except NotFound:
            return False
        return True

    def _folder(self, token: str) -> Path:
        if not _TOKEN.fullmatch(token):
            raise _unknown()
        return self._root / token


class PartWriter:
    """One part on its way in."""

    def __init__(self, folder: Path, number: int, lock: threading.Lock) -> None:
        self._folder = folder
        self._number = number
        self._lock = lock
        self._temporary = folder / f"{secrets.token_hex(8)}.tmp"
        self._digest = hashlib.sha256()
        self._size = 0
        with self._present():
            self._file = self._temporary.open("xb")

    def write(self, chunk: bytes | memoryview) -> None:
        """Append. Raises `Unavailable` when the disk is full."""
        with full_disk_told(self._folder.parent, len(chunk)):
            self._file.write(chunk)
        self._digest.update(chunk)
        self._size += len(chunk)

    def commit(self) -> str:
        """Keep the part; its ETag. Raises `Unavailable` when the disk is full, `NotFound` when the upload ended."""
        etag = self._digest.hexdigest()
        with self._present():
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            with self._lock:
                if (self._folder / _DONE).exists():
                    raise _unknown()
                for older in self._folder.glob(f"{self._number:05d}.*"):
                    older.unlink(missing_ok=True)
                self._temporary.rename(self._folder / _file_name(Part(self._number, etag)))
        return etag

    @contextlib.contextmanager
    def _present(self) -> Iterator[None]:
        try:
            with full_disk_told(self._folder.parent, self._size):
                yield
        except FileNotFoundError:
            raise _unknown() from None

    def close(self) -> None:
        """Drop what was not committed."""
        with contextlib.suppress(OSError):  # a full disk reports the unwritten buffer once more
            self._file.close()
        self._temporary.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _file_name(part: Part) -> str:
    return f"{part.number:05d}.{part.etag.strip().strip(chr(34))}"


def _write_whole(path: Path, text: str) -> None:
    """A crash leaves the whole file or none."""
    temporary = path.with_suffix(".tmp")
    with temporary.open("x", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)


def _unknown() -> NotFound:
    return NotFound(
        "There is no such upload: it was completed, aborted, or belongs to another server. Begin a new one.",
        param="session_token",
    )
