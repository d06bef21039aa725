"""Sends planned requests to an engine itself: no gateway, no HTTP of ours in between."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

from openfm.core.chat import (
    ChatRequest,
    CompletionRequest,
    Delta,
    Finished,
    GenerationRequest,
    Message,
    Role,
    SamplingParams,
)
from openfm.core.embedding import EmbeddingRequest
from openfm.core.errors import ApiError
from openfm.core.model import Task
from openfm.engines.base import Engine
from openfm.load.outcome import Outcome
from openfm.load.runner import Planned

_STUCK_S = 600.0
"""Of one request of a few hundred tokens: the slowest processor has answered it long before."""


@dataclass(frozen=True, slots=True)
class EngineSender:
    """Fulfils `load.runner.Send` for one engine. `clock` gives seconds."""

    engine: Engine
    task: Task
    clock: Callable[[], float]

    async def send(self, request: Planned, due_s: float) -> Outcome:
        """The request's outcome; an error of the engine is one, named by its class, and so is one that is stuck."""
        begun = Outcome(due_s, self.clock(), due_s)
        try:
            async with asyncio.timeout(_STUCK_S):
                return await (
                    self._embed(request, begun) if self.task is Task.EMBEDDINGS else self._generate(request, begun)
                )
        except TimeoutError:
            stuck = f"no whole answer came in {_STUCK_S:.0f} s. See the engine's log, and calibrate again"
            return replace(begun, ended_s=self.clock(), error=stuck)
        except ApiError as error:
            return replace(begun, ended_s=self.clock(), error=f"{type(error).__name__}: {error.message}")

    async def _embed(self, request: Planned, begun: Outcome) -> Outcome:
        result = await self.engine.embed(EmbeddingRequest((request.prompt,)))
        return replace(begun, ended_s=self.clock(), prompt_tokens=result.prompt_tokens)

    async def _generate(self, request: Planned, begun: Outcome) -> Outcome:
        first_s: float | None = None
        async with aclosing(self.engine.generate(_asked(self.task, request))) as events:
            async for event in events:
                if isinstance(event, Delta) and first_s is None:
                    first_s = self.clock()
                elif isinstance(event, Finished):
                    begun = replace(
                        begun,
                        prompt_tokens=event.counts.prompt,
                        cached_tokens=event.counts.cached,
                        completion_tokens=event.counts.completion,
                    )
        ended_s = self.clock()
        return replace(begun, ended_s=ended_s, first_s=ended_s if first_s is None else first_s)


def _asked(task: Task, request: Planned) -> GenerationRequest:
    """Answers exactly as long as planned: what a model would say of random words is of no interest."""
    sampling = SamplingParams(max_tokens=request.output_tokens, temperature=0.0, ignore_eos=True)
    if task is Task.COMPLETIONS:
        return CompletionRequest(request.prompt, sampling)
    return ChatRequest((Message(Role.USER, request.prompt),), sampling)
