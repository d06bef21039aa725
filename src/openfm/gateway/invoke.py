"""The whole story of a request, top to bottom."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from openfm.core.chat import Event
from openfm.core.embedding import EmbeddingRequest, EmbeddingResult
from openfm.core.endpoint import ServedEntity, ServingEndpoint, pick_route
from openfm.core.errors import WrongTask
from openfm.core.job import GenerationJob
from openfm.core.model import Task
from openfm.core.principal import Principal
from openfm.gateway.admission import Admission
from openfm.gateway.fan_out import fan_out
from openfm.gateway.meter import Meter
from openfm.gateway.ports import Directory, Replica, Roster
from openfm.gateway.prompts import fitted, prepared
from openfm.gateway.routing import pick_replica

_ANSWERS: dict[Task, frozenset[Task]] = {
    Task.CHAT: frozenset({Task.CHAT, Task.COMPLETIONS}),
    Task.COMPLETIONS: frozenset({Task.COMPLETIONS}),
    Task.EMBEDDINGS: frozenset({Task.EMBEDDINGS}),
}


@dataclass(frozen=True, slots=True)
class Invocation:
    """A request whose endpoint and served entity are known; `meter` counts it."""

    endpoint: ServingEndpoint
    entity: ServedEntity
    meter: Meter


class Gateway:
    """Takes requests to engines. `draw` gives numbers from 0 up to 100 for the traffic split."""

    def __init__(self, directory: Directory, roster: Roster, admission: Admission, draw: Callable[[], float]) -> None:
        self.directory = directory
        self.roster = roster
        self.admission = admission
        self._draw = draw
        self._outstanding: dict[str, int] = {}

    def endpoint(self, caller: Principal, name: str) -> ServingEndpoint:
        """The endpoint, if the caller may query it. Raises `EndpointNotFound`, `PermissionDenied`."""
        return self.directory.queryable(name, caller)

    def invocation(self, endpoint: ServingEndpoint, task: Task, meter: Meter) -> Invocation:
        """The served entity that the traffic split gives this request. Raises `WrongTask`."""
        if task not in _ANSWERS[endpoint.task]:
            raise WrongTask(
                f"The endpoint '{endpoint.name}' serves {endpoint.task}, which cannot answer {task}. "
                "Choose another endpoint, or the request fields of its task.",
                param="model",
            )
        route = pick_route(endpoint.config.routes, self._draw())
        return Invocation(endpoint, endpoint.config.entity(route.served_entity_name), meter)

    async def generate(self, invocation: Invocation, job: GenerationJob) -> AsyncGenerator[tuple[int, Event], None]:
        """Yield (sequence, event) until every sequence has finished."""
        model, meter = invocation.entity.model, invocation.meter
        async with self._replica(invocation) as replica:
            requests = [prepared(request, model, job.prompt_form) for request in job.requests]
            requests = [await fitted(r, model, replica.engine, job.overlong_prompt) for r in requests]
            streams = [replica.engine.generate(request) for request in requests]
            events = fan_out(streams, replica.slots)
            try:
                async for index, event in events:
                    meter.count(index, event)
                    yield index, event
            finally:
                await events.aclose()

    async def embed(self, invocation: Invocation, request: EmbeddingRequest) -> EmbeddingResult:
        """One vector an input."""
        async with self._replica(invocation) as replica:
            result = await replica.engine.embed(request)
            invocation.meter.count_prompt(result.prompt_tokens)
            return result

    @asynccontextmanager
    async def _replica(self, invocation: Invocation) -> AsyncIterator[Replica]:
        entity = invocation.entity
        places = sum(replica.slots for replica in self.roster.ready(entity))
        async with self.admission.admit((entity.entity_name, entity.entity_version), places) as waited_s:
            invocation.meter.queue_s = waited_s
            replica = pick_replica(self.roster.ready(entity), self._outstanding)
            self._outstanding[replica.id] = self._outstanding.get(replica.id, 0) + 1
            try:
                yield replica
            finally:
                self._outstanding[replica.id] -= 1
