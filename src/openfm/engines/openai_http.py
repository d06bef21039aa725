"""Client of any engine that speaks OpenAI's API over HTTP, on TCP or a Unix socket."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, replace

import aiohttp
import msgspec

from openfm.core.chat import ChatRequest, Delta, Event, GenerationRequest
from openfm.core.embedding import EmbeddingRequest, EmbeddingResult
from openfm.core.errors import ApiError, EngineFailed, NotImplementedHere
from openfm.core.usage import TokenCounts
from openfm.engines.base import EngineStats
from openfm.engines.dialect import PLAIN, Dialect, read_counters
from openfm.engines.foreign_errors import foreign_errors, refusal, stream_refusal
from openfm.wire.engine_api import (
    CHUNKS,
    DONE,
    EMBEDDINGS,
    ChunkReader,
    completion_body,
    embedding_body,
    generation_body,
    message_body,
    vectors,
)
from openfm.wire.sse import SseDecoder

_CONNECT_TIMEOUT_S = 5.0
_KEEPALIVE_S = 2.0
_PROBE_TIMEOUT_S = 5.0
_END_MARKER_TIMEOUT_S = 0.1
_UNIX = "unix:"


class _Rendered(msgspec.Struct):
    prompt: str


class _Tokens(msgspec.Struct):
    tokens: list[int]


@dataclass(frozen=True, slots=True)
class Address:
    """Where an engine listens: `http://host:port[/prefix]`, or `unix:/path/to/socket`; and its secret.

    `silence_timeout_s` is how long it may send nothing before the request counts as lost.
    """

    url: str
    secret: str | None = None
    model: str = "default"
    silence_timeout_s: float = 600.0


class OpenAiHttpEngine:
    """An engine reached over HTTP. Everything is asked as a stream, so that closing it cancels."""

    def __init__(self, address: Address, dialect: Dialect = PLAIN) -> None:
        self.address = address
        self._dialect = dialect
        self._model = address.model
        self._base = "http://engine" if address.url.startswith(_UNIX) else address.url.rstrip("/")
        self._session = _open_session(address)
        self._totals = TokenCounts()
        self._running = 0

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        """See `Engine.generate`."""
        reader = ChunkReader(request.sampling.top_logprobs)
        body = generation_body(request, self._model)
        options = body.get("stream_options")
        body |= self._dialect.extras(request)
        if isinstance(options, dict):
            body["stream_options"] = {**options, **self._dialect.stream_options}
        path = "/v1/chat/completions" if isinstance(request, ChatRequest) else "/v1/completions"
        self._running += 1
        try:
            async with aclosing(self._payloads(path, body)) as arrivals:
                async for payloads in arrivals:
                    for delta in _deltas(reader, payloads):
                        yield delta
            yield reader.finished()
        finally:
            self._running -= 1
            self._totals = TokenCounts(
                self._totals.prompt + reader.counts.prompt, self._totals.completion + reader.counts.completion
            )

    async def embed(self, request: EmbeddingRequest) -> EmbeddingResult:
        """See `Engine.embed`."""
        instruction = request.instruction
        if instruction and not self._dialect.has_instruction:
            request = EmbeddingRequest(_instructed(request, instruction))
        body = embedding_body(request, self._model)
        if instruction and self._dialect.has_instruction:
            body["instruction"] = instruction
        raw = await self._ask("POST", "/v1/embeddings", body)
        with foreign_errors():
            answer = EMBEDDINGS.decode(raw)
            packed = vectors(answer)
        if len(packed) != len(request.inputs):
            raise EngineFailed(f"The engine sent {len(packed)} vectors for {len(request.inputs)} inputs.")
        self._totals = TokenCounts(self._totals.prompt + answer.usage.prompt_tokens, self._totals.completion)
        return EmbeddingResult(packed, len(packed[0]) // 4 if packed else 0, answer.usage.prompt_tokens)

    async def tokenize(self, request: GenerationRequest) -> tuple[int, ...]:
        """See `Engine.tokenize`. Raises `NotImplementedHere` where the server has no such route."""
        if not isinstance(request, ChatRequest) and isinstance(request.prompt, tuple):
            return request.prompt
        if self._dialect.tokenizer == "none":
            raise NotImplementedHere("This model's server cannot count tokens in advance. Read usage in the answer.")
        with foreign_errors():
            body = await self._tokenize_body(request)
            raw = await self._ask("POST", "/tokenize", body)
            return tuple(msgspec.json.decode(raw, type=_Tokens).tokens)

    async def _tokenize_body(self, request: GenerationRequest) -> Mapping[str, object]:
        if self._dialect.tokenizer == "messages":
            if isinstance(request, ChatRequest):
                return {"model": self._model, "messages": [message_body(message) for message in request.messages]}
            return {"model": self._model, "prompt": request.prompt}
        if isinstance(request, ChatRequest):
            body = generation_body(request, self._model)
            asked: dict[str, object] = {name: body[name] for name in ("messages", "tools") if name in body}
            raw = await self._ask("POST", "/apply-template", asked)
            prompt = msgspec.json.decode(raw, type=_Rendered).prompt
        else:
            prompt = str(completion_body(request, self._model)["prompt"])
        return {"content": prompt, "add_special": True, "parse_special": True}

    async def health(self) -> None:
        """See `Engine.health`."""
        await self._ask("GET", self._dialect.health_path, None, timeout_s=_PROBE_TIMEOUT_S)

    async def stats(self) -> EngineStats:
        """The server's own counters; where it has none, this client's."""
        names = self._dialect.counters
        if names is None:
            return EngineStats(self._totals.prompt, self._totals.completion, self._running, 0)
        raw = await self._ask("GET", "/metrics", None, timeout_s=_PROBE_TIMEOUT_S)
        with foreign_errors():
            found = read_counters(raw.decode())
        prompt = sum(found.get(name, 0.0) for name in names.prompt)
        others = (found.get(name, 0.0) for name in (names.completion, names.running, names.waiting))
        completion, running, waiting = (int(value) for value in others)
        return EngineStats(int(prompt), completion, running, waiting)

    async def fetch(self, path: str) -> bytes:
        """GET one of the server's own pages. Raises like the rest."""
        return await self._ask("GET", path, None)

    async def aclose(self) -> None:
        """See `Engine.aclose`."""
        await self._session.close()

    async def _payloads(self, path: str, body: Mapping[str, object]) -> AsyncGenerator[list[bytes], None]:
        """Yield the payloads that arrived together, until `[DONE]`."""
        decoder = SseDecoder()
        with foreign_errors():
            async with self._open("POST", path, body) as response:
                async for chunk in response.content.iter_any():
                    payloads = decoder.feed(chunk)
                    is_done = DONE in payloads
                    yield payloads[: payloads.index(DONE)] if is_done else payloads
                    if is_done:
                        await _read_to_end(response)
                        return

    async def _ask(
        self, method: str, path: str, body: Mapping[str, object] | None, timeout_s: float | None = None
    ) -> bytes:
        with foreign_errors():
            async with self._open(method, path, body, timeout_s) as response:
                return await response.read()

    @asynccontextmanager
    async def _open(
        self, method: str, path: str, body: Mapping[str, object] | None, timeout_s: float | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        response = await self._send(method, path, body, timeout_s)
        try:
            if response.status >= 400:
                raise refusal(response.status, await response.read())
            yield response
        finally:
            # Closes the connection at once unless the answer was read to its end: that is what cancels.
            response.close()

    async def _send(
        self, method: str, path: str, body: Mapping[str, object] | None, timeout_s: float | None
    ) -> aiohttp.ClientResponse:
        """Send; once more if a kept-alive connection turned out to be closed before any byte came back."""
        data = None if body is None else msgspec.json.encode(body)
        url = self._base + path
        timeout = None if timeout_s is None else aiohttp.ClientTimeout(total=timeout_s)
        try:
            return await self._session.request(method, url, data=data, timeout=timeout or self._session.timeout)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            if isinstance(error, aiohttp.ClientConnectorError):
                raise
            return await self._session.request(method, url, data=data, timeout=timeout or self._session.timeout)


def _deltas(reader: ChunkReader, payloads: Iterable[bytes]) -> Iterator[Delta]:
    """What payloads that arrived together add. Raises what `Engine` may, after all that came before it."""
    held: Delta | None = None
    try:
        with foreign_errors():
            for payload in payloads:
                chunk = CHUNKS.decode(payload)
                if chunk.error is not None:
                    raise stream_refusal(chunk.error)
                delta = reader.read(chunk)
                if delta is None:
                    continue
                if held is not None:
                    yield replace(held, is_followed=True)
                held = delta
    except ApiError:
        if held is not None:
            yield held
        raise
    if held is not None:
        yield held


def _open_session(address: Address) -> aiohttp.ClientSession:
    connector: aiohttp.BaseConnector
    if address.url.startswith(_UNIX):
        connector = aiohttp.UnixConnector(address.url.removeprefix(_UNIX), limit=0, keepalive_timeout=_KEEPALIVE_S)
    else:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE_S)
    headers = {"content-type": "application/json"}
    if address.secret is not None:
        headers["authorization"] = f"Bearer {address.secret}"
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT_S, sock_read=address.silence_timeout_s)
    return aiohttp.ClientSession(
        connector=connector, headers=headers, timeout=timeout, auto_decompress=False, trust_env=False
    )


async def _read_to_end(response: aiohttp.ClientResponse) -> None:
    """Take the end marker of a complete answer off the wire, so that the connection can be used again."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_END_MARKER_TIMEOUT_S):
            await response.content.read()


def _instructed(request: EmbeddingRequest, instruction: str) -> tuple[str, ...]:
    texts = [item for item in request.inputs if isinstance(item, str)]
    if len(texts) != len(request.inputs):
        raise NotImplementedHere("An instruction needs texts. Send strings instead of token ids.")
    return tuple(f"{instruction} {text}" for text in texts)
