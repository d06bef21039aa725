"""URL + body -> core request -> response. Raw ASGI, no rules: those are in `invoke.py`."""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog

from openfm.core.chat import Delta
from openfm.core.embedding import EmbeddingRequest
from openfm.core.endpoint import ServingEndpoint
from openfm.core.errors import ApiError, InvalidRequest, MethodNotAllowed, NotFound
from openfm.core.job import GenerationJob
from openfm.core.model import Task
from openfm.gateway.asgi import Receive, Scope, Send
from openfm.gateway.auth import authenticate
from openfm.gateway.body import BodyLimits, read_body
from openfm.gateway.exchange import CLIENT_CLOSED_REQUEST, SERVER_ENDED, Exchange, ExchangeLog
from openfm.gateway.explain import explanation_of
from openfm.gateway.idempotency import AlreadyTaken, key_in
from openfm.gateway.invoke import Gateway, Invocation
from openfm.gateway.ports import Prices, TokenVerifier
from openfm.gateway.responses import EventStreamResponse, JsonResponse, send_body
from openfm.wire import fields
from openfm.wire.answers import Choice, chat_body, completion_body, embedding_body
from openfm.wire.chunks import ChatChunks, CompletionChunks, StreamStyle
from openfm.wire.explanation import Explanation, explained, is_asked_for
from openfm.wire.hang_up import ClientGone
from openfm.wire.manner import Manner, ReasoningStyle, usage_style
from openfm.wire.problems import internal_error, problem
from openfm.wire.requests import ChatBody, CompletionBody, EmbeddingBody, SamplingBody, decode, glimpse
from openfm.wire.to_core import BatchLimits, chat_job, completion_job, embedding_request
from openfm.wire.trace_context import trace_parent

log = structlog.get_logger(__name__)

_INVOCATIONS = re.compile(r"/serving-endpoints/([^/]{1,256})(?:/served-models/([^/]{1,256}))?/invocations")
_MODELS = re.compile(r"/models(?:/([^/]{1,256}))?")
_PREFIXES = (("/v1", Manner.OPENAI), ("/serving-endpoints", Manner.DATABRICKS))
_CHAT_BODY = msgspec.json.Decoder(ChatBody)
_COMPLETION_BODY = msgspec.json.Decoder(CompletionBody)
_EMBEDDING_BODY = msgspec.json.Decoder(EmbeddingBody)

Response = JsonResponse | EventStreamResponse
Handler = Callable[[Exchange, bytes], Awaitable[Response]]
Chunks = ChatChunks | CompletionChunks


@dataclass(frozen=True, slots=True)
class WireOptions:
    """What the operator may choose about the wire."""

    is_strict: bool = False
    reasoning_style: ReasoningStyle = ReasoningStyle.TEXT
    body_limits: BodyLimits = BodyLimits()
    batch_limits: BatchLimits = BatchLimits()


