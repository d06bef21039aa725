"""Responses that own their work: open it, send it, and close it in one task, whoever leaves first.

Not Starlette's StreamingResponse: it sends "200" before the first event, too late for an error status, and closes
the generator later, in another task, when the client hangs up.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from openfm.core.errors import ApiError
from openfm.gateway.asgi import Header, Receive, Send
from openfm.wire.hang_up import until_hang_up
from openfm.wire.problems import stream_error

_SSE_HEADERS: tuple[Header, ...] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)
_JSON_HEADERS: tuple[Header, ...] = ((b"content-type", b"application/json"),)


async def send_body(send: Send, status: int, headers: tuple[Header, ...], body: bytes) -> None:
    """A complete response."""
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


@dataclass(frozen=True, slots=True)
class JsonResponse:
    """Works until the body is there, then sends it. Nothing is sent when the client hung up."""

    work: Callable[[], Awaitable[bytes]]
    headers: Callable[[], tuple[Header, ...]]
    on_delivered: Callable[[], None]

    async def __call__(self, receive: Receive, send: Send) -> None:
        """Raises the work's error, and `ClientGone`."""
        await until_hang_up(receive, self._answer(send))

    async def _answer(self, send: Send) -> None:
        body = await self.work()
        await send_body(send, 200, (*_JSON_HEADERS, *self.headers()), body)
        self.on_delivered()


@dataclass(frozen=True, slots=True)
class EventStreamResponse:
    """Opens the stream, waits for the first frame, *then* sends the status."""

    open_stream: Callable[[], AsyncGenerator[bytes, None]]
    headers: Callable[[], tuple[Header, ...]]
    on_delivered: Callable[[], None]
    on_late_error: Callable[[ApiError], None]

    async def __call__(self, receive: Receive, send: Send) -> None:
        """Raises errors from before the first frame, and `ClientGone`; later ones become one last event."""
        await until_hang_up(receive, self._pump(send))

    async def _pump(self, send: Send) -> None:
        async with aclosing(self.open_stream()) as frames:
            first = await anext(frames)  # an ordinary HTTP error up to here; a stream has at least one frame
            await send({"type": "http.response.start", "status": 200, "headers": [*_SSE_HEADERS, *self.headers()]})
            await self._send_frame(send, first)
            try:
                async for frame in frames:
                    await self._send_frame(send, frame)
            except ApiError as error:
                self.on_late_error(error)
                await self._send_frame(send, stream_error(error))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_frame(self, send: Send, frame: bytes) -> None:
        await send({"type": "http.response.body", "body": frame, "more_body": True})
        self.on_delivered()
