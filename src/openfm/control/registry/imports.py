"""Registrations that the server does by itself: it fetches a model from the Hugging Face hub and makes it a version."""

import asyncio
import contextlib
import shutil
from collections.abc import Set as AbstractSet
from pathlib import Path

import structlog

from openfm.control.files.paths import checked_file
from openfm.control.registry import repository
from openfm.control.registry.ports import Fetcher
from openfm.control.registry.resources import Resources
from openfm.control.registry.service import Models
from openfm.control.registry.versions import NewVersion, Versions
from openfm.core.errors import AlreadyExists, ApiError, InvalidParameterValue, Unavailable
from openfm.core.principal import Principal
from openfm.core.registry import HUB_KIND, SOURCE_KIND_TAG, FileEntry, ModelName, ModelVersion, VersionStatus
from openfm.telemetry.survival import survived

log = structlog.get_logger(__name__)

_HUB_PREFIX = "hf://"
_WEB_PREFIXES = ("https://huggingface.co/", "https://hf.co/", "http://huggingface.co/", "huggingface.co/")
_RETRY_S = 5.0
_SYSTEM = Principal(id="0", name="System user", is_admin=True)


class Imports:
    """Fetches in the background. Its methods are for the event loop's thread, but for `end_orphans`.

    A version is known by its id all the while: its model may be renamed, deleted and made anew meanwhile.
    """

    def __init__(self, resources: Resources, models: Models, versions: Versions, fetcher: Fetcher) -> None:
        self._own = resources
        self._models = models
        self._versions = versions
        self._fetcher = fetcher
        self._folder = resources.blobs.root / "fetched"
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self, name: ModelName, caller: Principal, new: NewVersion) -> ModelVersion:
        """A version that is being fetched from `new.source`; the model is made where it is missing."""
        version = await asyncio.to_thread(self._created, name, caller, new)
        self._run(version)
        return version

    async def resume(self) -> None:
        """Go on with what an earlier run of the server began."""
        versions = await asyncio.to_thread(self._interrupted)
        await asyncio.to_thread(self._sweep, {version.id for version in versions})
        for version in versions:
            self._run(version)

    def end_orphans(self) -> None:
        """Stop fetching versions that are gone; called after some were deleted, from any thread. Blocks."""
        tasks = dict(self._tasks)
        if not tasks or self._loop is None:
            return
        with survived("model.fetch_not_ended"), self._own.database.transaction() as connection:
            for gone in tasks.keys() - repository.known_version_ids(connection, frozenset(tasks)):
                self._loop.call_soon_threadsafe(tasks[gone].cancel)

    async def stop(self) -> None:
        """End every fetch; the next start goes on with them."""
        for task in self._tasks.values():
            task.cancel()
        await self.settled()

    async def settled(self) -> None:
        """Wait until nothing is being fetched."""
        while self._tasks:
            await asyncio.wait(self._tasks.values())

    def _run(self, version: ModelVersion) -> None:
        self._loop = asyncio.get_running_loop()
        key = version.id
        task = self._loop.create_task(self._fetch(version))
        self._tasks[key] = task
        task.add_done_callback(lambda _: (self._tasks.pop(key, None), self._own.progress.pop(key, None)))

    async def _fetch(self, version: ModelVersion) -> None:
        folder = self._folder / version.id
        with survived("model.not_fetched", model=str(version.name), version=version.version) as outcome:
            try:
                await self._bring(version, folder)
            except ApiError as error:
                await self._fail(version, error.message)
            except OSError as error:
                log.warning("model.disk_failed", model=str(version.name), version=version.version, error=repr(error))
                await self._fail(version, _told(error))
            except asyncio.CancelledError:
                if not await asyncio.to_thread(self._is_wanted, version):
                    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
                raise
        if outcome.error is not None:
            await self._fail(version, f"openfm made an error of its own: {outcome.error!r}. Register the model again.")
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _bring(self, version: ModelVersion, folder: Path) -> None:
        def note(done: int, total: int) -> None:
            told = f"{done:,} of {total:,} bytes" if total else f"{done:,} bytes"
            self._own.progress[version.id] = f"Fetching: {told}."

        self._own.progress[version.id] = "Waiting for the source."
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        files = await self._fetcher.fetch(version.source, folder, note)
        self._own.progress[version.id] = "Checking the files."
        await asyncio.to_thread(self._stored, version, files)

    async def _fail(self, version: ModelVersion, reason: str) -> None:
        log.warning("model.not_registered", model=str(version.name), version=version.version, reason=reason)
        is_told = False
        while not is_told:
            try:
                await asyncio.to_thread(self._versions.fail, version.id, _SYSTEM, reason)
                is_told = True
            except Unavailable as error:  # the database is busy, or its disk as full as ours
                log.warning("model.failure_not_kept", model=str(version.name), reason=error.message)
                await asyncio.sleep(error.retry_after_s or _RETRY_S)

    def _created(self, name: ModelName, caller: Principal, new: NewVersion) -> ModelVersion:
        source = hub_source(new.source)
        with contextlib.suppress(AlreadyExists):
            self._models.create(name, caller)
        tags = {**new.tags, SOURCE_KIND_TAG: HUB_KIND}
        return self._versions.create(name, caller, NewVersion(source, new.run_id, new.comment, tags))

    def _stored(self, version: ModelVersion, files: Path) -> None:
        """Make the fetched files the version's, then finalize it. Raises `NotFound` once it is deleted."""
        inside = (self._folder / version.id).resolve()
        for path in sorted(files.rglob("*")):
            if path.is_file():
                name = checked_file(path.relative_to(files).as_posix())
                # The hub library's own links lead into its cache; any other would take the server's files in.
                if not path.resolve().is_relative_to(inside):
                    raise InvalidParameterValue(f"'{name}' is a link out of the model's folder.", param="source")
                self._take(version, path, name)
        self._versions.conclude(version.id, _SYSTEM)

    def _take(self, version: ModelVersion, path: Path, name: str) -> None:
        with self._own.blobs.add(path.resolve()) as blob:
            entry = FileEntry(blob.digest, blob.size, self._own.now_ms())
            with self._own.database.transaction() as connection:
                pending = self._own.pending(connection, version.id)
                repository.put_files(connection, pending.name, pending.version, {name: entry})

    def _interrupted(self) -> list[ModelVersion]:
        with self._own.database.transaction() as connection:
            pending = repository.versions_with_status(connection, VersionStatus.PENDING)
        return [version for version in pending if version.tags.get(SOURCE_KIND_TAG) == HUB_KIND]

    def _sweep(self, kept: AbstractSet[str]) -> None:
        """Remove what was fetched for versions that are gone."""
        for folder in self._folder.glob("*"):
            if folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)

    def _is_wanted(self, version: ModelVersion) -> bool:
        """Whether the version is there still. Without an answer it is: what is left over goes at the next start."""
        with contextlib.suppress(Unavailable), self._own.database.transaction() as connection:
            return repository.find_version_by_id(connection, version.id) is not None
        return True


def _told(error: OSError) -> str:
    return (
        f"The model's files could not be read or written: {error.strerror or error}. "
        "Check the disk of the models folder and its permissions, then register the model again."
    )


def hub_source(text: str) -> str:
    """The `hf://` address that a hub's id or web address stands for. Raises `InvalidParameterValue`."""
    for prefix in _WEB_PREFIXES:
        if text.startswith(prefix):
            repo, _, rest = text.removeprefix(prefix).strip("/").partition("/tree/")
            return f"{_HUB_PREFIX}{repo}" + (f"@{rest}" if rest else "")
    if text.startswith(_HUB_PREFIX):
        return text
    raise InvalidParameterValue(
        "The server fetches from the Hugging Face hub only: write hf://org/name or https://huggingface.co/org/name. "
        "`openfm models register` uploads files and folders of your machine.",
        param="source",
    )
