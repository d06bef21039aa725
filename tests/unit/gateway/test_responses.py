"""Responses that own their work."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from openfm.core.errors import ApiError, EngineFailed, RateLimited
from openfm.gateway.body import BodyLimits, read_body
from openfm.gateway.responses import EventStreamResponse, JsonResponse
from openfm.wire.hang_up import ClientGone


@dataclass
class Client:
    """The other end: what it was sent, and when it hangs up."""

    sent: list[dict[str, Any]] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    hangs_up_after: int | None = None

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        if self.hangs_up_after is not None and len(self.sent) > self.hangs_up_after:
            self.gone.set()
            await asyncio.Event().wait()  # nobody reads any more

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


@dataclass
class Stream:
    """Frames, then perhaps an error; remembers who closed it."""

    frames: tuple[bytes, ...] = ()
    error: ApiError | None = None
    opened_in: object = None
    closed_in: object = None

    async def __call__(self) -> AsyncGenerator[bytes, None]:
        self.opened_in = asyncio.current_task()
        try:
            for frame in self.frames:
                yield frame
            if self.error is not None:
                raise self.error
        finally:
            self.closed_in = asyncio.current_task()


def respond(stream: Callable[[], AsyncGenerator[bytes, None]], late: list[ApiError]) -> EventStreamResponse:
    return EventStreamResponse(stream, tuple, lambda: None, late.append)


async def test_an_error_before_the_first_frame_sends_nothing_and_is_the_callers_to_answer() -> None:
    client = Client()
    with pytest.raises(RateLimited):
        await respond(Stream(error=RateLimited("Slow down.")), [])(client.receive, client.send)
    assert client.sent == []


async def test_an_error_after_it_is_one_last_event_and_a_clean_end() -> None:
    client = Client()
    late: list[ApiError] = []
    error = EngineFailed("It broke.")
    await respond(Stream((b"data: 1\n\n",), error), late)(client.receive, client.send)
    assert late == [error]
    first, last = client.body.split(b"\n\n")[:-1]
    assert first == b"data: 1"
    assert b"It broke." in last
    assert client.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


async def test_a_hang_up_closes_the_stream_in_the_task_that_opened_it() -> None:
    client = Client(hangs_up_after=1)
    stream = Stream((b"data: 1\n\n", b"data: 2\n\n"))
    with pytest.raises(ClientGone):
        await respond(stream, [])(client.receive, client.send)
    assert stream.closed_in is stream.opened_in is not None


async def test_a_body_is_delivered_only_when_it_was_sent() -> None:
    client, delivered = Client(), []

    async def work() -> bytes:
        return b"{}"

    await JsonResponse(work, tuple, lambda: delivered.append(True))(client.receive, client.send)
    assert (client.body, delivered) == (b"{}", [True])


async def test_work_is_cancelled_when_nobody_waits_for_its_answer() -> None:
    client, ended = Client(), []

    async def work() -> bytes:
        try:
            client.gone.set()
            await asyncio.Event().wait()
        finally:
            ended.append(True)
        return b""

    with pytest.raises(ClientGone):
        await JsonResponse(work, tuple, lambda: None)(client.receive, client.send)
    assert ended == [True]
    assert client.sent == []


async def test_a_client_that_leaves_while_sending_its_body_is_gone() -> None:
    client = Client()
    client.gone.set()
    with pytest.raises(ClientGone):
        await read_body([], client.receive, BodyLimits())
