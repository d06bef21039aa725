"""Time that passes only by waiting, and an engine that costs exactly what it is told to."""

import asyncio
import selectors
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from openfm.core.chat import ChatRequest, Delta, Event, Finished, FinishReason, GenerationRequest
from openfm.core.embedding import EmbeddingRequest, EmbeddingResult
from openfm.core.errors import EngineFailed
from openfm.core.usage import TokenCounts
from openfm.engines.scripted import ScriptedEngine

T = TypeVar("T")


class _Selector(selectors.SelectSelector):
    """Waits by moving the loop's clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout:
            self.now += timeout
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose hours take milliseconds."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


def run(work: Callable[[], Awaitable[T]]) -> T:
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(_awaited(work))
    finally:
        loop.close()


async def _awaited(work: Callable[[], Awaitable[T]]) -> T:
    return await work()


@dataclass
class LinearEngine(ScriptedEngine):
    """One processor that all requests share, in turn; a token costs so many seconds. Words are tokens.

    What a prompt has in common with an earlier one from its beginning is cached.
    """

    prompt_s: float = 0.004
    cached_s: float = 0.0004
    completion_s: float = 0.01
    fails_after: int | None = None
    sticks_after: int | None = None
    answered: int = 0
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _seen: list[list[str]] = field(default_factory=list)

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        assert isinstance(request, ChatRequest)
        assert request.sampling.ignore_eos
        words = (request.messages[-1].content or "").split()
        cached = max((_common(words, old) for old in self._seen), default=0)
        await self._work(self.prompt_s * (len(words) - cached) + self.cached_s * cached)
        self._seen = [words, *self._seen][:8]
        wanted = request.sampling.max_tokens or 1
        for number in range(1, wanted + 1):
            await self._work(self.completion_s)
            yield Delta(TokenCounts(len(words), number, cached), "word ")
        yield Finished(FinishReason.LENGTH, TokenCounts(len(words), wanted, cached))

    async def embed(self, request: EmbeddingRequest) -> EmbeddingResult:
        words = str(request.inputs[0]).split()
        await self._work(self.prompt_s * len(words))
        return EmbeddingResult((b"\0" * 32,), 8, len(words))

    async def _work(self, seconds: float) -> None:
        self.answered += 1
        if self.fails_after is not None and self.answered > self.fails_after:
            raise EngineFailed("It fell over.")
        if self.sticks_after is not None and self.answered > self.sticks_after:
            await asyncio.Event().wait()
        async with self._turn:
            await asyncio.sleep(seconds)


def _common(one: list[str], other: list[str]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, pair in pairs if pair[0] != pair[1]), min(len(one), len(other)))
