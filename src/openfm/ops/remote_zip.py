"""Reads one member of a zip archive over HTTP without fetching the rest.

The archive's directory stands at its end: one request for the tail, one for the member's own header, then the
member's bytes, resumable, and inflated here. Zip files are read by the standard library's `zipfile`, on a file-like
object that holds only the tail.
"""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from openfm.core.errors import NotFound, Unavailable
from openfm.ops.http import TransferInterrupted, check_status, redacted

_TAIL_BYTES = 65_536 + 22
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_CHUNK_BYTES = 1 << 20
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


class RangesUnsupported(Exception):
    """The server answers a request for a part with the whole."""


class DamagedArchive(Exception):
    """The archive, or the part of it that was fetched, does not hold together."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive: where its bytes are, and how they are packed."""

    name: str
    offset: int
    packed_bytes: int
    size_bytes: int
    crc32: int
    is_deflated: bool


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file that a server hands out in parts."""

    session: aiohttp.ClientSession
    url: str

    async def tail(self) -> tuple[int, bytes]:
        """The file's size and its last bytes. Raises `RangesUnsupported`."""
        async with self.session.get(self.url, headers={"Range": f"bytes=-{_TAIL_BYTES}"}) as response:
            check_status(response)
            _, _, size = _content_range(response)
            return size, await response.read()

    async def part(self, start: int, length: int) -> bytes:
        """`length` bytes from `start` on. Raises `RangesUnsupported`, `TransferInterrupted`."""
        async with self.session.get(self.url, headers=_range_header(start, length)) as response:
            check_status(response)
            _content_range(response)
            data = await response.read()
        if len(data) != length:
            raise TransferInterrupted(f"{redacted(self.url)} sent {len(data)} of {length} bytes")
        return data

    async def append_part(self, start: int, length: int, file: Path, on_bytes: Callable[[int], None]) -> None:
        """Complete `file` to `length` bytes from `start` on, beginning where it ends.

        Raises `RangesUnsupported`, `TransferInterrupted` and aiohttp's errors; what came until then is kept.
        """
        have = _usable_bytes(file, length)
        if have == length:
            return
        async with self.session.get(self.url, headers=_range_header(start + have, length - have)) as response:
            check_status(response)
            first, _, _ = _content_range(response)
            if first != start + have:
                raise TransferInterrupted(f"{redacted(self.url)} sent bytes from {first}, not {start + have}")
            await save_body(response, file, length - have, on_bytes)


async def save_body(
    response: aiohttp.ClientResponse, file: Path, length: int | None, on_bytes: Callable[[int], None]
) -> None:
    """Append the body to `file`, reporting each piece. Raises `TransferInterrupted` when it is not `length` bytes."""
    written = 0
    with file.open("ab", buffering=0) as sink:
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            sink.write(chunk if length is None else chunk[: length - written])
            written += len(chunk)
            on_bytes(len(chunk))
    if length is not None and written != length:
        raise TransferInterrupted(f"{redacted(response.url)} sent {written} of {length} bytes")


async def find_member(remote: RemoteFile, name: str) -> Member:
    """Where the member's bytes are. Raises `NotFound`, `RangesUnsupported`, `DamagedArchive`."""
    info = await _directory_entry(remote, name)
    if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED} or info.flag_bits & 1:
        raise Unavailable(f"'{name}' in {redacted(remote.url)} is packed in a way that openfm cannot read.")
    # The name and extra field of the local header may be longer than those in the directory.
    header = await remote.part(info.header_offset, _LOCAL_HEADER.size)
    magic, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header)
    if magic != b"PK\x03\x04":
        raise DamagedArchive(f"{redacted(remote.url)} has no member at byte {info.header_offset}")
    offset = info.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes
    is_deflated = info.compress_type == zipfile.ZIP_DEFLATED
    return Member(name, offset, info.compress_size, info.file_size, info.CRC, is_deflated)


