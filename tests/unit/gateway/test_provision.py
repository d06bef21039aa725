"""Provisioned throughput at the door, told with the engine that ships and a clock that is told the time."""

from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import dataclass, field, replace

import pytest

from openfm.core.chat import ChatRequest, Message, Role, SamplingParams
from openfm.core.embedding import EmbeddingRequest
from openfm.core.endpoint import (
    SPILLOVER_TAG,
    EndpointConfig,
    EndpointDetails,
    EndpointType,
    EntitySettings,
    Route,
    ServedEntity,
    ServingEndpoint,
)
from openfm.core.errors import EndpointNotFound, ProvisionUsedUp, RateLimited
from openfm.core.job import GenerationJob
from openfm.core.model import ModelProfile, Task
from openfm.core.principal import Principal
from openfm.core.usage import Demand
from openfm.engines.scripted import FOREVER, ScriptedEngine
from openfm.gateway.admission import Admission, QueueLimits
from openfm.gateway.bill import Bill
from openfm.gateway.guards import Guards
from openfm.gateway.invoke import Gateway, Invocation
from openfm.gateway.meter import Meter
from openfm.gateway.provision import Asker, Provisions
from openfm.scheduling.work import CostWeights, Promise
from tests.unit.gateway.fakes import ANN, FakeLedger, FakeLimiter, FakeReplica, FakeRoster

MODEL = ModelProfile("m", "m-010126", "M", "", "", Task.CHAT, context_length=1000)
NO_BURST = EntitySettings(max_provisioned_throughput=10, burst_scaling_enabled=False)
BURST = replace(NO_BURST, burst_scaling_enabled=None)
PER_TOKEN = EntitySettings()


def endpoint(name: str, settings: EntitySettings, spillover: str | None = None) -> ServingEndpoint:
    config = EndpointConfig(
        1, (ServedEntity(f"{name}-e", "system.ai.m", "1", MODEL, f"{name}-d", settings),), (Route(f"{name}-e", 100),)
    )
    tags = {} if spillover is None else {SPILLOVER_TAG: spillover}
    return ServingEndpoint(
        name, name, Task.CHAT, EndpointType.CUSTOM_MODEL, "ann", 0, 0, config, details=EndpointDetails(tags=tags)
    )


class Book:
    """A completion token is one of work, prompts are free; as much a second as the settings say."""

    replicas = 1

    def promise(self, entity: ServedEntity) -> Promise | None:
        rate = entity.settings.max_provisioned_throughput
        return None if rate is None else Promise(CostWeights(0, 0, 1), rate, self.replicas, chunk=5)


@dataclass
class Directory:
    endpoints: dict[str, ServingEndpoint]

    def queryable(self, name: str, caller: Principal) -> ServingEndpoint:
        del caller
        if name not in self.endpoints:
            raise EndpointNotFound(name)
        return self.endpoints[name]

    def visible(self, caller: Principal) -> list[ServingEndpoint]:
        del caller
        return list(self.endpoints.values())


@dataclass
class Scene:
    """A gateway before one engine of four places; 10 of work a second, 50 of burst."""

    endpoints: list[ServingEndpoint]
    engine: ScriptedEngine = field(default_factory=ScriptedEngine)
    book: Book = field(default_factory=Book)
    limiter: FakeLimiter = field(default_factory=FakeLimiter)
    ledger: FakeLedger = field(default_factory=FakeLedger)
    now: float = 0.0

    def __post_init__(self) -> None:
        self.provisions = Provisions(self.book, lambda: self.now)
        self.roster = FakeRoster([FakeReplica(self.engine, slots=4)])
        admission = Admission(QueueLimits(), lambda: self.now, provisions=self.provisions)
        directory = Directory({one.name: one for one in self.endpoints})
        self.gateway = Gateway(directory, self.roster, admission, Guards(self.limiter), lambda: 0.0)

    def call(self, body: bytes = b"", served_entity: str | None = None) -> Invocation:
        bill = Bill("request", Meter(lambda: self.now), self.ledger)
        first = self.gateway.endpoint(ANN, self.endpoints[0].name)
        called = self.gateway.invocation(ANN, first, Task.CHAT, bill, served_entity)
        called.raw = body
        return called

    async def ask(self, called: Invocation, max_tokens: int | None = 50) -> None:
        """Ask and take the answer to its end, and leave as the exchange does."""
        job = chat(max_tokens)
        try:
            async with aclosing(self.gateway.generate(called, job)) as events:
                async for _ in events:
                    pass
        finally:
            await called.settle()


