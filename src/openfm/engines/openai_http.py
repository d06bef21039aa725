"""Client of any engine that speaks OpenAI's API over HTTP, on TCP or a Unix socket."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial

import aiohttp
import msgspec

from openfm.core.chat import ChatRequest, Delta, Event, GenerationRequest
from openfm.core.embedding import EmbeddingRequest, EmbeddingResult
from openfm.core.errors import ApiError, EngineFailed, EngineUnreachable, NotImplementedHere
from openfm.core.usage import TokenCounts
from openfm.engines.base import EngineLink, EngineStats
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
from openfm.wire.engine_slots import kv_cache_ratio
from openfm.wire.sse import SseDecoder

_CONNECT_TIMEOUT_S = 5.0
_KEEPALIVE_S = 2.0
_PROBE_TIMEOUT_S = 5.0
_END_MARKER_TIMEOUT_S = 0.1
_STOP_PROBES, _STOP_PROBE_S = 50, 0.02  # a step takes half a second at most
_RETRY_AFTER_S = 2.0
_UNIX = "unix:"


class _Rendered(msgspec.Struct):
    prompt: str


class _Tokens(msgspec.Struct):
    tokens: list[int]


@dataclass(frozen=True, slots=True)
class Address:
    """Where an engine listens: `http://host:port[/prefix]`, or `unix:/path/to/socket`; and its secret.

    OpenAI's routes are under `api_path`. The secret goes into `secret_header`; "authorization" means a bearer token.
    `silence_timeout_s` is how long it may send nothing before the request counts as lost.
    """

    url: str
    secret: str | None = field(default=None, repr=False)
    model: str = "default"
    silence_timeout_s: float = 600.0
    api_path: str = "/v1"
    secret_header: str = "authorization"

    @property
    def headers(self) -> dict[str, str]:
        """What each request carries."""
        headers = {"content-type": "application/json"}
        if self.secret is not None:
            is_bearer = self.secret_header == "authorization"
            headers[self.secret_header] = f"Bearer {self.secret}" if is_bearer else self.secret
        return headers


def connect(address: Address) -> aiohttp.ClientSession:
    """Connections to an engine on this machine."""
    connector: aiohttp.BaseConnector
    if address.url.startswith(_UNIX):
        connector = aiohttp.UnixConnector(address.url.removeprefix(_UNIX), limit=0, keepalive_timeout=_KEEPALIVE_S)
    else:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE_S)
    return session_over(connector, address, _CONNECT_TIMEOUT_S)


def session_over(connector: aiohttp.BaseConnector, address: Address, connect_timeout_s: float) -> aiohttp.ClientSession:
    """A session with the address's headers and patience; proxies of the environment are not asked."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout_s, sock_read=address.silence_timeout_s)
    return aiohttp.ClientSession(
        connector=connector, headers=address.headers, timeout=timeout, auto_decompress=False, trust_env=False
    )


def _refusal(status: int, _headers: Mapping[str, str], raw: bytes) -> ApiError:
    return refusal(status, raw)


@dataclass(frozen=True, slots=True)
class Line:
    """How the other side is reached (at the first request), and what becomes of its errors.

    `refusal` judges an answer of status 300 and above, by status, headers and body; `errors` lets only `ApiError`s
    out of its block. A request is sent again for at most `stale_connections` that the other side had closed.
    """

    connect: Callable[[Address], aiohttp.ClientSession] = connect
    refusal: Callable[[int, Mapping[str, str], bytes], ApiError] = _refusal
    errors: Callable[[], AbstractContextManager[None]] = foreign_errors
    stale_connections: int = 8


_LOCAL = Line()