async def _directory_entry(remote: RemoteFile, name: str) -> zipfile.ZipInfo:
    size, held = await remote.tail()
    while True:
        try:
            with zipfile.ZipFile(_Window(size, held)) as archive:
                return archive.getinfo(name)
        except _MissingBytesError as missing:
            start = missing.start
        except KeyError:
            raise NotFound(f"{redacted(remote.url)} has no member '{name}'.") from None
        except zipfile.BadZipFile as error:
            raise DamagedArchive(f"{redacted(remote.url)} is no zip archive: {error}") from error
        held = await remote.part(start, size - len(held) - start) + held


def unpack(member: Member, packed: Path, target: Path) -> None:
    """Inflate the member's bytes. Blocks. Raises `DamagedArchive` when they are not what the directory says."""
    inflate = zlib.decompressobj(-zlib.MAX_WBITS) if member.is_deflated else None
    crc, size = 0, 0
    with packed.open("rb") as source, target.open("wb") as sink:
        while chunk := source.read(_CHUNK_BYTES):
            try:
                data = inflate.decompress(chunk) if inflate else chunk
            except zlib.error as error:
                raise DamagedArchive(f"'{member.name}' cannot be inflated: {error}") from error
            crc, size = zlib.crc32(data, crc), size + len(data)
            if size > member.size_bytes:
                raise DamagedArchive(f"'{member.name}' is longer than its archive says")
            sink.write(data)
    if (size, crc) != (member.size_bytes, member.crc32):
        raise DamagedArchive(f"'{member.name}' does not match the checksum in its archive")


def extract(archive_file: Path, name: str, target: Path) -> None:
    """Take one member out of an archive on this machine. Blocks. Raises `NotFound`, `DamagedArchive`."""
    try:
        with zipfile.ZipFile(archive_file) as archive, archive.open(name) as source, target.open("wb") as sink:
            while chunk := source.read(_CHUNK_BYTES):
                sink.write(chunk)
    except KeyError:
        raise NotFound(f"{archive_file} has no member '{name}'.") from None
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DamagedArchive(f"{archive_file} is damaged: {error}") from error


def _usable_bytes(file: Path, length: int) -> int:
    """How much of a part is there; one that is too long is of something else, and emptied."""
    file.touch()
    if file.stat().st_size > length:
        file.write_bytes(b"")
    return file.stat().st_size


def _range_header(start: int, length: int) -> dict[str, str]:
    return {"Range": f"bytes={start}-{start + length - 1}", "Accept-Encoding": "identity"}


def _content_range(response: aiohttp.ClientResponse) -> tuple[int, int, int]:
    """First byte, last byte and whole size. Raises `RangesUnsupported`."""
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if response.status != 206 or match is None:
        raise RangesUnsupported(f"{redacted(response.url)} does not hand out parts")
    return int(match[1]), int(match[2]), int(match[3])


class _MissingBytesError(Exception):
    """`zipfile` wants bytes from `start` on that were not fetched."""

    def __init__(self, start: int) -> None:
        super().__init__(start)
        self.start = start


class _Window(io.RawIOBase):
    """A file of `size` bytes of which only the last are here."""

    def __init__(self, size: int, held: bytes) -> None:
        super().__init__()
        self._size, self._held, self._at = size, held, 0

    def seekable(self) -> bool:
        """It is: that is its point."""
        return True

    def readable(self) -> bool:
        """As far as it is here."""
        return True

    def tell(self) -> int:
        """The position in the whole file."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move in the whole file."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise OSError("before the beginning")  # what zipfile expects of a short file
        self._at = start + offset
        return self._at

    def read(self, size: int = -1, /) -> bytes:
        """Bytes at the position. Raises `_MissingBytesError` for those that were not fetched."""
        first = self._size - len(self._held)
        if self._at < first:
            raise _MissingBytesError(self._at)
        begin = self._at - first
        data = self._held[begin:] if size < 0 else self._held[begin : begin + size]
        self._at += len(data)
        return data
