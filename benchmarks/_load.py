"""Closed-loop load over plain sockets: the client's own cost is small and the same for every contender."""

import asyncio
import time
from dataclasses import dataclass, field

_END = b"0\r\n\r\n"


@dataclass(slots=True)
class Sample:
    """What one contender did in one round. Times are in seconds."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    first_bytes: list[float] = field(default_factory=list)
    frames: int = 0
    cpu_s: float = 0.0

    @property
    def requests_per_s(self) -> float:
        """Completed requests over the round's time."""
        return len(self.latencies) / self.seconds

    @property
    def frames_per_s(self) -> float:
        """`data:` lines over the round's time."""
        return self.frames / self.seconds


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes: a port on loopback and the request's bytes."""

    port: int
    request: bytes


def http_request(path: str, body: bytes, token: str) -> bytes:
    """The bytes of one request."""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def run_round(target: Target, concurrency: int, seconds: float) -> Sample:
    """`concurrency` callers, each sending its next request when the last one ended."""
    sample = Sample()
    began = time.perf_counter()
    await asyncio.gather(*(_caller(target, began + seconds, sample) for _ in range(concurrency)))
    sample.seconds = time.perf_counter() - began
    return sample


async def _caller(target: Target, until: float, sample: Sample) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
    try:
        while (sent := time.perf_counter()) < until:
            writer.write(target.request)
            first, frames = await _answer(reader)
            sample.latencies.append(time.perf_counter() - sent)
            sample.first_bytes.append(first - sent)
            sample.frames += frames
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[float, int]:
    """Read one answer to its end; when its body began, and its `data:` lines."""
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"unexpected answer: {head[:200]!r}")
    lower = head.lower()
    if b"content-length:" in lower:
        length = int(lower.split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        return time.perf_counter(), 0
    data = await reader.read(65536)
    first = time.perf_counter()
    frames = data.count(b"data: ")
    while not data.endswith(_END):
        chunk = await reader.read(65536)
        if not chunk:
            raise RuntimeError("the connection closed in the middle of an answer")
        frames += chunk.count(b"data: ")
        data = data[-len(_END) :] + chunk
    return first, frames
