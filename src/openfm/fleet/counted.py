"""An engine that knows how many requests are under way, so that a replica can be drained."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from openfm.core.chat import Event, GenerationRequest
from openfm.core.embedding import EmbeddingRequest, EmbeddingResult
from openfm.engines.base import Engine, EngineStats


class CountedEngine:
    """Passes everything on, and counts generations and embeddings until they end."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._idle = asyncio.Event()
        self._idle.set()
        self.ongoing = 0

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        """See `Engine.generate`."""
        self._begin()
        try:
            async with aclosing(self._engine.generate(request)) as events:
                async for event in events:
                    yield event
        finally:
            self._end()

    async def embed(self, request: EmbeddingRequest) -> EmbeddingResult:
        """See `Engine.embed`."""
        self._begin()
        try:
            return await self._engine.embed(request)
        finally:
            self._end()

    async def tokenize(self, request: GenerationRequest) -> tuple[int, ...]:
        """See `Engine.tokenize`."""
        return await self._engine.tokenize(request)

    async def health(self) -> None:
        """See `Engine.health`."""
        await self._engine.health()

    async def stats(self) -> EngineStats:
        """See `Engine.stats`."""
        return await self._engine.stats()

    async def aclose(self) -> None:
        """See `Engine.aclose`."""
        await self._engine.aclose()

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        await self._idle.wait()

    def _begin(self) -> None:
        self.ongoing += 1
        self._idle.clear()

    def _end(self) -> None:
        self.ongoing -= 1
        if not self.ongoing:
            self._idle.set()
