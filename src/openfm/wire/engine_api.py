"""OpenAI's API seen from the client's side: core request -> body for an engine, engine's chunk -> core events.

llama.cpp's `timings` and `prompt_progress` and vLLM's per-chunk `usage` are read where they come; without them
tokens are counted by chunk until the final usage settles.
"""

import base64
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from openfm.core.chat import (
    ChatRequest,
    CompletionRequest,
    Delta,
    Event,
    Finished,
    FinishReason,
    GenerationRequest,
    Message,
    NamedTool,
    SamplingParams,
    TokenLogprob,
    ToolCallDelta,
)
from openfm.core.embedding import EmbeddingRequest
from openfm.core.errors import EngineFailed
from openfm.core.usage import TokenCounts

DONE = b"[DONE]"


class Timings(msgspec.Struct):
    """llama.cpp: tokens so far."""

    cache_n: int = 0
    prompt_n: int = 0
    predicted_n: int = 0


class PromptProgress(msgspec.Struct):
    """llama.cpp: how far the prompt is processed."""

    total: int = 0
    cache: int = 0


class PromptDetails(msgspec.Struct):
    """Part of `usage`."""

    cached_tokens: int | None = None


class CompletionDetails(msgspec.Struct):
    """Part of `usage`."""

    reasoning_tokens: int | None = None


class Usage(msgspec.Struct):
    """OpenAI's `usage`."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None


class FunctionPiece(msgspec.Struct):
    """A piece of a function call."""

    name: str | None = None
    arguments: str | None = None


class ToolCallPiece(msgspec.Struct):
    """A piece of a tool call."""

    index: int = 0
    id: str | None = None
    function: FunctionPiece | None = None


class DeltaBody(msgspec.Struct):
    """What a chat chunk adds. Engines spell the reasoning text in two ways."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[ToolCallPiece] | None = None


class TopLogprob(msgspec.Struct):
    """An alternative to the drawn token."""

    token: str
    logprob: float


class LogprobItem(msgspec.Struct):
    """A drawn token, in the form of chat completions (llama.cpp: of completions too)."""

    token: str
    logprob: float
    top_logprobs: list[TopLogprob] = []


class LogprobsBody(msgspec.Struct):
    """`content` is the newer form, the other three the one of legacy completions."""

    content: list[LogprobItem] | None = None
    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float] | None] | None = None


class ChoiceBody(msgspec.Struct):
    """One choice of a chunk."""

    delta: DeltaBody | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: LogprobsBody | None = None


class ErrorBody(msgspec.Struct):
    """An engine's error; the last two are llama.cpp's, for a prompt that does not fit."""

    message: str = ""
    type: str | None = None
    code: int | str | None = None
    n_prompt_tokens: int | None = None
    n_ctx: int | None = None


class EngineChunk(msgspec.Struct):
    """One event of an engine's stream."""

    choices: list[ChoiceBody] = []
    usage: Usage | None = None
    timings: Timings | None = None
    prompt_progress: PromptProgress | None = None
    error: ErrorBody | None = None


class EmbeddingItem(msgspec.Struct):
    """One vector: base64 of float32, or numbers."""

    embedding: str | list[float]
    index: int = 0


class EmbeddingsBody(msgspec.Struct):
    """Answer of `/v1/embeddings`."""

    data: list[EmbeddingItem]
    usage: Usage = msgspec.field(default_factory=Usage)


class ErrorAnswer(msgspec.Struct):
    """Body of an engine's error answer; some servers put the fields at the top."""

    error: ErrorBody | str | None = None
    message: str | None = None
    detail: object = None


CHUNKS = msgspec.json.Decoder(EngineChunk)
EMBEDDINGS = msgspec.json.Decoder(EmbeddingsBody)
ERRORS = msgspec.json.Decoder(ErrorAnswer)
_REASONS = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
}


def generation_body(request: GenerationRequest, model: str) -> dict[str, object]:
    """The standard body, always streamed and with usage."""
    if isinstance(request, ChatRequest):
        return chat_body(request, model)
    return completion_body(request, model)


def chat_body(request: ChatRequest, model: str) -> dict[str, object]:
    """Body of `POST /v1/chat/completions`."""
    body = _sampling_body(request.sampling, model)
    body["messages"] = [message_body(message) for message in request.messages]
    if request.sampling.top_logprobs is not None:
        body |= {"logprobs": True, "top_logprobs": request.sampling.top_logprobs}
    if request.tools and request.tool_choice != "none":
        body["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description or "",
                    "parameters": dict(tool.parameters),
                },
            }
            for tool in request.tools
        ]
        choice = request.tool_choice
        body["tool_choice"] = (
            {"type": "function", "function": {"name": choice.name}} if isinstance(choice, NamedTool) else choice
        )
        body["parallel_tool_calls"] = request.is_parallel_tool_calls_enabled
    if request.response_format is not None:
        schema = request.response_format.schema
        body["response_format"] = (
            {"type": "json_object"}
            if schema is None
            else {"type": "json_schema", "json_schema": {"name": request.response_format.name, "schema": schema}}
        )
    if request.reasoning_effort is not None:
        body["reasoning_effort"] = request.reasoning_effort
    return body


def completion_body(request: CompletionRequest, model: str) -> dict[str, object]:
    """Body of `POST /v1/completions`."""
    body = _sampling_body(request.sampling, model)
    body["prompt"] = request.prompt if isinstance(request.prompt, str) else list(request.prompt)
    if request.sampling.top_logprobs is not None:
        body["logprobs"] = request.sampling.top_logprobs
    return body


