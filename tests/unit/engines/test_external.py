"""Models of other providers: what is sent, and what becomes of what comes back."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from openfm.core.chat import ChatRequest, CompletionRequest, Delta, Finished, Message, Role, SamplingParams
from openfm.core.embedding import EmbeddingRequest
from openfm.core.errors import (
    ApiError,
    ContextTooLong,
    EngineFailed,
    EngineTimeout,
    InvalidRequest,
    NotImplementedHere,
    RateLimited,
    Unavailable,
)
from openfm.core.job import OverlongPrompt
from openfm.core.model import ModelProfile, Task
from openfm.core.usage import TokenCounts
from openfm.engines.base import EngineSpec, LoadProgress
from openfm.engines.egress import EgressGuard
from openfm.engines.external import ExternalLauncher, Judge, RunningExternal
from openfm.gateway.prompts import fitted

KEY = "sk-very-secret-0123456789"
HELLO = ChatRequest((Message(Role.USER, "hello"),))
PROFILE = ModelProfile("gpt", "gpt", "gpt", "", "", Task.CHAT, context_length=1 << 20, has_function_calling=True)
WORDS = (
    'data: {"choices":[{"delta":{"content":"one"}}]}\n\n'
    'data: {"choices":[{"delta":{"content":" two"}}]}\n\n'
    'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
)
USAGE = 'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":5}}\n\n'
DONE = "data: [DONE]\n\n"
LOOPBACK = EgressGuard.parse("127.0.0.0/8")


@dataclass(slots=True)
class Provider:
    """A provider on this machine that answers every request alike, and keeps what it was sent."""

    status: int = 200
    text: str = WORDS + USAGE + DONE
    headers: dict[str, str] = field(default_factory=dict)
    url: str = ""
    connections: int = 0
    requests: list[tuple[str, dict[str, str], dict[str, object]]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        sent = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((request.path, sent, json.loads(await request.read())))
        return web.Response(status=self.status, text=self.text, headers=self.headers)

    @property
    def body(self) -> dict[str, object]:
        """The last request's."""
        return self.requests[-1][2]


