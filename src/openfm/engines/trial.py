"""The question that a loaded model must answer before it takes traffic: a process that listens proves little."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from openfm.core.chat import ChatRequest, CompletionRequest, GenerationRequest, Message, Role, SamplingParams
from openfm.core.embedding import EmbeddingRequest
from openfm.core.errors import EngineFailed
from openfm.core.model import ModelProfile, Task
from openfm.engines.base import Engine, EngineSpec, Launcher, LoadProgress, RunningEngine

_TEXT = "Hello"
_TIMEOUT_S = 120.0


class TriedLauncher:
    """A launcher whose engines have answered a trial request within `timeout_s` seconds."""

    def __init__(self, launcher: Launcher, timeout_s: float = _TIMEOUT_S) -> None:
        self._launcher = launcher
        self._timeout_s = timeout_s

    async def launch(self, spec: EngineSpec, on_progress: Callable[[LoadProgress], None]) -> RunningEngine:
        """See `Launcher.launch`. Raises `EngineFailed` too when there is no answer."""
        running = await self._launcher.launch(spec, on_progress)
        try:
            async with asyncio.timeout(self._timeout_s):
                await _ask(running.engine, spec.model)
        except TimeoutError:
            await running.stop(0)
            raise EngineFailed(
                f"The model was loaded but did not answer a trial request within {self._timeout_s:.0f} s."
            ) from None
        except BaseException:
            await running.stop(0)
            raise
        return running


async def _ask(engine: Engine, model: ModelProfile) -> None:
    if model.task is Task.EMBEDDINGS:
        await engine.embed(EmbeddingRequest((_TEXT,)))
        return
    async with aclosing(engine.generate(_question(model))) as events:
        async for _ in events:
            pass


def _question(model: ModelProfile) -> GenerationRequest:
    sampling = SamplingParams(max_tokens=1, temperature=0.0)
    if model.task is Task.COMPLETIONS:
        return CompletionRequest(_TEXT, sampling)
    return ChatRequest((Message(Role.USER, _TEXT),), sampling)
