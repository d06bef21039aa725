"""The story of a request, told with the engine that ships for it."""

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

from openfm.core.chat import ChatRequest, CompletionRequest, Finished, Message, Role, SamplingParams
from openfm.core.embedding import EmbeddingRequest
from openfm.core.endpoint import (
    EndpointConfig,
    EndpointDetails,
    EndpointType,
    Route,
    ServedEntity,
    ServingEndpoint,
)
from openfm.core.errors import (
    ContextTooLong,
    EngineFailed,
    InvalidRequest,
    LedgerUnavailable,
    NoReplicaReady,
    NotFound,
    RateLimited,
    WrongTask,
)
from openfm.core.job import GenerationJob, OverlongPrompt, PromptForm
from openfm.core.ledger import LedgerEntry
from openfm.core.model import ModelProfile, Task
from openfm.engines.scripted import FOREVER, ScriptedEngine
from openfm.gateway.admission import Admission, QueueLimits
from openfm.gateway.bill import Bill
from openfm.gateway.guards import Guards
from openfm.gateway.invoke import Gateway, Invocation
from openfm.gateway.meter import Meter
from tests.unit.gateway.fakes import ANN, FakeAllowance, FakeDirectory, FakeLedger, FakeLimiter, FakeReplica, FakeRoster

MODEL = ModelProfile("m", "m-010126", "M", "", "", Task.CHAT, context_length=100, default_system_prompt="Be kind.")


def make_endpoint(model: ModelProfile = MODEL, task: Task = Task.CHAT) -> ServingEndpoint:
    config = EndpointConfig(1, (ServedEntity("e", "system.ai.m", "1", model, "d"),), (Route("e", 100),))
    return ServingEndpoint("0", "llama", task, EndpointType.FOUNDATION_MODEL_API, "system", 0, 0, config)


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
def roster(engine: ScriptedEngine) -> FakeRoster:
    return FakeRoster([FakeReplica(engine)])


@pytest.fixture
def limiter() -> FakeLimiter:
    return FakeLimiter()


@pytest.fixture
def gateway(roster: FakeRoster, limiter: FakeLimiter) -> Gateway:
    return Gateway(
        FakeDirectory(make_endpoint()), roster, Admission(QueueLimits(), lambda: 0.0), Guards(limiter), lambda: 0.0
    )


def bill(answers: int = 1) -> Bill:
    return Bill("request", Meter(lambda: 0.0, answers_per_prompt=answers), FakeLedger())


def invocation(gateway: Gateway, task: Task = Task.CHAT, answers: int = 1) -> Invocation:
    return gateway.invocation(ANN, gateway.endpoint(ANN, "llama"), task, bill(answers))


def chat(*texts: str, answers: int = 1, **sampling: int) -> GenerationJob:
    messages = tuple(Message(Role.USER, text) for text in texts)
    request = ChatRequest(messages, replace(SamplingParams(), **sampling))  # type: ignore[arg-type]  # ints only
    return GenerationJob(Task.CHAT, (request,) * answers, answers)


async def test_a_request_is_on_record_before_the_engine_sees_it(gateway: Gateway, engine: ScriptedEngine) -> None:
    ledger = FakeLedger()
    called = gateway.invocation(
        ANN, gateway.endpoint(ANN, "llama"), Task.CHAT, Bill("r", Meter(lambda: 0.0, answers_per_prompt=2), ledger)
    )
    await said(gateway, called, chat("hello", answers=2, max_tokens=7))
    (entry,) = ledger.written
    assert isinstance(entry, LedgerEntry)
    assert entry.reserved_completion_tokens == 14
    assert 0 < entry.reserved_prompt_tokens < 100, "answers to one prompt share it"
    ledger.is_full = True
    asked = len(engine.requests)
    refused = gateway.invocation(ANN, gateway.endpoint(ANN, "llama"), Task.CHAT, Bill("s", Meter(lambda: 0.0), ledger))
    with pytest.raises(LedgerUnavailable):
        await said(gateway, refused, chat("hello"))
    assert len(engine.requests) == asked


