"""Files by the SHA-256 of their content: each content is kept once, and what is read is what was written.

Layout below the root: `ab/abcdef…` the contents (read-only), `incoming/` what is being written. One server works on a
root at a time (`server/home.py` locks the home), so the locks of this process are enough. Every call blocks.
"""

import contextlib
import errno
import hashlib
import os
import re
import shutil
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from openfm.core.errors import Unavailable
from openfm.core.registry import Manifest

_DIGEST = re.compile("[0-9a-f]{64}")
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NO_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.EACCES})
_RESERVE_BYTES = 64 * 1024 * 1024
"""Left free for the database and the logs, which live on the same disk."""
_RETRY_S = 60.0


class BlobDamaged(Unavailable):
    """The content on disk is not what its name says, or is gone."""

    def __init__(self, digest: str, reason: str) -> None:
        super().__init__(
            f"The stored file {digest} {reason}. The disk may be failing: check it, then register the model again: "
            "that puts the file right for every version that has it.",
            retry_after_s=_RETRY_S,
        )
        self.digest = digest


@dataclass(frozen=True, slots=True)
class Blob:
    """A stored content."""

    digest: str
    size: int


class BlobStore:
    """The contents of all model versions."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._held: Counter[str] = Counter()
        self._damaged = set[str]()

    @property
    def root(self) -> Path:
        """The folder of everything; other state of uploads may be kept beside the contents, on the same disk."""
        return self._root

    def prepare(self) -> None:
        """Make the folder, and remove what a crash left half written."""
        shutil.rmtree(self._root / "incoming", ignore_errors=True)
        (self._root / "incoming").mkdir(parents=True)

    def path(self, digest: str) -> Path:
        """Where the content is, if it is here."""
        return self._root / digest[:2] / digest

    def has(self, digest: str) -> bool:
        """Whether the content is here. One that was found damaged is not: it is to be sent again."""
        return _DIGEST.fullmatch(digest) is not None and digest not in self._damaged and self.path(digest).is_file()

    def reserve(self, size: int) -> None:
        """Return if so many more bytes fit. Raises `Unavailable` with the numbers if not."""
        free = shutil.disk_usage(self._root).free
        if size + _RESERVE_BYTES > free:
            raise disk_full(self._root, size)

    def receive(self) -> "BlobWriter":
        """A new content, chunk by chunk, inside `with`; what is not committed at the end is gone."""
        return BlobWriter(self, self._root / "incoming" / uuid.uuid4().hex)

    @contextlib.contextmanager
    def add(self, source: Path) -> Iterator[Blob]:
        """The content of a file that nobody writes to any more, without a copy where a link can be made.

        Held inside `with`. Raises `Unavailable` when the disk is full.
        """
        temporary = self._root / "incoming" / uuid.uuid4().hex
        size = source.stat().st_size
        try:
            with full_disk_told(self._root, size):
                try:
                    temporary.hardlink_to(source)
                except OSError:
                    self.reserve(size)
                    shutil.copyfile(source, temporary)
                blob = Blob(_sha256(temporary), temporary.stat().st_size)
                self.adopt(temporary, blob)
        finally:
            temporary.unlink(missing_ok=True)
        try:
            yield blob
        finally:
            self.release(blob.digest)

    @contextlib.contextmanager
    def holding(self, digests: frozenset[str]) -> Iterator[frozenset[str]]:
        """Those of the contents that are here, safe from the collector until the end of `with`."""
        with self._lock:
            here = frozenset(digest for digest in digests if self.has(digest))
            self._held.update(here)
        try:
            yield here
        finally:
            with self._lock:
                self._held.subtract(here)

    def verify(self, digest: str) -> None:
        """Read the whole content and compare. Raises `BlobDamaged`."""
        try:
            actual = _sha256(self.path(digest))
        except FileNotFoundError:
            raise BlobDamaged(digest, "is missing") from None
        if actual != digest:
            self._damaged.add(digest)
            raise BlobDamaged(digest, f"has SHA-256 {actual}")
        self._damaged.discard(digest)

    def verify_all(self, manifest: Manifest) -> None:
        """Check every file of a version, each content once; called at each load. Raises `BlobDamaged`."""
        for digest in {entry.digest for entry in manifest.values()}:
            self.verify(digest)

    def check(self, blob: Blob) -> Path:
        """The content's file, if its size is right: what can be asked on every request. Raises `BlobDamaged`."""
        path = self.path(blob.digest)
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            raise BlobDamaged(blob.digest, "is missing") from None
        if size != blob.size:
            self._damaged.add(blob.digest)
            raise BlobDamaged(blob.digest, f"has {size} bytes, not {blob.size}")
        return path

    def materialize(self, manifest: Manifest, folder: Path) -> None:
        """Lay out a version's files under their paths, without copying. `folder` is made, and made anew if there.

        The files are read-only links to the contents: whoever works with them must not change them. Raises
        `BlobDamaged`, and `Unavailable` when the disk is full.
        """
        shutil.rmtree(folder, ignore_errors=True)
        with full_disk_told(self._root, 0):
            folder.mkdir(parents=True)
            for path, entry in manifest.items():
                source = self.check(Blob(entry.digest, entry.size))
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                _link(source, target)

    def collect(self, needed: Callable[[], frozenset[str]]) -> int:
        """Remove what is not needed and not held; the bytes freed."""
        freed = 0
        with self._lock:
            kept = needed() | {digest for digest, count in self._held.items() if count > 0}
            self._held = +self._held
            for file in self._root.glob("[0-9a-f][0-9a-f]/*"):
                if file.name not in kept:
                    freed += file.stat().st_size
                    file.unlink()
        return freed

    def adopt(self, temporary: Path, blob: Blob) -> None:
        """Move a finished file to its place and hold it.

        It replaces what is there: of the new file it is known what it holds, of the old one only what it once held.
        """
        target = self.path(blob.digest)
        with self._lock:
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary.chmod(0o444)
            temporary.replace(target)
            _sync_folder(target.parent)
            self._damaged.discard(blob.digest)
            self._held[blob.digest] += 1

    def release(self, digest: str) -> None:
        """Let the collector have it if no version names it."""
        with self._lock:
            self._held[digest] -= 1


