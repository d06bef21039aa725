"""Keeps what a client is sent, for endpoints that have an inference table."""

from dataclasses import dataclass, field

from openfm.core.payload import MOST_BYTES, REQUEST_TOO_LARGE, RESPONSE_TOO_LARGE
from openfm.gateway.asgi import Message, Send


@dataclass(slots=True)
class Recording:
    """A `send` that remembers the body, up to `MOST_BYTES`: of a stream, its frames."""

    send: Send
    _parts: list[bytes] = field(default_factory=list)
    _size: int = 0

    async def __call__(self, message: Message) -> None:
        """Hand it on."""
        await self.send(message)
        body = message.get("body") or b""
        self._size += len(body)
        if self._size <= MOST_BYTES:
            self._parts.append(body)
        else:
            self._parts.clear()

    def texts(self, raw: bytes) -> tuple[str | None, str | None, tuple[str, ...]]:
        """The request, whose bytes are `raw`, the answer, and what of them was too large."""
        request = _text(raw) if len(raw) <= MOST_BYTES else None
        response = _text(b"".join(self._parts)) if self._size <= MOST_BYTES else None
        codes = ((request, REQUEST_TOO_LARGE), (response, RESPONSE_TOO_LARGE))
        return request, response, tuple(code for text, code in codes if text is None)


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