async def test_a_request_takes_the_most_it_can_use_before_it_stands_in_line(
    gateway: Gateway, engine: ScriptedEngine, limiter: FakeLimiter
) -> None:
    called = invocation(gateway, answers=2)
    await said(gateway, called, chat("hello", answers=2, max_tokens=7))
    (demand,) = limiter.demands
    assert (demand.completion, demand.is_open_ended) == (14, False)
    assert 5 < demand.prompt < 100, "answers to one prompt share it"
    limiter.error = RateLimited("Too fast.", retry_after_s=1.0)
    asked = len(engine.requests)
    with pytest.raises(RateLimited):
        await said(gateway, invocation(gateway), chat("hello"))
    assert len(engine.requests) == asked


async def test_a_prompt_is_counted_only_where_that_may_help(gateway: Gateway, limiter: FakeLimiter) -> None:
    limiter.error = RateLimited("Too fast.", retry_after_s=1.0)
    limiter.error.may_fit = True
    with pytest.raises(RateLimited):
        await said(gateway, invocation(gateway, answers=2), chat("hello", answers=2, max_tokens=7))
    bound, counted = limiter.demands
    assert (bound.least_prompt, counted.least_prompt) == (1, None)
    assert counted.prompt < bound.prompt


async def test_an_open_ended_answer_gets_what_the_limit_leaves(
    gateway: Gateway, engine: ScriptedEngine, limiter: FakeLimiter
) -> None:
    limiter.allowance = FakeAllowance(most_completion_tokens=10)
    await said(gateway, invocation(gateway, answers=2), chat("hello", answers=2))
    assert [request.sampling.max_tokens for request in engine.requests] == [5, 5]
    assert limiter.demands[0].is_open_ended
    await said(gateway, invocation(gateway), chat("hello", max_tokens=3))
    assert engine.requests[-1].sampling.max_tokens == 3


async def said(gateway: Gateway, called: Invocation, job: GenerationJob) -> dict[int, str]:
    texts: dict[int, str] = {}
    async with aclosing(gateway.generate(called, job)) as events:
        async for index, event in events:
            if not isinstance(event, Finished):
                texts[index] = texts.get(index, "") + event.text
    return texts


async def test_an_answer_comes_back_counted(gateway: Gateway, engine: ScriptedEngine) -> None:
    engine.will_say("one", "two")
    called = invocation(gateway)
    assert await said(gateway, called, chat("hello")) == {0: "one two"}
    assert called.bill.meter.generated.completion == 2
    assert gateway.admission.outstanding == 0


async def test_a_hang_up_gives_the_place_back_and_cancels_the_engine(gateway: Gateway, engine: ScriptedEngine) -> None:
    engine.will_say("one", "two", gap_s=FOREVER)
    async with aclosing(gateway.generate(invocation(gateway), chat("hello"))) as events:
        await anext(events)
        assert gateway.admission.outstanding == 1
    assert gateway.admission.outstanding == 0
    assert (engine.running, engine.cancelled) == (0, 1)


async def test_a_cancelled_task_gives_everything_back_too(gateway: Gateway, engine: ScriptedEngine) -> None:
    engine.will_say("one", "two", gap_s=FOREVER)
    task = asyncio.create_task(said(gateway, invocation(gateway), chat("hello")))
    while not engine.running:  # noqa: ASYNC110  # a turn of the loop, not time
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (gateway.admission.outstanding, engine.running, engine.cancelled) == (0, 0, 1)


async def test_an_engine_that_fails_gives_the_place_back(gateway: Gateway, engine: ScriptedEngine) -> None:
    engine.will_say("one", "two", fail_after=1, error=EngineFailed("It broke."))
    with pytest.raises(EngineFailed, match="It broke"):
        await said(gateway, invocation(gateway), chat("hello"))
    assert gateway.admission.outstanding == 0


async def test_several_answers_share_a_prompt_that_counts_once(gateway: Gateway, engine: ScriptedEngine) -> None:
    for word in ("a", "b", "c"):
        engine.will_say(word)
    called = invocation(gateway, answers=3)
    assert sorted((await said(gateway, called, chat("hello", answers=3))).values()) == ["a", "b", "c"]
    single = len(await engine.tokenize(engine.requests[0]))
    assert (called.bill.meter.generated.prompt, called.bill.meter.generated.completion) == (single, 3)