@asynccontextmanager
async def listening(provider: Provider) -> AsyncIterator[Provider]:
    app = web.Application()
    app.router.add_post("/{tail:.*}", provider.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield provider
    finally:
        await runner.cleanup()


def spec(url: str, **options: str) -> EngineSpec:
    return EngineSpec(
        replica_id="external-1",
        model=PROFILE,
        files={},
        slots=1024,
        threads=1,
        log_file=Path("unused.log"),
        runtime_dir=Path("unused"),
        options={"url": url, "model": "gpt-x", **options},
        secret=KEY,
    )


def ignore(_: LoadProgress) -> None:
    """Nobody looks at it."""


@asynccontextmanager
async def launched(url: str, guard: EgressGuard = LOOPBACK, **options: str) -> AsyncIterator[RunningExternal]:
    running = await ExternalLauncher(guard).launch(spec(url, **options), ignore)
    try:
        yield running
    finally:
        await running.stop(0)


@asynccontextmanager
async def client_of(provider: Provider, **options: str) -> AsyncIterator[RunningExternal]:
    async with listening(provider), launched(provider.url, LOOPBACK, **options) as running:
        yield running


async def answered(running: RunningExternal, request: ChatRequest | CompletionRequest = HELLO) -> list[object]:
    async with aclosing(running.engine.generate(request)) as events:
        return [event async for event in events]


async def test_a_request_is_sent_right_under_the_base_with_the_key_and_the_providers_name() -> None:
    async with client_of(provider := Provider()) as running:
        events = await answered(running)
    path, headers, body = provider.requests[0]
    assert path == "/v1/chat/completions"
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["accept-encoding"] == "identity"
    assert (body["model"], body["stream"], body["stream_options"]) == ("gpt-x", True, {"include_usage": True})
    assert isinstance(events[-1], Finished)
    assert events[-1].counts == TokenCounts(7, 5)


async def test_a_custom_header_carries_the_bare_key() -> None:
    async with client_of(provider := Provider(), header="X-Api-Key") as running:
        await answered(running)
    headers = provider.requests[0][1]
    assert headers["x-api-key"] == KEY
    assert "authorization" not in headers


async def test_a_temperature_and_top_p_that_nobody_chose_are_not_sent() -> None:
    async with client_of(provider := Provider()) as running:
        await answered(running)
        assert not {"temperature", "top_p"} & provider.body.keys()
        await answered(running, ChatRequest(HELLO.messages, SamplingParams(temperature=0, max_tokens=3)))
        assert (provider.body["temperature"], provider.body["max_tokens"]) == (0, 3)


async def test_a_completion_has_its_own_path() -> None:
    async with client_of(provider := Provider()) as running:
        await answered(running, CompletionRequest("Once"))
    assert provider.requests[0][0] == "/v1/completions"


async def test_embeddings_are_asked_as_numbers() -> None:
    provider = Provider(text='{"data":[{"embedding":[0.5,1.0],"index":0}],"usage":{"prompt_tokens":3}}')
    async with client_of(provider) as running:
        result = await running.engine.embed(EmbeddingRequest(("hello",)))
        assert (await running.engine.stats()).prompt_tokens_total == 3
    assert (result.dimension, result.prompt_tokens) == (2, 3)
    assert "encoding_format" not in provider.body


async def test_a_provider_without_usage_and_end_marker_is_tolerated() -> None:
    async with client_of(Provider(text=WORDS)) as running:
        events = await answered(running)
    assert [event.text for event in events if isinstance(event, Delta)] == ["one", " two"]
    assert isinstance(events[-1], Finished)
    assert events[-1].counts == TokenCounts(0, 2)


async def test_launching_and_looking_after_it_reach_nobody() -> None:
    async with launched("http://127.0.0.1:9/v1") as running:
        await running.engine.health()
        assert (await running.engine.stats()).requests_running == 0
        assert running.pid is None


async def test_it_ends_when_it_is_asked_to_and_not_before() -> None:
    async with launched("https://models.example/v1") as running:
        waiting = asyncio.create_task(running.exited())
        await asyncio.wait({waiting}, timeout=0.01)
        assert not waiting.done()
        await running.stop(5.0)
        assert await waiting == "stopped as asked"


async def test_the_provider_judges_what_fits_where_tokens_cannot_be_counted() -> None:
    async with launched("https://models.example/v1") as running:
        with pytest.raises(NotImplementedHere):
            await running.engine.tokenize(HELLO)
        long = ChatRequest((Message(Role.USER, "word " * (1 << 18)),))
        assert await fitted(long, PROFILE, running.engine, OverlongPrompt.ERROR) is long


REFUSALS: list[tuple[int, type[ApiError]]] = [
    (301, EngineFailed),
    (307, EngineFailed),
    (400, InvalidRequest),
    (401, EngineFailed),
    (403, EngineFailed),
    (404, InvalidRequest),
    (408, EngineTimeout),
    (422, InvalidRequest),
    (429, RateLimited),
    (500, EngineFailed),
    (502, EngineFailed),
    (503, Unavailable),
    (504, EngineTimeout),
    (529, Unavailable),
]


@pytest.mark.parametrize(("status", "becomes"), REFUSALS)
@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"error": {"message": f"Wrong: {KEY}", "code": "x"}}),
        json.dumps({"message": f"your key is {KEY}"}),
        f"plain {'x' * 485} {KEY}",
        "",
        "<html>nginx</html>",
    ],
)
async def test_each_refusal_becomes_one_of_ours_and_never_repeats_the_key(
    status: int, becomes: type[ApiError], text: str
) -> None:
    provider = Provider(status, text, headers={"location": "http://127.0.0.1:9/"} if status < 400 else {})
    async with client_of(provider) as running:
        with pytest.raises(ApiError) as caught:
            await answered(running)
    assert type(caught.value) is becomes
    assert KEY[:12] not in caught.value.message
    assert "html" not in caught.value.message
    assert len(provider.requests) == 1