class DataPlane:
    """The ASGI application of `/v1` and `/serving-endpoints`."""

    def __init__(
        self,
        gateway: Gateway,
        tokens: TokenVerifier,
        exchanges: ExchangeLog,
        prices: Prices,
        options: WireOptions = WireOptions(),
    ) -> None:
        self._gateway = gateway
        self._tokens = tokens
        self._exchanges = exchanges
        self._prices = prices
        self._options = options
        self._by_path: dict[str, Handler] = {
            "/chat/completions": self._chat_completions,
            "/completions": self._completions,
            "/embeddings": self._embeddings,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request, whatever happens."""
        exchange = self._exchanges.begin(_manner(scope["path"]))
        try:
            exchange.caller = authenticate(scope["headers"], self._tokens)
            exchange.idempotency_key = key_in(scope["headers"])
            exchange.is_explained = is_asked_for(scope["headers"])
            exchange.trace_parent = trace_parent(scope["headers"])
            respond = await self._route(scope, exchange, receive)
            await respond(receive, exchange.recorded(send))
        except ClientGone:
            exchange.status = CLIENT_CLOSED_REQUEST
        except asyncio.CancelledError:  # the server ends, and does not wait longer
            exchange.status = SERVER_ENDED
            raise
        except AlreadyTaken as error:
            await self._send_again(exchange, error, send)
        except ApiError as error:
            self._find_out(exchange)
            await _send_problem(exchange, error, send)
        except Exception:
            log.exception("request.failed", request_id=exchange.request_id)
            await _send_problem(exchange, internal_error(exchange.request_id), send)
        finally:
            await self._exchanges.end(exchange)

    async def _send_again(self, exchange: Exchange, error: AlreadyTaken, send: Send) -> None:
        """The first request's answer, where it was kept: nothing is generated, and nothing billed."""
        kept = await exchange.attempts.replays.find(error.one)
        if kept is None:
            await _send_problem(exchange, error, send)
            return
        headers = (
            (b"content-type", b"application/json"),
            (b"x-request-id", kept.request_id.encode()),
            (b"served-model-name", kept.served_entity.encode()),
            (b"idempotent-replayed", b"true"),
        )
        await send_body(send, 200, headers, kept.body)

    def _find_out(self, exchange: Exchange) -> None:
        """Whom a body was for that could be read, but not understood: an inference table keeps that too."""
        if exchange.is_started or not exchange.raw:
            return
        named = glimpse(exchange.raw)
        exchange.bill.client_request_id = named.client_request_id
        if exchange.endpoint is None and named.model is not None:
            with suppress(ApiError):
                exchange.endpoint = self._gateway.endpoint(exchange.principal, named.model)

    def _route(self, scope: Scope, exchange: Exchange, receive: Receive) -> Awaitable[Response]:
        path = scope["path"].rstrip("/")
        if match := _INVOCATIONS.fullmatch(path):
            _require_method(scope, "POST")
            exchange.served_entity = match[2]
            return self._invocations(scope, exchange, receive, match[1])
        for prefix, _ in _PREFIXES:
            if not path.startswith(prefix):
                continue
            rest = path.removeprefix(prefix)
            if handler := self._by_path.get(rest):
                _require_method(scope, "POST")
                return self._with_body(scope, exchange, receive, handler)
            if match := _MODELS.fullmatch(rest):
                _require_method(scope, "GET")
                return self._models(exchange, match[1])
        raise NotFound(f"There is no route {scope['path']}. The README lists the routes.")

    async def _with_body(self, scope: Scope, exchange: Exchange, receive: Receive, handler: Handler) -> Response:
        return await handler(exchange, await self._body(scope, exchange, receive))

    async def _body(self, scope: Scope, exchange: Exchange, receive: Receive) -> bytes:
        exchange.raw = await read_body(scope["headers"], receive, self._options.body_limits)
        return exchange.raw

    async def _invocations(self, scope: Scope, exchange: Exchange, receive: Receive, name: str) -> Response:
        endpoint = self._gateway.endpoint(exchange.principal, name)
        raw = await self._body(scope, exchange, receive)
        exchange.endpoint = endpoint
        if endpoint.task is Task.EMBEDDINGS:
            return await self._embed(exchange, endpoint, self._decoded_embedding(raw))
        if endpoint.task is Task.COMPLETIONS:
            return await self._complete(exchange, endpoint, self._decoded_completion(raw))
        is_strict = self._options.is_strict
        chat = decode(raw, _CHAT_BODY, fields.CHAT_FIELDS, is_strict=False)
        if chat.messages is None and chat.prompt is not None:
            return await self._complete(exchange, endpoint, self._decoded_completion(raw))
        if is_strict:
            fields.refuse_unknown(raw, fields.CHAT_FIELDS)
        return await self._chat(exchange, endpoint, chat)

    async def _chat_completions(self, exchange: Exchange, raw: bytes) -> Response:
        body = decode(raw, _CHAT_BODY, fields.CHAT_FIELDS, is_strict=self._options.is_strict)
        return await self._chat(exchange, self._named(exchange, body.model), body)

    async def _completions(self, exchange: Exchange, raw: bytes) -> Response:
        body = self._decoded_completion(raw)
        return await self._complete(exchange, self._named(exchange, body.model), body)

    async def _embeddings(self, exchange: Exchange, raw: bytes) -> Response:
        body = self._decoded_embedding(raw)
        return await self._embed(exchange, self._named(exchange, body.model), body)

    def _decoded_completion(self, raw: bytes) -> CompletionBody:
        return decode(raw, _COMPLETION_BODY, fields.COMPLETION_FIELDS, is_strict=self._options.is_strict)

    def _decoded_embedding(self, raw: bytes) -> EmbeddingBody:
        return decode(raw, _EMBEDDING_BODY, fields.EMBEDDING_FIELDS, is_strict=self._options.is_strict)

    def _named(self, exchange: Exchange, name: str | None) -> ServingEndpoint:
        if not name:
            raise InvalidRequest("model is missing: send the endpoint's name.", param="model")
        exchange.endpoint = self._gateway.endpoint(exchange.principal, name)
        return exchange.endpoint

    async def _chat(self, exchange: Exchange, endpoint: ServingEndpoint, body: ChatBody) -> Response:
        job = chat_job(body, is_strict=self._options.is_strict)
        await exchange.start(self._invocation(exchange, endpoint, job.task), body, "chatcmpl")
        style = self._options.reasoning_style if exchange.manner is not Manner.OPENAI else ReasoningStyle.TEXT
        if body.stream:
            stream_style = _stream_style(exchange, body, style)
            return self._stream(exchange, job, lambda: ChatChunks(exchange.head, stream_style))

        async def work() -> bytes:
            choices = await self._fold(exchange, job)
            return await self._told(exchange, chat_body(exchange.head, choices, exchange.meter.generated, style))

        return JsonResponse(work, exchange.headers, exchange.meter.mark_delivered)

    async def _complete(self, exchange: Exchange, endpoint: ServingEndpoint, body: CompletionBody) -> Response:
        options = self._options
        job = completion_job(body, exchange.manner, options.batch_limits, is_strict=options.is_strict)
        await exchange.start(self._invocation(exchange, endpoint, job.task), body, "cmpl")
        echoes = job.text_prompts if body.echo else ()
        suffix = body.suffix or ""
        if body.stream:
            style = _stream_style(exchange, body, ReasoningStyle.TEXT)
            return self._stream(exchange, job, lambda: CompletionChunks(exchange.head, style, echoes, suffix))

        async def work() -> bytes:
            choices = await self._fold(exchange, job)
            for index, choice in enumerate(choices):
                choice.text.insert(0, echoes[index] if echoes else "")
                choice.text.append(suffix)
            return await self._told(exchange, completion_body(exchange.head, choices, exchange.meter.generated))

        return JsonResponse(work, exchange.headers, exchange.meter.mark_delivered)

    async def _embed(self, exchange: Exchange, endpoint: ServingEndpoint, body: EmbeddingBody) -> Response:
        request: EmbeddingRequest = embedding_request(body, self._options.batch_limits)
        invocation = self._invocation(exchange, endpoint, Task.EMBEDDINGS)
        await exchange.start(invocation, body, "embd")

        async def work() -> bytes:
            result = await self._gateway.embed(invocation, request)
            vectors = embedding_body(exchange.head, result, body.encoding_format or "float", exchange.manner)
            return await self._told(exchange, vectors)

        return JsonResponse(work, exchange.headers, exchange.meter.mark_delivered)

    async def _models(self, exchange: Exchange, name: str | None) -> Response:
        caller = exchange.principal
        found: Sequence[ServingEndpoint]
        found = self._gateway.directory.visible(caller) if name is None else [self._gateway.endpoint(caller, name)]
        entries = [_model_entry(endpoint) for endpoint in found]

        async def work() -> bytes:
            return msgspec.json.encode({"object": "list", "data": entries} if name is None else entries[0])

        return JsonResponse(work, exchange.headers, exchange.meter.mark_delivered)

    def _invocation(self, exchange: Exchange, endpoint: ServingEndpoint, task: Task) -> Invocation:
        return self._gateway.invocation(exchange.principal, endpoint, task, exchange.bill, exchange.served_entity)

    def _stream(self, exchange: Exchange, job: GenerationJob, make_chunks: Callable[[], Chunks]) -> Response:
        exchange.bill.is_streaming = True
        exchange.meter.answers_per_prompt = job.answers_per_prompt
        return EventStreamResponse(
            open_stream=lambda: self._frames(exchange, job, make_chunks),
            headers=exchange.headers,
            on_delivered=exchange.bill.mark_delivered,
            on_late_error=exchange.fail,
        )

    async def _frames(
        self, exchange: Exchange, job: GenerationJob, make_chunks: Callable[[], Chunks]
    ) -> AsyncGenerator[bytes, None]:
        """The frames of events that came together are one piece: a write costs as much as a token's whole way here."""
        meter = exchange.meter
        ready = b""
        chunks: Chunks | None = None
        try:
            async with aclosing(self._gateway.generate(exchange.invocation, job)) as events:
                async for index, event in events:
                    if chunks is None:  # only the first event settles which entity answers
                        chunks = make_chunks()
                    ready += chunks.event(index, event, meter.generated)
                    if ready and not (isinstance(event, Delta) and event.is_followed):
                        yield ready
                        ready = b""
            if chunks is not None:
                yield chunks.end(meter.generated, self._explanation(exchange))
        except ApiError:
            if ready:
                yield ready
            raise
        except Exception:
            log.exception("stream.failed", request_id=exchange.request_id)
            if ready:
                yield ready
            raise internal_error(exchange.request_id) from None

    def _explanation(self, exchange: Exchange) -> Explanation | None:
        return explanation_of(exchange, self._prices) if exchange.is_explained else None

    async def _told(self, exchange: Exchange, body: bytes) -> bytes:
        explanation = self._explanation(exchange)
        told = body if explanation is None else explained(body, explanation)
        await exchange.keep(told)
        return told

    async def _fold(self, exchange: Exchange, job: GenerationJob) -> list[Choice]:
        exchange.meter.answers_per_prompt = job.answers_per_prompt
        choices = [Choice() for _ in job.requests]
        async with aclosing(self._gateway.generate(exchange.invocation, job)) as events:
            async for index, event in events:
                choices[index].add(event)
        return choices


def _manner(path: str) -> Manner:
    if path.startswith("/v1"):
        return Manner.OPENAI
    return Manner.INVOCATIONS if path.rstrip("/").endswith("/invocations") else Manner.DATABRICKS


def _require_method(scope: Scope, method: str) -> None:
    if scope["method"] != method:
        raise MethodNotAllowed(scope["method"], method)


def _stream_style(exchange: Exchange, body: SamplingBody, reasoning: ReasoningStyle) -> StreamStyle:
    asked = body.stream_options.include_usage if body.stream_options else None
    return StreamStyle(exchange.manner, usage_style(exchange.manner, include_usage=asked), reasoning)


async def _send_problem(exchange: Exchange, error: ApiError, send: Send) -> None:
    send = exchange.recorded(send)
    exchange.fail(error)
    await exchange.release_key()
    answer = problem(error, exchange.manner.error_shape)
    await send_body(send, answer.status, (*answer.headers, *exchange.headers()), answer.body)


def _model_entry(endpoint: ServingEndpoint) -> dict[str, Any]:
    """OpenAI's entry of a model, and vLLM's word for its context length, which coding agents read."""
    entry = {
        "id": endpoint.name,
        "object": "model",
        "created": endpoint.creation_timestamp // 1000,
        "owned_by": endpoint.creator,
    }
    config = endpoint.config or endpoint.pending_config
    first = None if config is None else config.served_entities[0]
    if first is None or first.external is not None:
        return entry
    return entry | {"max_model_len": first.model.context_length}