async def test_one_answer_of_several_that_fails_ends_the_others(gateway: Gateway, engine: ScriptedEngine) -> None:
    engine.will_say("a", "b", gap_s=FOREVER)
    engine.will_say(error=EngineFailed("It broke."))
    with pytest.raises(EngineFailed):
        await said(gateway, invocation(gateway), chat("hello", answers=2))
    assert (engine.running, gateway.admission.outstanding) == (0, 0)


async def test_the_default_system_prompt_goes_first_unless_there_is_one(
    gateway: Gateway, engine: ScriptedEngine
) -> None:
    await said(gateway, invocation(gateway), chat("hello"))
    seen = engine.requests[0]
    assert isinstance(seen, ChatRequest)
    assert seen.messages[0] == Message(Role.SYSTEM, "Be kind.")


async def test_a_completion_prompt_goes_through_the_template_unless_raw(
    gateway: Gateway, engine: ScriptedEngine
) -> None:
    for form in PromptForm:
        job = GenerationJob(Task.COMPLETIONS, (CompletionRequest("hello"),), prompt_form=form)
        await said(gateway, invocation(gateway, Task.COMPLETIONS), job)
    assert [type(request) for request in engine.requests] == [ChatRequest, CompletionRequest]


async def test_prompt_and_max_tokens_over_the_context_never_reach_the_engine(
    gateway: Gateway, engine: ScriptedEngine
) -> None:
    with pytest.raises(ContextTooLong) as caught:
        await said(gateway, invocation(gateway), chat("word " * 50, max_tokens=60))
    assert (caught.value.prompt_tokens, caught.value.max_tokens, caught.value.context_length) == (52, 60, 100)
    assert not engine.requests


async def test_truncate_keeps_the_prompts_end_and_the_room_that_is_left(
    gateway: Gateway, engine: ScriptedEngine
) -> None:
    request = CompletionRequest("word " * 200, SamplingParams(max_tokens=50))
    job = GenerationJob(
        Task.COMPLETIONS, (request,), prompt_form=PromptForm.RAW, overlong_prompt=OverlongPrompt.TRUNCATE
    )
    await said(gateway, invocation(gateway, Task.COMPLETIONS), job)
    seen = engine.requests[0]
    assert isinstance(seen, CompletionRequest)
    assert len(seen.prompt) == 99
    assert seen.sampling.max_tokens == 1


def test_an_endpoint_answers_its_own_task_and_a_chat_one_completions_too(gateway: Gateway) -> None:
    assert invocation(gateway, Task.COMPLETIONS).entity.name == "e"
    with pytest.raises(WrongTask):
        invocation(gateway, Task.EMBEDDINGS)


async def test_no_replica_is_503_with_the_wait(gateway: Gateway, roster: FakeRoster) -> None:
    roster.replicas.clear()
    with pytest.raises(NoReplicaReady) as caught:
        await said(gateway, invocation(gateway), chat("hello"))
    assert caught.value.retry_after_s == 3


async def test_the_least_busy_replica_takes_the_request(
    gateway: Gateway, roster: FakeRoster, engine: ScriptedEngine
) -> None:
    other = ScriptedEngine()
    roster.replicas.append(FakeReplica(other, "r2"))
    engine.will_say("one", "two", gap_s=FOREVER)
    async with aclosing(gateway.generate(invocation(gateway), chat("hello"))) as events:
        await anext(events)
        await said(gateway, invocation(gateway), chat("hello"))
    assert (len(engine.requests), len(other.requests)) == (1, 1)


async def test_embeddings_are_counted(engine: ScriptedEngine, roster: FakeRoster) -> None:
    endpoint = make_endpoint(replace(MODEL, task=Task.EMBEDDINGS), Task.EMBEDDINGS)
    gateway = Gateway(
        FakeDirectory(endpoint), roster, Admission(QueueLimits(), lambda: 0.0), Guards(FakeLimiter()), lambda: 0.0
    )
    called = invocation(gateway, Task.EMBEDDINGS)
    result = await gateway.embed(called, EmbeddingRequest(("one two", "three")))
    assert len(result.vectors) == 2
    assert called.bill.meter.generated.prompt == 3
    assert not engine.requests


