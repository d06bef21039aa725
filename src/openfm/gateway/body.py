"""Reads a request body within bounds of size and time."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from openfm.core.errors import InvalidRequest, PayloadTooLarge, RequestTimeout
from openfm.gateway.asgi import Header, Receive
from openfm.wire.hang_up import ClientGone

# A refused body is still read up to this factor of the limit: a client that is writing sees our 413 only if the
# connection is not reset under it.
_DRAINED_LIMITS = 4


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """Largest body in bytes, and the seconds it may take to arrive."""

    size: int = 16 * 1024 * 1024
    deadline_s: float = 60.0


async def read_body(headers: Iterable[Header], receive: Receive, limits: BodyLimits) -> bytes:
    """The whole body. Raises `PayloadTooLarge`, `RequestTimeout`, `InvalidRequest`, `ClientGone`."""
    for name, value in headers:
        if name == b"content-encoding" and value != b"identity":
            raise InvalidRequest(f"Send the body uncompressed, not as {value.decode('latin-1')}.")
    try:
        async with asyncio.timeout(limits.deadline_s):
            return await _collect(receive, limits.size)
    except TimeoutError:
        raise RequestTimeout(f"The body did not arrive within {limits.deadline_s:.0f} s. Send it again.") from None


async def _collect(receive: Receive, most: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    is_more = True
    while is_more and size <= _DRAINED_LIMITS * most:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        is_more = message.get("more_body", False)
        size += len(chunk)
        if size > most:
            chunks.clear()
        else:
            chunks.append(chunk)
    if size > most:
        raise PayloadTooLarge(f"The body is larger than {most} bytes. Send less at a time.")
    return b"".join(chunks)