async def test_a_refused_key_is_said_to_be_the_key() -> None:
    provider = Provider(401, '{"error":{"message":"Incorrect API key provided: sk-ve*****6789."}}')
    async with client_of(provider) as running:
        with pytest.raises(EngineFailed, match="refused the key") as caught:
            await answered(running)
    assert "6789" not in caught.value.message
    assert caught.value.status == 502


async def test_an_error_inside_the_stream_is_judged_likewise() -> None:
    words = WORDS.partition("\n\n")[0] + "\n\n"
    async with client_of(Provider(text=words + f'data: {{"error":{{"message":"{KEY}","code":429}}}}\n\n')) as running:
        with pytest.raises(RateLimited) as caught:
            await answered(running)
    assert KEY not in caught.value.message


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry-after": "20"}, 20.0),
        ({"retry-after": "0"}, 1.0),
        ({"retry-after": "99999999"}, 3600.0),
        ({"retry-after": "nan"}, 5.0),
        ({"retry-after": "soon"}, 5.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30.0),
        ({}, 5.0),
    ],
)
def test_the_providers_retry_after_is_handed_on(headers: dict[str, str], wait_s: float) -> None:
    error = Judge("host", "model", KEY).refusal(429, headers, b'{"error":{"message":"slow down"}}')
    assert isinstance(error, RateLimited)
    assert error.retry_after_s == wait_s


def test_a_prompt_that_does_not_fit_is_told_with_its_numbers() -> None:
    said = b'{"error":{"message":"This model\'s maximum context length is 8 tokens. However, you sent 9 tokens."}}'
    assert isinstance(Judge("host", "model").refusal(400, {}, said), ContextTooLong)


@pytest.mark.parametrize("text", ["{", "data: {\n\n", "nonsense", "data: {}\n\ndata: [DONE]\n\n"])
async def test_an_answer_that_is_none_is_an_engine_that_failed(text: str) -> None:
    async with client_of(Provider(text=text)) as running:
        with pytest.raises(EngineFailed):
            await answered(running)


async def test_a_provider_that_is_not_there_is_a_failure_that_clients_do_not_repeat_for_minutes() -> None:
    async with launched("http://127.0.0.1:9/v1") as running:
        with pytest.raises(EngineFailed, match="could not be reached"):
            await answered(running)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1", "http://169.254.169.254/latest", "file:///etc/passwd"])
async def test_an_address_inside_is_refused_at_launch(url: str) -> None:
    with pytest.raises(EngineFailed):
        await ExternalLauncher(EgressGuard()).launch(spec(url), ignore)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.1", "0x7f000001", "2130706433", "127.0.0.1."])
async def test_a_name_of_an_address_inside_is_refused_when_it_is_connected_to(host: str) -> None:
    async with launched(f"http://{host}:9/v1", EgressGuard()) as running:
        with pytest.raises(EngineFailed):
            await answered(running)


def test_neither_spec_nor_client_shows_the_key() -> None:
    assert KEY not in repr(spec("https://models.example"))
    assert KEY not in repr(Judge("host", "model", KEY))


async def test_openai_itself_is_asked_in_its_newer_words() -> None:
    async with launched("https://api.openai.com/v1") as running:
        shaped: Callable[[dict[str, object]], object] = running.engine._dialect.shape  # type: ignore[attr-defined]
        assert shaped({"messages": [], "max_tokens": 3}) == {"messages": [], "max_completion_tokens": 3}
        assert shaped({"prompt": "x", "max_tokens": 3}) == {"prompt": "x", "max_tokens": 3}