def two_entities(*shares: int, details: EndpointDetails | None = None) -> ServingEndpoint:
    entities = tuple(ServedEntity(name, "main.a.m", "1", MODEL, name) for name in ("first", "second"))
    routes = tuple(Route(entity.name, share) for entity, share in zip(entities, shares, strict=True))
    config = EndpointConfig(1, entities, routes)
    return replace(
        make_endpoint(), endpoint_type=EndpointType.CUSTOM_MODEL, config=config, details=details or EndpointDetails()
    )


FALLBACK = EndpointDetails(ai_gateway={"fallback_config": {"enabled": True}})


def gateway_to(endpoint: ServingEndpoint, roster: FakeRoster) -> Gateway:
    return Gateway(
        FakeDirectory(endpoint), roster, Admission(QueueLimits(), lambda: 0.0), Guards(FakeLimiter()), lambda: 0.0
    )


async def test_a_named_entity_answers_whatever_the_split_says(engine: ScriptedEngine, roster: FakeRoster) -> None:
    gateway = gateway_to(two_entities(100, 0), roster)
    endpoint = gateway.endpoint(ANN, "llama")
    called = gateway.invocation(ANN, endpoint, Task.CHAT, bill(), "second")
    assert called.entity.name == "second"
    await said(gateway, called, chat("hello"))
    assert engine.requests
    with pytest.raises(NotFound, match="first, second"):
        gateway.invocation(ANN, endpoint, Task.CHAT, bill(), "third")


@pytest.mark.parametrize("error", [RateLimited("Later."), EngineFailed("It broke.")])
async def test_a_fallback_answers_for_an_entity_that_fails_before_it_spoke(
    roster: FakeRoster, error: EngineFailed | RateLimited
) -> None:
    engines = {name: ScriptedEngine() for name in ("first", "second")}
    roster.by_entity = {name: [FakeReplica(engine, name)] for name, engine in engines.items()}
    engines["first"].will_say(error=error)
    engines["second"].will_say("fine")
    gateway = gateway_to(two_entities(100, 0, details=FALLBACK), roster)
    called = invocation(gateway)
    assert await said(gateway, called, chat("hello")) == {0: "fine"}
    assert called.entity.name == "second"


async def test_no_fallback_for_what_the_caller_did_wrong_or_after_the_first_word(roster: FakeRoster) -> None:
    engine = ScriptedEngine()
    roster.replicas = [FakeReplica(engine)]
    gateway = gateway_to(two_entities(100, 0, details=FALLBACK), roster)
    engine.will_say(error=InvalidRequest("No."))
    with pytest.raises(InvalidRequest, match="No"):
        await said(gateway, invocation(gateway), chat("hello"))
    engine.will_say("one", "two", fail_after=1, error=EngineFailed("It broke."))
    with pytest.raises(EngineFailed):
        await said(gateway, invocation(gateway), chat("hello"))
    assert len(engine.requests) == 2


async def test_without_a_fallback_the_failure_is_the_answer(roster: FakeRoster, engine: ScriptedEngine) -> None:
    engine.will_say(error=EngineFailed("It broke."))
    gateway = gateway_to(two_entities(100, 0), roster)
    with pytest.raises(EngineFailed):
        await said(gateway, invocation(gateway), chat("hello"))
    assert len(engine.requests) == 1


async def test_a_request_whose_entity_an_update_took_goes_where_the_new_config_says(
    roster: FakeRoster, engine: ScriptedEngine
) -> None:
    directory = FakeDirectory(two_entities(100, 0))
    gateway = Gateway(directory, roster, Admission(QueueLimits(), lambda: 0.0), Guards(FakeLimiter()), lambda: 0.0)
    called = invocation(gateway)
    roster.withdrawn.add("first")
    directory.endpoint = two_entities(0, 100)
    engine.will_say("fine")
    assert await said(gateway, called, chat("hello")) == {0: "fine"}
    assert called.entity.name == "second"


async def test_a_stopped_endpoint_is_400_and_one_without_a_config_503(roster: FakeRoster) -> None:
    for endpoint, error in (
        (replace(make_endpoint(), is_stopped=True), InvalidRequest),
        (replace(make_endpoint(), config=None), NoReplicaReady),
    ):
        with pytest.raises(error):
            invocation(gateway_to(endpoint, roster))
