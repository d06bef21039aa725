"""The HTTP adapter against servers that misbehave."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress

import pytest

from openfm.core.chat import ChatRequest, Delta, Finished, Message, Role
from openfm.core.errors import ApiError, EngineFailed, EngineTimeout, InvalidRequest, NoReplicaReady
from openfm.engines.openai_http import Address, OpenAiHttpEngine

HELLO = ChatRequest((Message(Role.USER, "hello"),))
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
WORD = b'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}\n\n'
LAST = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter, int], Awaitable[None]]


@asynccontextmanager
async def serving(handler: Handler, silence_timeout_s: float = 5.0) -> AsyncIterator[OpenAiHttpEngine]:
    """An engine in front of a server that answers each connection (counted from 0) as `handler` says."""
    connections = 0
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        number, connections = connections, connections + 1
        try:
            await handler(reader, writer, number)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    engine = OpenAiHttpEngine(Address(f"http://127.0.0.1:{port}", "secret", silence_timeout_s=silence_timeout_s))
    try:
        yield engine
    finally:
        await engine.aclose()
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return head + await reader.readexactly(length)


async def answered(engine: OpenAiHttpEngine) -> list[object]:
    return [event async for event in engine.generate(HELLO)]


async def test_a_connection_that_closes_before_any_byte_is_tried_once_more() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        await read_request(reader)
        if number:
            writer.write(HEAD + WORD + LAST)
            await writer.drain()

    async with serving(handler) as engine:
        assert len(await answered(engine)) == 2


async def test_two_closed_connections_mean_the_engine_is_gone() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        del writer, number
        await read_request(reader)

    async with serving(handler) as engine:
        with pytest.raises(NoReplicaReady):
            await answered(engine)


async def test_nothing_is_sent_again_once_an_answer_began() -> None:
    seen: list[int] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        seen.append(number)
        await read_request(reader)
        writer.write(HEAD + WORD)
        await writer.drain()

    async with serving(handler) as engine:
        events = engine.generate(HELLO)
        assert isinstance(await anext(events), Delta)
        with pytest.raises(EngineFailed):
            await anext(events)
    assert seen == [0]


async def test_silence_is_a_timeout() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        del number
        await read_request(reader)
        writer.write(HEAD + WORD)
        await asyncio.Event().wait()

    async with serving(handler, silence_timeout_s=0.1) as engine:
        with pytest.raises(EngineTimeout):
            await answered(engine)


async def test_closing_the_answer_closes_the_connection() -> None:
    hung_up = asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        del number
        await read_request(reader)
        writer.write(HEAD + WORD)
        await writer.drain()
        await reader.read()
        hung_up.set()

    async with serving(handler) as engine:
        async with aclosing(engine.generate(HELLO)) as events:
            await anext(events)
        async with asyncio.timeout(1):
            await hung_up.wait()


async def test_what_came_beside_the_last_event_that_was_taken_counts_as_not_told() -> None:
    """The sum of what callers were told must be what this client says of itself, however the bytes arrive."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        del number
        await read_request(reader)
        writer.write(HEAD + WORD * 5)
        await writer.drain()
        await reader.read()

    async with serving(handler) as engine:
        async with aclosing(engine.generate(HELLO)) as events:
            first = await anext(events)
        assert isinstance(first, Delta)
        assert first.counts.completion == 1
        assert (await engine.stats()).completion_tokens_total == 1


async def test_giving_up_before_the_answer_began_closes_the_connection_too() -> None:
    asked, hung_up = asyncio.Event(), asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        del writer, number
        await read_request(reader)
        asked.set()
        await reader.read()
        hung_up.set()

    async with serving(handler) as engine:
        task = asyncio.create_task(answered(engine))
        await asked.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with asyncio.timeout(1):
            await hung_up.wait()


async def test_no_server_at_all_is_no_replica() -> None:
    engine = OpenAiHttpEngine(Address("http://127.0.0.1:9"))
    with pytest.raises(NoReplicaReady):
        await answered(engine)
    with pytest.raises(NoReplicaReady):
        await engine.health()
    await engine.aclose()


@pytest.mark.parametrize(
    ("body", "becomes"),
    [
        (b"data: {not json}\n\n", EngineFailed),
        (b'data: {"choices": 5}\n\n', EngineFailed),
        (b'data: {"error":{"message":"why","code":400}}\n\n', InvalidRequest),
        (b'data: {"error":{"message":"why","code":500}}\n\n', EngineFailed),
        (b"data: \xff\xfe\n\n", EngineFailed),
        (b"data: [DONE]\n\n", EngineFailed),
    ],
)
async def test_nonsense_becomes_an_error_of_ours(body: bytes, becomes: type[ApiError]) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        del number
        await read_request(reader)
        writer.write(HEAD + body)
        await writer.drain()

    async with serving(handler) as engine:
        with pytest.raises(becomes):
            await answered(engine)


async def test_the_secret_is_sent_and_a_stream_without_end_marker_is_complete() -> None:
    heads: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        del number
        heads.append(await read_request(reader))
        writer.write(HEAD + WORD + LAST.removesuffix(b"data: [DONE]\n\n"))
        await writer.drain()

    async with serving(handler) as engine:
        events = await answered(engine)
    assert isinstance(events[-1], Finished)
    assert b"authorization: bearer secret" in heads[0].lower()