def chat(max_tokens: int | None) -> GenerationJob:
    sampling = SamplingParams(max_tokens=max_tokens)
    return GenerationJob(Task.CHAT, (ChatRequest((Message(Role.USER, "hello"),), sampling),))


async def refused(scene: Scene, body: bytes) -> ProvisionUsedUp:
    with pytest.raises(ProvisionUsedUp) as raised:
        await scene.ask(scene.call(body))
    return raised.value


async def fill(scene: Scene) -> None:
    """Twice its burst."""
    scene.engine.will_say(*["word"] * 50)
    await scene.ask(scene.call(b"first"))
    scene.engine.will_say(*["word"] * 50)
    scene.now += 1e-6
    await scene.ask(scene.call(b"second"))


async def test_above_the_provisioned_rate_it_is_429_and_the_time_said_is_kept() -> None:
    scene = Scene([endpoint("pt", NO_BURST)])
    await fill(scene)
    error = await refused(scene, b"third")
    assert error.status == 429
    assert error.retry_after_s == pytest.approx(5.0, abs=0.001)
    assert error.utilisation == pytest.approx(2.0, abs=0.001)
    assert isinstance(error, RateLimited)
    scene.now += error.retry_after_s or 0.0
    await scene.ask(scene.call(b"third"))


async def test_who_comes_between_waits_behind_whom_a_time_was_told() -> None:
    scene = Scene([endpoint("pt", NO_BURST)])
    await fill(scene)
    error = await refused(scene, b"third")
    scene.now += (error.retry_after_s or 0.0) + 0.5
    later = await refused(scene, b"pushing")
    assert later.retry_after_s == pytest.approx(4.5, abs=0.001)
    await scene.ask(scene.call(b"third"))


async def test_what_was_not_used_is_given_back() -> None:
    scene = Scene([endpoint("pt", NO_BURST)])
    for _ in range(10):
        scene.engine.will_say("short")
        await scene.ask(scene.call(), max_tokens=500)
    assert scene.provisions.utilisations() == {("pt", "pt-e"): pytest.approx(0.2)}


async def test_a_hang_up_gives_back_what_was_not_generated() -> None:
    scene = Scene([endpoint("pt", NO_BURST)])
    scene.engine.will_say("one", "two", gap_s=FOREVER)
    called = scene.call()
    async with aclosing(scene.gateway.generate(called, chat(500))) as events:
        await anext(events)
        assert scene.provisions.utilisations() == {("pt", "pt-e"): 10.0}
    await called.settle()
    await called.settle()
    assert scene.provisions.utilisations() == {("pt", "pt-e"): pytest.approx(called.bill.meter.worked.completion / 50)}


async def test_who_is_refused_by_a_limit_used_nothing() -> None:
    scene = Scene([endpoint("pt", NO_BURST)])
    scene.limiter.error = RateLimited("Too fast.", retry_after_s=1.0)
    with pytest.raises(RateLimited):
        await scene.ask(scene.call())
    assert scene.provisions.utilisations() == {("pt", "pt-e"): 0.0}


async def test_a_refusal_asks_neither_limits_nor_engine_nor_ledger() -> None:
    scene = Scene([endpoint("pt", NO_BURST)])
    await fill(scene)
    before = (len(scene.limiter.demands), len(scene.engine.requests), len(scene.ledger.written))
    await refused(scene, b"third")
    assert (len(scene.limiter.demands), len(scene.engine.requests), len(scene.ledger.written)) == before


async def test_bursts_go_in_beside_it_while_the_replicas_are_idle() -> None:
    scene = Scene([endpoint("pt", BURST)])
    await fill(scene)
    called = scene.call(b"third")
    await scene.ask(called)
    assert called.share is not None
    assert called.share.is_burst
    assert scene.provisions.utilisations() == {("pt", "pt-e"): pytest.approx(2.0, abs=0.001)}
    async with AsyncExitStack() as busy:
        for number in range(3):
            scene.engine.will_say("one", "two", gap_s=FOREVER)
            answer = scene.gateway.generate(scene.call(b"%d" % number), chat(5))
            await anext(await busy.enter_async_context(aclosing(answer)))
        error = await refused(scene, b"fourth")
    assert "replicas are busy" in error.message