def embedding_body(request: EmbeddingRequest, model: str) -> dict[str, object]:
    """Body of `POST /v1/embeddings`, vectors asked as base64 of float32."""
    return {"model": model, "input": list(request.inputs), "encoding_format": "base64"}


def message_body(message: Message) -> dict[str, object]:
    """One message of the history."""
    body: dict[str, object] = {"role": message.role.value, "content": message.content}
    if message.tool_calls:
        body["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        body["tool_call_id"] = message.tool_call_id
    if message.name is not None:
        body["name"] = message.name
    return body


def _sampling_body(sampling: SamplingParams, model: str) -> dict[str, object]:
    body: dict[str, object] = {
        "model": model,
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
    }
    optional = {
        "max_tokens": sampling.max_tokens,
        "stop": list(sampling.stop) or None,
        "seed": sampling.seed,
        "presence_penalty": sampling.presence_penalty or None,
        "frequency_penalty": sampling.frequency_penalty or None,
        "logit_bias": {str(token): bias for token, bias in sampling.logit_bias.items()} or None,
    }
    return body | {name: value for name, value in optional.items() if value is not None}


@dataclass(slots=True)
class ChunkReader:
    """Turns the chunks of one answer into events; keeps the cumulative counts.

    `top_logprobs` is how many alternatives the caller asked for; engines may send more.
    """

    top_logprobs: int | None = None
    counts: TokenCounts = TokenCounts()
    reason: FinishReason | None = None

    def read(self, chunk: EngineChunk) -> Delta | None:
        """What the chunk added; None if it only counts."""
        if not chunk.choices:
            self._count(chunk, 0, 0)
            return None
        choice = chunk.choices[0]
        if choice.finish_reason is not None:
            self.reason = _REASONS.get(choice.finish_reason, FinishReason.STOP)
        body = choice.delta or DeltaBody()
        text = choice.text or body.content or ""
        reasoning = body.reasoning_content or body.reasoning or ""
        calls = tuple(_tool_call(piece) for piece in body.tool_calls) if body.tool_calls else ()
        logprobs = () if self.top_logprobs is None else tuple(_logprobs(choice.logprobs, self.top_logprobs))
        if not (text or reasoning or calls or logprobs):
            self._count(chunk, 0, 0)
            return None
        self._count(chunk, max(1, len(logprobs)), len(reasoning))
        return Delta(self.counts, text, reasoning, calls, logprobs)

    def finished(self) -> Event:
        """The last event. Raises `EngineFailed` if the engine never said why it ended."""
        if self.reason is None:
            raise EngineFailed("The engine closed the stream before the answer was complete. Send the request again.")
        return Finished(self.reason, self.counts)

    def _count(self, chunk: EngineChunk, tokens: int, reasoning_length: int) -> None:
        """Take over the chunk's own counts; without them, add `tokens`."""
        before = self.counts
        reasoning = before.reasoning
        if chunk.usage is not None and (chunk.usage.prompt_tokens or chunk.usage.completion_tokens):
            self.counts = _usage_counts(chunk.usage, before)
        elif chunk.prompt_progress is not None:
            self.counts = TokenCounts(chunk.prompt_progress.total, 0, chunk.prompt_progress.cache)
        elif chunk.timings is not None:
            timings = chunk.timings
            prompt = timings.cache_n + timings.prompt_n
            self.counts = TokenCounts(prompt, timings.predicted_n, timings.cache_n, reasoning)
        elif tokens:
            self.counts = TokenCounts(before.prompt, before.completion + tokens, before.cached, reasoning)
        if reasoning_length and self.counts.reasoning == reasoning:
            now = self.counts
            spent = reasoning + max(0, now.completion - before.completion)
            self.counts = TokenCounts(now.prompt, now.completion, now.cached, min(spent, now.completion))


def _usage_counts(usage: Usage, before: TokenCounts) -> TokenCounts:
    cached = (usage.prompt_tokens_details or PromptDetails()).cached_tokens
    reasoning = (usage.completion_tokens_details or CompletionDetails()).reasoning_tokens
    return TokenCounts(
        usage.prompt_tokens,
        usage.completion_tokens,
        before.cached if cached is None else cached,
        before.reasoning if reasoning is None else reasoning,
    )


def _tool_call(piece: ToolCallPiece) -> ToolCallDelta:
    function = piece.function or FunctionPiece()
    return ToolCallDelta(piece.index, function.arguments or "", piece.id, function.name)


def _logprobs(body: LogprobsBody | None, top: int) -> Iterator[TokenLogprob]:
    if body is None:
        return
    for item in body.content or ():
        likeliest = tuple((other.token, other.logprob) for other in item.top_logprobs[:top])
        yield TokenLogprob(item.token, item.logprob, likeliest)
    alternatives = body.top_logprobs or []
    for index, (token, logprob) in enumerate(zip(body.tokens or (), body.token_logprobs or (), strict=False)):
        others = (alternatives[index] if index < len(alternatives) else None) or {}
        yield TokenLogprob(token, logprob or 0.0, tuple(others.items())[:top])


def vectors(body: EmbeddingsBody) -> tuple[bytes, ...]:
    """Packed float32, in order of the inputs. Raises ValueError for what is not base64."""
    ordered = sorted(body.data, key=lambda item: item.index)
    return tuple(_vector(item.embedding) for item in ordered)


def _vector(embedding: str | Sequence[float]) -> bytes:
    if isinstance(embedding, str):
        return base64.b64decode(embedding, validate=True)
    return struct.pack(f"<{len(embedding)}f", *embedding)
