"""The whole story of a request, top to bottom."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from openfm.core.chat import Event, GenerationRequest
from openfm.core.embedding import EmbeddingRequest, EmbeddingResult
from openfm.core.endpoint import ServedEntity, ServingEndpoint, pick_route
from openfm.core.errors import (
    ApiError,
    BudgetExceeded,
    EngineUnreachable,
    EntityWithdrawn,
    NotFound,
    NotImplementedHere,
    ProvisionUsedUp,
    RateLimited,
    WrongTask,
)
from openfm.core.job import GenerationJob, ServiceTier
from openfm.core.model import Task
from openfm.core.principal import Principal
from openfm.core.spending import Spending
from openfm.core.usage import Demand, TokenCounts
from openfm.engines.base import Engine
from openfm.gateway.admission import Admission, Seats, Ticket
from openfm.gateway.bill import Bill
from openfm.gateway.fan_out import fan_out
from openfm.gateway.guards import Guards
from openfm.gateway.ports import Allowance, Directory, Hold, Replica, Roster
from openfm.gateway.prompts import capped, demand_of, fitted, most_embedding_tokens, prepared
from openfm.gateway.provision import Asker, Share
from openfm.gateway.routing import pick_replica, prefix_of

_ANSWERS: dict[Task, frozenset[Task]] = {
    Task.CHAT: frozenset({Task.CHAT, Task.COMPLETIONS}),
    Task.COMPLETIONS: frozenset({Task.COMPLETIONS}),
    Task.EMBEDDINGS: frozenset({Task.EMBEDDINGS}),
}
_TOO_MANY_REQUESTS = 429
_MOST_WITHDRAWALS = 10
_MOST_MISSES = 3
_MISS_PAUSE_S = 0.1
_STOP_DEADLINE_S = 2.0


@dataclass(slots=True)
class Invocation:
    """A request on its way to a served entity, what it used, and what it took of its limits and budgets.

    Until the first event `entity` may change: an update withdraws it, or it fails and the endpoint has a fallback.
    `is_pinned`: the caller named the entity, so no other may answer. `raw` is the body as it came. `share` is what it
    took of provisioned throughput, whose `utilisation` it met; what passed beyond it was `spilled_to` another endpoint,
    and is that one's from then on.
    """

    caller: Principal
    endpoint: ServingEndpoint
    entity: ServedEntity
    bill: Bill
    is_pinned: bool = False
    raw: bytes = b""
    replica_id: str = ""
    allowance: Allowance | None = None
    hold: Hold | None = None
    share: Share | None = None
    utilisation: float | None = None
    spilled_to: str | None = None
    _tried: set[str] = field(default_factory=set)
    _withdrawals: int = 0
    _misses: int = 0

    @property
    def spending(self) -> Spending:
        """It as those who watch the money see it."""
        bill = self.bill
        return Spending(bill.request_id, self.caller, self.endpoint, bill.tags_of(self.endpoint), bill.received_us)

    @property
    def may_answer(self) -> Sequence[ServedEntity]:
        """Who may answer, as things stand."""
        has_fallback = self.endpoint.details.has_fallback and not self.is_pinned
        return self.endpoint.active.served_entities if has_fallback else (self.entity,)

    async def settle(self) -> None:
        """Give back what was not used, once the bill is closed."""
        if self.share is not None:
            self.share.settle(self.bill.meter.worked)
        try:
            if self.hold is not None:
                billed = self.bill.meter.delivered if self.bill.is_charged else TokenCounts()
                await self.hold.settle(self.entity, billed)
        finally:
            if self.allowance is not None:
                await self.allowance.settle(self.bill.meter.worked)

    def open_bill(self, reserved: Demand) -> None:
        """It goes to an engine now, which may use so much. Raises `LedgerUnavailable`."""
        self.bill.open(self.caller, self.endpoint, self.entity, reserved)

    async def move_on(self, error: ApiError, repick: Callable[["Invocation"], None]) -> None:
        """Choose who answers instead, after `error`. Raises it when nobody does."""
        if isinstance(error, EntityWithdrawn) and self._withdrawals < _MOST_WITHDRAWALS:
            self._withdrawals += 1
            repick(self)
            return
        if isinstance(error, EngineUnreachable) and self._misses < _MOST_MISSES:
            self._misses += 1
            await asyncio.sleep(_MISS_PAUSE_S)  # by then the fleet knows too that it is gone, and `ready` waits
            return
        self._tried.add(self.entity.name)
        is_fallback = self.endpoint.details.has_fallback and not self.is_pinned
        if not is_fallback or (error.status < 500 and error.status != _TOO_MANY_REQUESTS):
            raise error
        for entity in self.endpoint.active.served_entities:
            if entity.name not in self._tried:
                self.entity = entity
                return
        raise error


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a request asks of an engine: tokens at most, a replica that has its beginning, and its tier."""

    demand: Demand
    prefix: bytes | None = None
    tier: ServiceTier = ServiceTier.DEFAULT