async def test_what_is_above_it_spills_over_to_the_endpoint_that_the_tag_names_and_is_billed_there() -> None:
    scene = Scene([endpoint("pt", NO_BURST, "shared"), endpoint("shared", PER_TOKEN)])
    await fill(scene)
    called = scene.call(b"third")
    await scene.ask(called)
    assert (called.spilled_to, called.endpoint.name, called.entity.name) == ("shared", "shared", "shared-e")
    assert called.utilisation == pytest.approx(2.0, abs=0.001)
    assert scene.ledger.written[-1] is not None
    assert [getattr(entry, "endpoint_name", "") for entry in scene.ledger.written] == ["pt", "pt", "shared"]


@pytest.mark.parametrize(
    "other",
    [
        endpoint("gone", PER_TOKEN),
        endpoint("shared", NO_BURST),
        replace(endpoint("shared", PER_TOKEN), task=Task.EMBEDDINGS),
        replace(endpoint("shared", PER_TOKEN), is_stopped=True),
    ],
)
async def test_where_nobody_takes_the_spill_it_is_429(other: ServingEndpoint) -> None:
    scene = Scene([endpoint("pt", NO_BURST, "shared"), other])
    await fill(scene)
    await refused(scene, b"third")


async def test_a_request_for_a_named_entity_does_not_spill() -> None:
    scene = Scene([endpoint("pt", NO_BURST, "shared"), endpoint("shared", PER_TOKEN)])
    await fill(scene)
    with pytest.raises(ProvisionUsedUp):
        await scene.ask(scene.call(b"third", served_entity="pt-e"))


async def test_fewer_replicas_than_promised_make_good_their_part() -> None:
    scene = Scene([endpoint("pt", NO_BURST)])
    scene.book.replicas = 2
    scene.engine.will_say(*["word"] * 50)
    await scene.ask(scene.call(b"first"))
    error = await refused(scene, b"second")
    assert error.retry_after_s == pytest.approx(5.0, abs=0.001), "50 of work, 25 of burst, 5 a second"


async def test_pay_per_token_knows_no_utilisation() -> None:
    scene = Scene([endpoint("shared", PER_TOKEN)])
    called = scene.call()
    await scene.ask(called)
    assert (called.share, called.utilisation, scene.provisions.utilisations()) == (None, None, {})


async def test_an_update_of_the_rate_counts_from_the_next_request_on() -> None:
    scene = Scene([endpoint("pt", NO_BURST)])
    await fill(scene)
    faster = endpoint("pt", replace(NO_BURST, max_provisioned_throughput=100))
    scene.gateway.directory = Directory({"pt": faster})
    await scene.ask(scene.call(b"third"))


async def test_embeddings_are_provisioned_too() -> None:
    scene = Scene([endpoint("pt", NO_BURST)])
    one = scene.endpoints[0]
    called = Invocation(ANN, one, one.active.served_entities[0], Bill("r", Meter(lambda: 0.0), FakeLedger()))
    await scene.gateway.embed(called, EmbeddingRequest(("hello",)))
    assert called.share is not None


async def test_what_is_asked_lately_says_how_much_is_wanted_also_of_what_was_refused() -> None:
    scene = Scene([endpoint("pt", NO_BURST)])
    for number in range(600):
        scene.now += 1.0
        with_answer = scene.call(b"%d" % number)
        try:
            scene.provisions.enter(with_answer.endpoint, with_answer.entity, _asker(18, b"%d" % number), lambda: False)
        except ProvisionUsedUp:
            continue
    assert scene.provisions.asked_per_s("pt-d") == pytest.approx(18, rel=0.1)
    assert scene.provisions.asked_per_s("unknown") == 0


async def test_a_storm_of_early_retries_is_not_believed_for_long() -> None:
    scene = Scene([endpoint("pt", NO_BURST)])
    called = scene.call(b"x")
    for _ in range(10_000):
        scene.now += 0.001
        with suppress(ProvisionUsedUp):
            scene.provisions.enter(called.endpoint, called.entity, _asker(30, b"x"), lambda: False)
    assert scene.provisions.asked_per_s("pt-d") == pytest.approx(2 * 10, rel=0.01)  # twice what was promised
    scene.now += 60.0
    assert scene.provisions.asked_per_s("pt-d") < 3


def _asker(completion: int, body: bytes) -> Asker:
    return Asker(Demand(0, completion), "ann", body)
