"""Brings a model's files onto this machine: once, whole and checked.

Files land in `MODELS_DIR/<name>/<filename>`, those of the hub in `MODELS_DIR/hub` in the hub's own layout. What is
under way has another name (`.part`, `.new`) until its hash is right, so a file under its own name is whole. A marker
beside it says which size and time the checked file had; while they stay, it is not read again.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from filelock import FileLock, Timeout

from openfm.catalog.catalog import CatalogModel, ModelFile
from openfm.catalog.fit import size_words
from openfm.catalog.source import HubSource
from openfm.core.errors import ApiError, InvalidParameterValue, NotFound, PermissionDenied, Unavailable
from openfm.ops.http import RetryPolicy, open_session
from openfm.ops.hub import blob_sha256, fetch_from_hub
from openfm.ops.index_config import IndexConfig
from openfm.ops.machine import disk_free_bytes
from openfm.ops.sources import Link, fetch, in_thread, sha256_of

_MARGIN_BYTES = 16_000_000
_LOCK_POLL_S = 0.25
_REPOSITORY = "repository"


class Stage(StrEnum):
    """What a pull is doing with a file. DAMAGED is said once, before such a file is fetched again."""

    WAITING = "waiting for another openfm that is downloading"
    RESOLVING = "looking it up"
    DOWNLOADING = "downloading"
    CHECKING = "checking"
    DAMAGED = "damaged; fetching it again"
    READY = "ready"


@dataclass(frozen=True, slots=True)
class PullProgress:
    """How far a file is. Bytes are those on the wire while downloading; `total_bytes` 0 is not known."""

    model: str
    filename: str
    stage: Stage
    done_bytes: int = 0
    total_bytes: int = 0


OnProgress = Callable[[PullProgress], None]


class NoSpace(Unavailable):
    """The disk has no room for the download."""


@dataclass(frozen=True, slots=True)
class PullTools:
    """What a pull works with: where packages come from, how often to try again, how much disk is free.

    `hub_environ` replaces the environment that the hub's library sees.
    """

    index: IndexConfig = IndexConfig()
    retries: RetryPolicy = RetryPolicy()
    free_bytes: Callable[[Path], int] = disk_free_bytes
    hub_environ: Mapping[str, str] | None = None


async def pull(
    model: CatalogModel, models_dir: Path, on_progress: OnProgress, tools: PullTools | None = None
) -> dict[str, Path]:
    """The model's files by role, fetched if they are not here. A model without files is one folder, role `model`.

    Raises `Unavailable` (no network, no space, wrong content), `NotFound` or `PermissionDenied`, each saying what to
    do. Cancelling keeps what has come; the next pull goes on from there.
    """
    job = _Pull(model, models_dir, on_progress, tools or PullTools())
    ready = {file.role: path for file in job.files if (path := verified_path(file, job.folder))}
    if len(ready) == len(job.files):
        return ready
    try:
        async with _locked(job):
            return await job.run()
    except OSError as error:
        raise Unavailable(f"{job.folder} cannot be written: {error}. Choose another OPENFM_MODELS_DIR.") from error


def verified_path(file: ModelFile, folder: Path) -> Path | None:
    """Where the file is, if it was checked before and has not changed since."""
    try:
        marker = json.loads(_marker(file, folder).read_text(encoding="utf-8"))
        path = Path(marker["path"]) if "path" in marker else folder / file.filename
        stat = path.stat()
        is_same = (marker["sha256"], marker["size_bytes"], marker["mtime_ns"]) == (
            file.sha256 or marker["sha256"],
            stat.st_size,
            stat.st_mtime_ns,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return path if is_same else None


def present_bytes(model: CatalogModel, models_dir: Path) -> int:
    """How much of the model is here and checked."""
    folder = models_dir / model.name
    return sum(file.size_bytes for file in files_of(model) if verified_path(file, folder))


def files_of(model: CatalogModel) -> tuple[ModelFile, ...]:
    """The model's files; a whole repository counts as one."""
    if model.files:
        return model.files
    source = model.sources[0]
    if not isinstance(source, HubSource):
        raise InvalidParameterValue(f"{model.name} lists no files, and its source {source} is no repository.")
    return (ModelFile("model", _REPOSITORY, source, model.size_bytes, sha256=None),)


