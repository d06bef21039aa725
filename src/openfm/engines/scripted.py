"""The fake that ships: says what it is told, when it is told. For tests, demos and measuring the gateway alone.

    engine = ScriptedEngine()
    engine.will_say("one", "two", gap_s=FOREVER)   # "one", then nothing until the caller gives up

Every word is one token, in prompts and answers alike; words after the first are given with a blank before them.
"""

import asyncio
import hashlib
import math
import struct
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from openfm.core.chat import (
    ChatRequest,
    Delta,
    Event,
    Finished,
    FinishReason,
    GenerationRequest,
    Role,
    TokenLogprob,
    ToolCall,
    ToolCallDelta,
)
from openfm.core.embedding import EmbeddingRequest, EmbeddingResult
from openfm.core.errors import ApiError, ContextTooLong, EngineFailed, InvalidRequest, NoReplicaReady
from openfm.core.usage import TokenCounts
from openfm.engines.base import EngineSpec, EngineStats, LoadProgress
from openfm.engines.tool_prompt import StopScanner

FOREVER = math.inf
"""A gap that ends only when the caller gives up."""

DIMENSION = 8
_CONTEXT_LENGTH = 8192
_LOGPROB = -0.25

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Script:
    """One answer: `gap_s` before each word after the first; after `fail_after` words, `error` (or the end)."""

    words: tuple[str, ...]
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    gap_s: float = 0.0
    fail_after: int | None = None
    error: ApiError | None = None


@dataclass(slots=True)
class ScriptedEngine:
    """An engine in this process. `requests` are those seen, `running` those under way, `cancelled` a count."""

    sleep: Sleep = asyncio.sleep
    context_length: int = _CONTEXT_LENGTH
    requests: list[GenerationRequest] = field(default_factory=list)
    embedding_requests: list[EmbeddingRequest] = field(default_factory=list)
    running: int = 0
    cancelled: int = 0
    is_down: bool = False
    prompt_tokens_total: int = 0
    completion_tokens_total: int = 0
    _scripts: deque[Script] = field(default_factory=deque)

    def will_say(
        self,
        *words: str,
        reasoning: str = "",
        tool_calls: Sequence[ToolCall] = (),
        gap_s: float = 0.0,
        fail_after: int | None = None,
        error: ApiError | None = None,
    ) -> None:
        """Queue the answer to the next request; without one, the request's last words come back.

        `error` alone fails before the first event; with `fail_after` it comes after that many words.
        """
        if error is not None and fail_after is None:
            fail_after = 0
        self._scripts.append(Script(words, reasoning, tuple(tool_calls), gap_s, fail_after, error))

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        """See `Engine.generate`."""
        self.requests.append(request)
        await self.health()
        prompt = len(await self.tokenize(request))
        if prompt > self.context_length:
            raise ContextTooLong(prompt_tokens=prompt, max_tokens=None, context_length=self.context_length)
        script = self._scripts.popleft() if self._scripts else Script(_echo(request))
        self.running += 1
        self.prompt_tokens_total += prompt
        has_ended = False
        try:
            async for event in self._play(script, request, TokenCounts(prompt)):
                has_ended = isinstance(event, Finished)
                yield event
        except ApiError:
            has_ended = True
            raise
        finally:
            self.running -= 1
            self.cancelled += not has_ended

    async def embed(self, request: EmbeddingRequest) -> EmbeddingResult:
        """Unit vectors, the same for the same input. See `Engine.embed`."""
        self.embedding_requests.append(request)
        await self.health()
        script = self._scripts.popleft() if self._scripts else Script(())
        if script.error is not None:
            raise script.error
        tokens = 0
        for item in request.inputs:
            if not item:
                raise InvalidRequest("An input is empty. Send at least one character in each.", param="input")
            count = len(item.split()) if isinstance(item, str) else len(item)
            count += len((request.instruction or "").split())
            if count > self.context_length:
                raise ContextTooLong(prompt_tokens=count, max_tokens=None, context_length=self.context_length)
            tokens += count
        vectors = tuple(_unit_vector(f"{request.instruction or ''} {item}") for item in request.inputs)
        self.prompt_tokens_total += tokens
        return EmbeddingResult(vectors, DIMENSION, tokens)

    async def tokenize(self, request: GenerationRequest) -> tuple[int, ...]:
        """A token for each word. See `Engine.tokenize`."""
        if isinstance(request, ChatRequest):
            words = [word for message in request.messages for word in (message.content or "").split()]
        elif isinstance(request.prompt, str):
            words = request.prompt.split()
        else:
            return request.prompt
        return tuple(int.from_bytes(hashlib.sha256(word.encode()).digest()[:2]) for word in words)

    async def health(self) -> None:
        """See `Engine.health`; `is_down` makes it fail."""
        if self.is_down:
            raise NoReplicaReady("The scripted engine is down. Set is_down to False.", retry_after_s=1.0)

    async def stats(self) -> EngineStats:
        """See `Engine.stats`."""
        return EngineStats(self.prompt_tokens_total, self.completion_tokens_total, self.running, 0)

    @property
    def link(self) -> None:
        """See `Engine.link`."""
        return

    async def untold(self) -> int:
        """Its streams tell all that it counts. See `Engine.untold`."""
        return 0

    async def aclose(self) -> None:
        """See `Engine.aclose`."""

    async def _play(
        self, script: Script, request: GenerationRequest, counts: TokenCounts
    ) -> AsyncGenerator[Event, None]:
        sampling = request.sampling
        limit = sampling.max_tokens or FOREVER
        scanner = StopScanner(sampling.stop)
        pieces = _pieces(script)
        for number, piece in enumerate(pieces):
            if script.fail_after == number:
                raise script.error or EngineFailed("The scripted engine failed as it was told to.")
            if number >= limit:
                break
            if number:
                await self._wait(script.gap_s)
            counts = _counted(counts, piece)
            self.completion_tokens_total += 1
            text = scanner.feed(piece.text)
            if text or piece.reasoning or piece.tool_calls:
                yield Delta(counts, text, piece.reasoning, piece.tool_calls, _logprobs(text, sampling.top_logprobs))
            if scanner.is_stopped:
                break
        if script.fail_after is not None and script.fail_after >= len(pieces):
            raise script.error or EngineFailed("The scripted engine failed as it was told to.")
        if held := scanner.flush():
            yield Delta(counts, held, logprobs=_logprobs(held, sampling.top_logprobs))
        is_cut = len(pieces) > limit and not scanner.is_stopped
        finished = FinishReason.TOOL_CALLS if script.tool_calls else FinishReason.STOP
        yield Finished(FinishReason.LENGTH if is_cut else finished, counts)

    async def _wait(self, gap_s: float) -> None:
        if gap_s == FOREVER:
            await asyncio.Event().wait()
        elif gap_s:
            await self.sleep(gap_s)