class OpenAiHttpEngine:
    """An engine reached over HTTP. Everything is asked as a stream, so that closing it cancels."""

    def __init__(self, address: Address, dialect: Dialect = PLAIN, line: Line = _LOCAL) -> None:
        self.address = address
        self._dialect = dialect
        self._line = line
        self._model = address.model
        self._base = "http://engine" if address.url.startswith(_UNIX) else address.url.rstrip("/")
        self._opened: aiohttp.ClientSession | None = None
        self._totals = TokenCounts()
        self._running = 0

    @property
    def link(self) -> EngineLink | None:
        """See `Engine.link`."""
        engine = self._dialect.engine
        return None if engine is None else EngineLink(engine, self.address.url, self.address.secret)

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        """See `Engine.generate`."""
        reader = ChunkReader(request.sampling.top_logprobs)
        body = generation_body(request, self._model)
        options = body.get("stream_options")
        body |= self._dialect.extras(request)
        if isinstance(options, dict):
            body["stream_options"] = {**options, **self._dialect.stream_options}
        body = dict(self._dialect.shape(body))
        path = "/chat/completions" if isinstance(request, ChatRequest) else "/completions"
        told = TokenCounts()  # what arrived together with an event that was not taken any more is not told
        self._running += 1
        try:
            async with aclosing(self._payloads(self.address.api_path + path, body)) as arrivals:
                async for payloads in arrivals:
                    for delta in _deltas(reader, payloads, self._line):
                        told = delta.counts
                        yield delta
            finished = reader.finished()
            told = finished.counts
            yield finished
        finally:
            self._running -= 1
            self._totals = TokenCounts(self._totals.prompt + told.prompt, self._totals.completion + told.completion)

    async def embed(self, request: EmbeddingRequest) -> EmbeddingResult:
        """See `Engine.embed`."""
        instruction = request.instruction
        if instruction and not self._dialect.has_instruction:
            request = EmbeddingRequest(_instructed(request, instruction))
        body = embedding_body(request, self._model)
        if instruction and self._dialect.has_instruction:
            body["instruction"] = instruction
        raw = await self._ask("POST", self.address.api_path + "/embeddings", dict(self._dialect.shape(body)))
        with self._line.errors():
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
        with self._line.errors():
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
        """See `Engine.health`. Without a path that costs nothing, the engine counts as healthy."""
        if self._dialect.health_path is not None:
            await self._ask("GET", self._dialect.health_path, None, timeout_s=_PROBE_TIMEOUT_S)

    async def stats(self) -> EngineStats:
        """The server's own counters; where it has none, this client's."""
        stats, path = await self._counted(), self._dialect.slots_path
        if self._dialect.counters is None or path is None:
            return stats
        raw = await self._ask("GET", path, None, timeout_s=_PROBE_TIMEOUT_S)
        with self._line.errors():
            return replace(stats, kv_cache_ratio=kv_cache_ratio(raw))

    async def _counted(self) -> EngineStats:
        names = self._dialect.counters
        if names is None:
            return EngineStats(self._totals.prompt, self._totals.completion, self._running, 0)
        raw = await self._ask("GET", "/metrics", None, timeout_s=_PROBE_TIMEOUT_S)
        with self._line.errors():
            found = read_counters(raw.decode())
        prompt = sum(found.get(name, 0.0) for name in names.prompt)
        others = (found.get(name, 0.0) for name in (names.completion, names.running, names.waiting))
        completion, running, waiting = (int(value) for value in others)
        kv_cache = None if names.kv_cache is None else found.get(names.kv_cache)
        return EngineStats(int(prompt), completion, running, waiting, kv_cache)

    async def untold(self) -> int:
        """See `Engine.untold`."""
        if self._dialect.counters is None or self._is_busy():
            return 0
        stats = await self._counted()
        for _ in range(_STOP_PROBES):
            if not stats.requests_running:
                break
            await asyncio.sleep(_STOP_PROBE_S)
            stats = await self._counted()
        if self._is_busy() or stats.requests_running:
            return 0
        untold = stats.completion_tokens_total - self._totals.completion
        self._totals = TokenCounts(self._totals.prompt, stats.completion_tokens_total)
        return max(0, untold)

    def _is_busy(self) -> bool:
        return self._running > 0

    async def fetch(self, path: str) -> bytes:
        """GET one of the server's own pages. Raises like the rest."""
        return await self._ask("GET", path, None)

    async def aclose(self) -> None:
        """See `Engine.aclose`."""
        if self._opened is not None:
            await self._opened.close()

    async def _payloads(self, path: str, body: Mapping[str, object]) -> AsyncGenerator[list[bytes], None]:
        """Yield the payloads that arrived together, until `[DONE]`."""
        decoder = SseDecoder()
        with self._line.errors():
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
        with self._line.errors():
            async with self._open(method, path, body, timeout_s) as response:
                return await response.read()

    @asynccontextmanager
    async def _open(
        self, method: str, path: str, body: Mapping[str, object] | None, timeout_s: float | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        response = await self._send(method, path, body, timeout_s)
        try:
            if response.status >= 300:
                raise self._line.refusal(response.status, response.headers, await response.read())
            yield response
        finally:
            # Closes the connection at once unless the answer was read to its end: that is what cancels.
            response.close()

    async def _send(
        self, method: str, path: str, body: Mapping[str, object] | None, timeout_s: float | None
    ) -> aiohttp.ClientResponse:
        """Send; again while kept-alive connections turn out to be closed before any byte came back.

        Several may be: llama.cpp closes them on its own terms, and only using one shows it.
        """
        data = None if body is None else msgspec.json.encode(body)
        url = self._base + path
        session = self._session
        timeout = session.timeout if timeout_s is None else aiohttp.ClientTimeout(total=timeout_s)
        ask = partial(session.request, method, url, data=data, timeout=timeout, allow_redirects=False)
        for _ in range(self._line.stale_connections):
            try:
                return await ask()
            except aiohttp.ClientConnectorError:
                raise
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                continue
        return await ask()

    @property
    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None:
            self._opened = self._line.connect(self.address)
        if self._opened.closed:  # it was stopped while somebody held it
            raise EngineUnreachable(
                "The engine was stopped; another is being started. Send the request again.",
                retry_after_s=_RETRY_AFTER_S,
            )
        return self._opened


def _deltas(reader: ChunkReader, payloads: Iterable[bytes], line: Line = _LOCAL) -> Iterator[Delta]:
    """What payloads that arrived together add. Raises what `Engine` may, after all that came before it."""
    held: Delta | None = None
    try:
        with line.errors():
            for payload in payloads:
                chunk = CHUNKS.decode(payload)
                if chunk.error is not None:
                    raise stream_refusal(chunk.error, lambda status, raw: line.refusal(status, {}, raw))
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