@dataclass(frozen=True, slots=True)
class _Pull:
    """One pull under way; its lock is held by the caller."""

    model: CatalogModel
    models_dir: Path
    on_progress: OnProgress
    tools: PullTools
    files: tuple[ModelFile, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "files", files_of(self.model))

    @property
    def folder(self) -> Path:
        return self.models_dir / self.model.name

    async def run(self) -> dict[str, Path]:
        async with open_session(self.tools.index.ca_file) as session:
            link = Link(
                session,
                self.tools.index,
                self.tools.retries,
                self.models_dir / "hub",
                self.tools.hub_environ,
                self.reserve,
            )
            return {file.role: await self.obtain(file, link) for file in self.files}

    async def obtain(self, file: ModelFile, link: Link) -> Path:
        """The file's path once it is here and right."""
        path = verified_path(file, self.folder) or await self.adopt(file)
        if path is None:
            try:
                path = await self.fetch(file, link)
            except NoSpace:
                raise
            except (Unavailable, NotFound, PermissionDenied) as error:
                raise self.explained(error, file) from error
        self.say(file, Stage.READY)
        return path

    async def adopt(self, file: ModelFile) -> Path | None:
        """A file that lies in its place unchecked, put there by hand or changed since, if it is the right one."""
        path = self.folder / file.filename
        if not path.is_file():
            return None
        if path.stat().st_size == file.size_bytes or file.sha256 is None:
            digest = await self.digest(file, path)
            if digest == (file.sha256 or digest):
                _mark(file, self.folder, path, digest)
                return path
        self.say(file, Stage.DAMAGED)
        return None

    async def fetch(self, file: ModelFile, link: Link) -> Path:
        self.say(file, Stage.RESOLVING)
        target = self.folder / file.filename

        def report(done: int, total: int) -> None:
            self.on_progress(PullProgress(self.model.name, file.filename, Stage.DOWNLOADING, done, total))

        if file.filename == _REPOSITORY and isinstance(file.source, HubSource):
            link.reserve(file.size_bytes)
            found = await fetch_from_hub(file.source, link.hub_cache, report, link.hub_environ)
            _mark(file, self.folder, found, "")
            return found
        found = await fetch(file, target, link, report)
        digest = await self.digest(file, found)
        expected = file.sha256 or blob_sha256(found) or digest
        is_ours = found.parent == self.folder
        if digest != expected:
            if is_ours or isinstance(file.source, HubSource):
                found.resolve().unlink()
            raise Unavailable(f"What came from {file.source} has SHA-256 {digest}, not {expected}: it was thrown away.")
        if is_ours:
            await in_thread(_put_in_place, found, target)
            found = target
        _mark(file, self.folder, found, digest)
        return found

    async def digest(self, file: ModelFile, path: Path) -> str:
        """The file's SHA-256, with progress told on this thread."""
        loop = asyncio.get_running_loop()
        said = PullProgress(self.model.name, file.filename, Stage.CHECKING, 0, file.size_bytes)

        def report(done: int) -> None:
            loop.call_soon_threadsafe(self.on_progress, replace(said, done_bytes=done))

        return await in_thread(sha256_of, path, report)

    def reserve(self, needed: int) -> None:
        """Raise `NoSpace` when so many more bytes do not fit."""
        free = self.tools.free_bytes(self.folder)
        if free < needed + _MARGIN_BYTES:
            raise NoSpace(
                f"{self.model.profile.display_name} needs {size_words(needed)} more in {self.models_dir}, where "
                f"{size_words(free)} are free. Make room, or set OPENFM_MODELS_DIR to a folder on another disk."
            )

    def explained(self, error: ApiError, file: ModelFile) -> ApiError:
        """The error with what failed, and the way without a network."""
        if file.filename == _REPOSITORY:
            advice = "Run it again to go on where it stopped."
        else:
            checksum = f" (SHA-256 {file.sha256})" if file.sha256 else ""
            advice = (
                "Run it again to go on where it stopped, or put the file at "
                f"{self.folder / file.filename}{checksum} yourself."
            )
        message = f"{file.filename} of {self.model.profile.display_name} did not come from {file.source}."
        return type(error)(f"{message} {error.message} {advice}")

    def say(self, file: ModelFile, stage: Stage) -> None:
        self.on_progress(PullProgress(self.model.name, file.filename, stage))


@asynccontextmanager
async def _locked(job: _Pull) -> AsyncIterator[None]:
    """Hold the model's folder against other processes and tasks; says once that it waits."""
    job.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(job.folder / ".lock")
    is_waiting = False
    while True:
        try:
            lock.acquire(blocking=False)
            break
        except Timeout:
            if not is_waiting:
                job.say(job.files[0], Stage.WAITING)
                is_waiting = True
            await asyncio.sleep(_LOCK_POLL_S)
    try:
        yield
    finally:
        lock.release()


def _put_in_place(found: Path, target: Path) -> None:
    """Rename, with the bytes on the disk first: else a power cut leaves a marked file that is empty."""
    with found.open("rb") as file:
        os.fsync(file.fileno())
    found.replace(target)


def _marker(file: ModelFile, folder: Path) -> Path:
    return folder / f".{file.filename}.verified"


def _mark(file: ModelFile, folder: Path, path: Path, digest: str) -> None:
    stat = path.stat()
    marker = {"path": str(path), "sha256": digest, "size_bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns}
    if path == folder / file.filename:
        del marker["path"]  # so that the folder may be moved
    temporary = _marker(file, folder).with_suffix(".tmp")
    temporary.write_text(json.dumps(marker), encoding="utf-8")
    temporary.replace(_marker(file, folder))