class Gateway:
    """Takes requests to engines. `draw` gives numbers from 0 up to 100 for the traffic split."""

    def __init__(
        self,
        directory: Directory,
        roster: Roster,
        admission: Admission,
        guards: Guards,
        draw: Callable[[], float],
    ) -> None:
        self.directory = directory
        self.roster = roster
        self.admission = admission
        self.guards = guards
        self._draw = draw

    def endpoint(self, caller: Principal, name: str) -> ServingEndpoint:
        """The endpoint, if the caller may query it. Raises `EndpointNotFound`, `PermissionDenied`."""
        return self.directory.queryable(name, caller)

    def invocation(
        self, caller: Principal, endpoint: ServingEndpoint, task: Task, bill: Bill, served_entity: str | None = None
    ) -> Invocation:
        """Where the request goes: the entity that the caller named, else the one that the traffic split gives it.

        Raises `WrongTask`, `NotFound`, and what `ServingEndpoint.active` does.
        """
        if task not in _ANSWERS[endpoint.task]:
            raise WrongTask(
                f"The endpoint '{endpoint.name}' serves {endpoint.task}, which cannot answer {task}. "
                "Choose another endpoint, or the request fields of its task.",
                param="model",
            )
        entity = self._split(endpoint) if served_entity is None else _named(endpoint, served_entity)
        return Invocation(caller, endpoint, entity, bill, is_pinned=served_entity is not None)

    async def generate(self, invocation: Invocation, job: GenerationJob) -> AsyncGenerator[tuple[int, Event], None]:
        """Yield (sequence, event) until every sequence has finished."""
        has_begun = False
        demand = demand_of(job, invocation.entity.model)
        self._enter(invocation, demand, self._spill)
        try:
            await self._reserve(invocation, demand)
        except (RateLimited, BudgetExceeded) as error:
            if not error.may_fit:
                raise
            demand = await self._counted(invocation, job, demand)
            await self._reserve(invocation, demand)
        while True:
            try:
                self._enter(invocation, demand)
                wish = _Wish(demand, prefix_of(job.requests[0]), job.tier)
                async with self._engine(invocation, wish) as (engine, slots, ticket):
                    requests = await self._requests(invocation, job, engine)
                    invocation.open_bill(demand)
                    events = fan_out([engine.generate(request) for request in requests], slots)
                    is_whole = False
                    try:
                        async for index, event in events:
                            has_begun = True
                            invocation.bill.meter.count(index, event)
                            ticket.charge(invocation.bill.meter.generated)
                            yield index, event
                        is_whole = True
                    finally:
                        await events.aclose()
                        if not is_whole:
                            invocation.bill.meter.overrun += await _untold(engine)
                            if has_begun:
                                ticket.charge(invocation.bill.meter.worked)
            except ApiError as error:
                if has_begun:
                    raise
                await invocation.move_on(error, self._repick)
                await self._cover(invocation, demand)
            else:
                return

    async def embed(self, invocation: Invocation, request: EmbeddingRequest) -> EmbeddingResult:
        """One vector an input."""
        demand = Demand(most_embedding_tokens(request, invocation.entity.model), 0)
        self._enter(invocation, demand, self._spill)
        await self._reserve(invocation, demand)
        while True:
            try:
                self._enter(invocation, demand)
                async with self._engine(invocation, _Wish(demand)) as (engine, _, ticket):
                    invocation.open_bill(demand)
                    result = await engine.embed(request)
                    ticket.charge(TokenCounts(prompt=result.prompt_tokens))
            except ApiError as error:
                await invocation.move_on(error, self._repick)
                await self._cover(invocation, demand)
            else:
                invocation.bill.meter.count_prompt(result.prompt_tokens)
                return result

    def _enter(
        self, invocation: Invocation, demand: Demand, otherwise: Callable[[Invocation], bool] | None = None
    ) -> None:
        """Take what its entity's provisioned throughput has for it, once for each entity that it comes to.

        Raises `RateLimited` where that is used up, and nobody answers `otherwise`.
        """
        entity, share = invocation.entity, invocation.share
        if share is not None:
            if share.deployment_id == entity.deployment_id:
                return
            share.settle(TokenCounts())
            invocation.share = None
        asker = Asker(demand, invocation.caller.id, invocation.raw)
        provisions, key = self.admission.provisions, entity.deployment_id
        try:
            share = provisions.enter(invocation.endpoint, entity, asker, lambda: self.admission.is_idle(key))
        except ProvisionUsedUp as error:
            invocation.utilisation = error.utilisation
            if otherwise is None or not otherwise(invocation):
                raise
            return
        if share is not None:
            invocation.share, invocation.utilisation = share, share.utilisation

    def _spill(self, invocation: Invocation) -> bool:
        """Hand it to the pay-per-token endpoint that its own endpoint names, if the caller may query that one."""
        name = invocation.endpoint.details.spillover_endpoint
        if name is None or invocation.is_pinned:
            return False
        try:
            endpoint = self.directory.queryable(name, invocation.caller)
            entity = self._split(endpoint)
        except ApiError:  # it was deleted, stopped, or is not the caller's: then this is no way out
            return False
        if entity.settings.is_provisioned or endpoint.task is not invocation.endpoint.task:
            return False
        invocation.endpoint, invocation.entity, invocation.spilled_to = endpoint, entity, endpoint.name
        return True

    async def _reserve(self, invocation: Invocation, demand: Demand) -> None:
        taken = await self.guards.admit(invocation.spending, invocation.may_answer, demand)
        invocation.allowance, invocation.hold = taken.allowance, taken.hold

    async def _cover(self, invocation: Invocation, demand: Demand) -> None:
        """Another entity answers now: it may cost more. Raises `BudgetExceeded`."""
        hold = await self.guards.budgets.hold(invocation.spending, invocation.may_answer, demand)
        invocation.hold = hold or invocation.hold

    async def _counted(self, invocation: Invocation, job: GenerationJob, bound: Demand) -> Demand:
        """The demand with the prompts' tokens as the engine counts them: bytes are a bound four times too high."""
        requests = [prepared(request, invocation.entity.model, job.prompt_form) for request in job.requests]
        replica = pick_replica(await self.roster.ready(invocation.entity), None)
        with replica.hold() as engine:
            try:
                prompts = [len(await engine.tokenize(one)) for one in requests[:: job.answers_per_prompt]]
            except NotImplementedHere:
                return replace(bound, least_prompt=None)
        return replace(bound, prompt=min(bound.prompt, sum(prompts)), least_prompt=None)

    async def _requests(self, invocation: Invocation, job: GenerationJob, engine: Engine) -> list[GenerationRequest]:
        """What the engine is asked: as the model wants it, with room for the answer, within the allowance."""
        model, allowance = invocation.entity.model, invocation.allowance
        requests = [prepared(request, model, job.prompt_form) for request in job.requests]
        if allowance is not None and allowance.most_completion_tokens is not None:
            share = max(1, allowance.most_completion_tokens // len(requests))
            requests = [capped(request, share) for request in requests]
        return [await fitted(request, model, engine, job.overlong_prompt) for request in requests]

    @asynccontextmanager
    async def _engine(self, invocation: Invocation, wish: _Wish) -> AsyncIterator[tuple[Engine, int, Ticket]]:
        """An engine of the invocation's entity, held, how many sequences it runs at once, and whom to charge."""
        entity, caller = invocation.entity, invocation.caller.id
        ready = await self.roster.ready(entity)
        if entity.settings.is_provisioned:
            self.admission.provisions.note_replicas(entity, len(ready))
        admitted = self.admission.admit(
            entity.deployment_id, _seats(entity, ready), caller, wish.demand.prompt, wish.tier
        )
        async with admitted as ticket:
            invocation.bill.meter.queue_s += ticket.waited_s
            replica = pick_replica(await self.roster.ready(entity), wish.prefix)
            invocation.replica_id = replica.id
            with replica.hold() as engine:
                yield engine, replica.slots, ticket

    def _split(self, endpoint: ServingEndpoint) -> ServedEntity:
        config = endpoint.active
        return config.entity(pick_route(config.routes, self._draw()).served_entity_name)

    def _repick(self, invocation: Invocation) -> None:
        """An update came: the endpoint as it is now decides."""
        endpoint = self.directory.queryable(invocation.endpoint.name, invocation.caller)
        is_pinned = invocation.is_pinned
        invocation.entity = _named(endpoint, invocation.entity.name) if is_pinned else self._split(endpoint)
        invocation.endpoint = endpoint


def _seats(entity: ServedEntity, ready: Sequence[Replica]) -> Seats:
    hardware = frozenset[str]().union(*(replica.hardware for replica in ready))
    return Seats(sum(replica.slots for replica in ready), hardware, entity.settings.is_provisioned)


async def _untold(engine: Engine) -> int:
    """What the engine had begun when its stream was closed; the place is taken until it stops."""
    try:
        async with asyncio.timeout(_STOP_DEADLINE_S):
            return await engine.untold()
    except (ApiError, TimeoutError):  # it is gone, or hangs: whoever watches over it will see
        return 0


def _named(endpoint: ServingEndpoint, name: str) -> ServedEntity:
    try:
        return endpoint.active.entity(name)
    except KeyError:
        names = ", ".join(entity.name for entity in endpoint.active.served_entities)
        raise NotFound(f"The endpoint '{endpoint.name}' has no served entity '{name}'. It has: {names}.") from None