class BlobWriter:
    """One content on its way in."""

    def __init__(self, store: BlobStore, temporary: Path) -> None:
        self._store = store
        self._temporary = temporary
        with full_disk_told(store.root, 0):
            self._file = temporary.open("xb")
        self._digest = hashlib.sha256()
        self._size = 0
        self._blob: Blob | None = None

    @property
    def blob(self) -> Blob:
        """What was committed."""
        if self._blob is None:
            raise AssertionError("commit first")
        return self._blob

    def write(self, chunk: bytes | memoryview) -> None:
        """Append. Raises `Unavailable` when the disk is full."""
        with full_disk_told(self._store.root, len(chunk)):
            self._file.write(chunk)
        self._digest.update(chunk)
        self._size += len(chunk)

    def commit(self) -> Blob:
        """Put the content where it belongs, durably; held until `with` ends. Raises `Unavailable` for a full disk."""
        blob = Blob(self._digest.hexdigest(), self._size)
        with full_disk_told(self._store.root, self._size):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._store.adopt(self._temporary, blob)
        self._blob = blob
        return blob

    def close(self) -> None:
        """Drop what was not committed; release what was."""
        with contextlib.suppress(OSError):  # a full disk reports the unwritten buffer once more
            self._file.close()
        self._temporary.unlink(missing_ok=True)
        if self._blob is not None:
            self._store.release(self._blob.digest)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def disk_full(folder: Path, size: int) -> Unavailable:
    """The error for a disk that cannot take `size` more bytes, or no further file (0)."""
    needed = f"{size:,} more bytes are needed" if size else "a file cannot be made"
    free = shutil.disk_usage(folder).free
    return Unavailable(
        f"The disk of the models folder is full: {needed} and {free:,} bytes are free. Delete models "
        "that are not needed, or move the folder to a larger disk (OPENFM_MODELS_DIR).",
        retry_after_s=_RETRY_S,
    )


@contextlib.contextmanager
def full_disk_told(folder: Path, size: int) -> Iterator[None]:
    """Inside `with`, raise `Unavailable` with the numbers where the disk cannot take `size` more bytes."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise disk_full(folder, size) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        target.symlink_to(source.resolve())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
