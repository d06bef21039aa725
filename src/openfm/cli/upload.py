"""Uploads the files of a model version: those the server lacks, big ones in parts, and on from where it was cut."""

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from openfm.cli.errors import CliError, ExitCode
from openfm.cli.registry import Registry

_PART_BYTES = 16 * 1024 * 1024
_WHOLE_BYTES = 2 * _PART_BYTES
_AT_ONCE = 4
_TRIES = 6
_FIRST_PAUSE_S = 0.5
_SNAPSHOTS, _CACHED = "snapshots", "blobs"
"""`models--org--name/snapshots/<revision>` has links to `models--org--name/blobs`: the cache of huggingface_hub."""
_WORTH_ANOTHER_TRY = frozenset({ExitCode.UNREACHABLE, ExitCode.TIMED_OUT, ExitCode.UNHEALTHY})

OnBytes = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file to send; `path` is the one inside the version."""

    path: str
    source: Path
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Target:
    """Where the files go: the version's folder in the Files API."""

    name: str
    version: int
    folder: str


def find_files(source: Path) -> dict[str, Path]:
    """Path inside the version -> file. Hidden files stay here.

    Raises `CliError` where there is nothing, and for a link that leads out: a folder of others could name files of
    yours.
    """
    if source.is_file():
        return {source.name: source}
    if not source.is_dir():
        raise CliError(
            f"There is no file or folder {source}.", ExitCode.NOT_FOUND, hint="For a model of the hub: hf://…"
        )
    found = {path.relative_to(source).as_posix(): path for path in sorted(source.rglob("*"))}
    shown = {name: path for name, path in found.items() if not any(part[0] == "." for part in name.split("/"))}
    links = [path for path in shown.values() if path.is_symlink()]
    for link in links:
        _check_link(link, source.resolve())
    files = {name: path for name, path in shown.items() if path.is_file()}
    if not files:
        raise CliError(f"The folder {source} is empty.", ExitCode.USAGE)
    return files


def _check_link(link: Path, root: Path) -> None:
    """Raise `CliError` unless the link leads to a file below `root`, or in the cache of the hub's library around it."""
    target = Path(os.path.realpath(link))  # `Path.resolve` raises for a link to itself
    is_cached = root.parent.name == _SNAPSHOTS and target.is_relative_to(root.parent.parent / _CACHED)
    if not target.is_file():
        raise CliError(
            f"The link {link} leads to no file.", ExitCode.USAGE, hint="Put what it should lead to in its place."
        )
    if not is_cached and not target.is_relative_to(root):
        raise CliError(
            f"The link {link} leads out of the folder, to {target}.",
            ExitCode.USAGE,
            hint="Copy the file into the folder if it belongs to the model (cp -RL copies what links lead to).",
        )


def measured(files: Mapping[str, Path], on_bytes: OnBytes) -> list[LocalFile]:
    """The files with sizes and SHA-256. Blocks; `on_bytes` gets the bytes read since it was last called."""
    return [LocalFile(name, path, path.stat().st_size, _sha256(path, on_bytes)) for name, path in files.items()]


def source_digest(files: Sequence[LocalFile]) -> str:
    """The same for the same files: by it a run that was cut finds its version again."""
    listed = "\n".join(f"{file.digest} {file.path}" for file in files)
    return hashlib.sha256(listed.encode()).hexdigest()


class Uploader:
    """Sends files to one version."""

    def __init__(self, registry: Registry, target: Target, on_bytes: OnBytes) -> None:
        self._registry = registry
        self._target = target
        self._on_bytes = on_bytes
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def send(self, files: Sequence[LocalFile]) -> None:
        """Send what the server lacks. Raises `CliError`."""
        offered = [{"path": file.path, "digest": file.digest, "size": file.size} for file in files]
        answer = await self._registry.offer(self._target.name, self._target.version, offered)
        here = set(answer.get("have", []))
        begun = {upload["path"]: upload for upload in answer.get("uploads", [])}
        for file in files:
            if file.path in here:
                self._on_bytes(file.size)
            elif file.size <= _WHOLE_BYTES:
                content = await asyncio.to_thread(file.source.read_bytes)
                await _tried(partial(self._registry.put_file, self._path(file), content))
                self._on_bytes(file.size)
            else:
                await self._send_parts(file, begun.get(file.path))

    async def _send_parts(self, file: LocalFile, begun: Mapping[str, Any] | None) -> None:
        token = begun["session_token"] if begun else await self._registry.begin_upload(self._path(file))
        here = {part["part_number"]: part["etag"] for part in begun["parts"]} if begun else {}
        count = -(-file.size // _PART_BYTES)
        try:
            async with asyncio.TaskGroup() as group:
                sent = [group.create_task(self._send_part(file, token, n, here)) for n in range(1, count + 1)]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        parts = [{"part_number": number, "etag": task.result()} for number, task in enumerate(sent, 1)]
        await _tried(partial(self._registry.complete_upload, self._path(file), token, parts))

    async def _send_part(self, file: LocalFile, token: str, number: int, here: Mapping[int, str]) -> str:
        async with self._slots:
            content = await asyncio.to_thread(_slice, file.source, (number - 1) * _PART_BYTES)
            etag = hashlib.sha256(content).hexdigest()
            if here.get(number) != etag:
                await _tried(partial(self._registry.put_part, token, number, content))
            self._on_bytes(len(content))
            return etag

    def _path(self, file: LocalFile) -> str:
        return f"{self._target.folder}/{file.path}"


async def _tried(attempt: Callable[[], Awaitable[None]]) -> None:
    """Try again, with growing pauses, while the server cannot be reached: it may be restarting."""
    for failures in range(1, _TRIES):
        try:
            return await attempt()
        except CliError as error:
            if error.exit_code not in _WORTH_ANOTHER_TRY:
                raise
            await asyncio.sleep(_FIRST_PAUSE_S * 2**failures)
    return await attempt()


def _slice(path: Path, offset: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(_PART_BYTES)


def _sha256(path: Path, on_bytes: OnBytes) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
            on_bytes(len(chunk))
    return digest.hexdigest()