def _echo(request: GenerationRequest) -> tuple[str, ...]:
    if isinstance(request, ChatRequest):
        asked = [message.content or "" for message in request.messages if message.role is Role.USER]
        return tuple((asked[-1] if asked else "").split())
    return tuple(request.prompt.split()) if isinstance(request.prompt, str) else tuple(map(str, request.prompt))


def _pieces(script: Script) -> list[Delta]:
    nothing = TokenCounts()
    thoughts = [Delta(nothing, reasoning=text) for text in _spaced(script.reasoning.split())]
    calls = [
        Delta(nothing, tool_calls=(ToolCallDelta(index, call.arguments, call.id, call.name),))
        for index, call in enumerate(script.tool_calls)
    ]
    return [*thoughts, *(Delta(nothing, text) for text in _spaced(script.words)), *calls]


def _spaced(words: Sequence[str]) -> list[str]:
    return [word if number == 0 else f" {word}" for number, word in enumerate(words)]


def _counted(counts: TokenCounts, piece: Delta) -> TokenCounts:
    return TokenCounts(counts.prompt, counts.completion + 1, counts.cached, counts.reasoning + bool(piece.reasoning))


def _logprobs(text: str, top: int | None) -> tuple[TokenLogprob, ...]:
    if top is None or not text:
        return ()
    likeliest = ((text, _LOGPROB), *((f"other{rank}", _LOGPROB - rank) for rank in range(1, top)))[:top]
    return (TokenLogprob(text, _LOGPROB, tuple(likeliest)),)


def _unit_vector(text: str) -> bytes:
    digest = hashlib.sha256(text.encode("utf-8", "replace")).digest()
    values = [byte - 127.5 for byte in digest[:DIMENSION]]
    length = math.sqrt(sum(value * value for value in values))
    return struct.pack(f"<{DIMENSION}f", *(value / length for value in values))


@dataclass(slots=True, eq=False)
class RunningScript:
    """A started scripted replica; `crash` ends it."""

    engine: ScriptedEngine
    _ended: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def pid(self) -> int | None:
        """It is no process."""
        return None

    async def exited(self) -> str:
        """See `RunningEngine.exited`."""
        return await asyncio.shield(self._ended)

    async def stop(self, grace_s: float) -> None:
        """See `RunningEngine.stop`."""
        del grace_s  # it ends at once
        self._end("stopped as asked")

    def crash(self, reason: str = "killed by SIGKILL") -> None:
        """End it as a crash would."""
        self.engine.is_down = True
        self._end(reason)

    def _end(self, reason: str) -> None:
        if not self._ended.done():
            self._ended.set_result(reason)


@dataclass(slots=True)
class ScriptedLauncher:
    """Starts scripted engines. `failures` are raised, one a launch, before it works; `load_s` is how long it takes."""

    sleep: Sleep = asyncio.sleep
    load_s: float = 0.0
    failures: deque[ApiError] = field(default_factory=deque)
    launched: list[RunningScript] = field(default_factory=list)
    specs: list[EngineSpec] = field(default_factory=list)

    async def launch(self, spec: EngineSpec, on_progress: Callable[[LoadProgress], None]) -> RunningScript:
        """See `Launcher.launch`."""
        self.specs.append(spec)
        on_progress(LoadProgress(0.5, "learning the script"))
        if self.load_s == FOREVER:
            await asyncio.Event().wait()
        if self.load_s:
            await self.sleep(self.load_s)
        if self.failures:
            raise self.failures.popleft()
        running = RunningScript(ScriptedEngine(context_length=spec.model.context_length))
        self.launched.append(running)
        on_progress(LoadProgress(1.0, "ready"))
        return running
