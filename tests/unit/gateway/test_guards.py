"""What a request holds of its budgets, from its admission to its end."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace

import pytest

from openfm.core.budget import Budget, BudgetPeriod, BudgetScope
from openfm.core.chat import (
    ChatRequest,
    Event,
    GenerationRequest,
    Message,
    Role,
    SamplingParams,
)
from openfm.core.embedding import EmbeddingRequest
from openfm.core.endpoint import (
    EndpointConfig,
    EndpointDetails,
    EndpointType,
    EntitySettings,
    Route,
    ServedEntity,
    ServingEndpoint,
)
from openfm.core.errors import BudgetExceeded, EngineFailed, LedgerUnavailable
from openfm.core.job import GenerationJob
from openfm.core.model import ModelProfile, Task
from openfm.core.price import Price, PriceUnit, Target, TargetKind
from openfm.core.price_book import PriceBook
from openfm.engines.scripted import ScriptedEngine
from openfm.gateway.admission import Admission, QueueLimits
from openfm.gateway.bill import Bill
from openfm.gateway.guards import Guards
from openfm.gateway.invoke import Gateway, Invocation
from openfm.gateway.meter import Meter
from openfm.limits.budget_store import InProcessBudgets
from openfm.limits.budgets import BudgetKeeper, BudgetState
from tests.unit.gateway.fakes import ANN, FakeDirectory, FakeLedger, FakeLimiter, FakeReplica, FakeRoster

MODEL = ModelProfile("m", "m-010126", "M", "", "", Task.CHAT, context_length=1000)
CHEAP = ServedEntity("cheap", "system.ai.cheap", "1", MODEL, "d1")
DEAR = ServedEntity("dear", "system.ai.dear", "1", MODEL, "d2")
ENDPOINT = ServingEndpoint(
    "0",
    "chat",
    Task.CHAT,
    EndpointType.CUSTOM_MODEL,
    "ann",
    0,
    0,
    EndpointConfig(1, (CHEAP, DEAR), (Route("cheap", 100), Route("dear", 0))),
    details=EndpointDetails(tags={"team": "red"}),
)
FALLBACK = replace(ENDPOINT, details=replace(ENDPOINT.details, ai_gateway={"fallback_config": {"enabled": True}}))


def price(entity: str, amount: int, currency: str = "USD") -> Price:
    amounts = {PriceUnit.PROMPT: amount, PriceUnit.COMPLETION: amount}
    return Price(1, Target(TargetKind.ENTITY, entity), currency, amounts, 0, 0, "")


PRICES = PriceBook([price("system.ai.cheap", 1), price("system.ai.dear", 10)])


class Broken(ScriptedEngine):
    """Fails before its first word."""

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        del request
        events: list[Event] = []
        for event in events:
            yield event
        raise EngineFailed("It broke.")


@dataclass
class Shop:
    """A gateway with budgets."""

    gateway: Gateway
    store: InProcessBudgets
    limiter: FakeLimiter
    key: str

    @property
    def held(self) -> int:
        return self.store.held_pico(self.key)


def shop(
    amount: int, endpoint: ServingEndpoint = ENDPOINT, first: ScriptedEngine | None = None, scope: str = ""
) -> Shop:
    budget = Budget("b", "team", BudgetScope.TAG, amount, "USD", BudgetPeriod.MONTH, target=scope or "team=red")
    store, limiter = InProcessBudgets(), FakeLimiter()
    keeper = BudgetKeeper(store, lambda: BudgetState((budget,)), PRICES)
    roster = FakeRoster(
        by_entity={"cheap": [FakeReplica(first or ScriptedEngine())], "dear": [FakeReplica(ScriptedEngine())]}
    )
    gateway = Gateway(
        FakeDirectory(endpoint), roster, Admission(QueueLimits(), lambda: 0.0), Guards(limiter, keeper), lambda: 0.0
    )
    return Shop(gateway, store, limiter, budget.key(0))


def invocation(at: Shop, ledger: FakeLedger | None = None) -> Invocation:
    bill = Bill("r1", Meter(lambda: 5.0, received_s=5.0), ledger or FakeLedger())
    return at.gateway.invocation(ANN, at.gateway.endpoint(ANN, "chat"), Task.CHAT, bill)


def chat(max_tokens: int | None = 10) -> GenerationJob:
    message = Message(Role.USER, "Hello, how are you?")
    return GenerationJob(Task.CHAT, (ChatRequest((message,), replace(SamplingParams(), max_tokens=max_tokens)),), 1)


async def answered(at: Shop, called: Invocation, job: GenerationJob) -> int:
    """Let it be answered and delivered; what was held meanwhile."""
    held = 0
    async with aclosing(at.gateway.generate(called, job)) as events:
        async for _ in events:
            held = at.held
    called.bill.mark_delivered()
    return held


async def test_the_most_is_held_while_it_runs_and_what_it_cost_afterwards() -> None:
    at = shop(1000)
    called = invocation(at)
    held = await answered(at, called, chat())
    bill = called.bill.meter.delivered
    assert held >= bill.prompt + 10
    called.bill.close(200)
    await called.settle()
    assert at.held == bill.prompt + bill.completion


async def test_what_is_paid_by_the_hour_holds_no_money_for_its_tokens_but_its_fallback_does() -> None:
    bought = replace(CHEAP, settings=EntitySettings(max_provisioned_throughput=10))
    config = EndpointConfig(1, (bought, DEAR), (Route("cheap", 100), Route("dear", 0)))
    by_the_hour = replace(ENDPOINT, config=config)
    at = shop(12, by_the_hour)
    called = invocation(at)
    assert await answered(at, called, chat(max_tokens=100)) == 0
    called.bill.close(200)
    await called.settle()
    at = shop(100_000, replace(by_the_hour, details=FALLBACK.details))
    called = invocation(at)
    assert await answered(at, called, chat(max_tokens=100)) >= 10 * 100
    called.bill.close(200)
    await called.settle()
    assert at.held == 0


async def test_a_request_that_may_pass_the_budget_is_refused_before_any_engine_and_takes_no_limit() -> None:
    at = shop(12)
    with pytest.raises(BudgetExceeded, match="'team'"):
        await answered(at, invocation(at), chat(max_tokens=100))
    assert at.held == 0
    assert (at.limiter.allowance.withdrawn, len(at.limiter.demands)) == (1, 1), "without counting the prompt first"


async def test_where_bytes_are_too_high_a_bound_the_engine_counts_the_prompt() -> None:
    engine = ScriptedEngine()
    at = shop(40, first=engine)
    held = await answered(at, invocation(at), chat())
    assert held <= 40


async def test_with_a_fallback_what_the_dearest_may_cost_is_held() -> None:
    at = shop(100_000, FALLBACK)
    held = await answered(at, invocation(at), chat())
    assert held >= 10 * 10


async def test_the_one_that_answered_is_paid() -> None:
    at = shop(100_000, FALLBACK, Broken())
    called = invocation(at)
    await answered(at, called, chat())
    assert called.entity.name == "dear"
    called.bill.close(200)
    await called.settle()
    delivered = called.bill.meter.delivered
    assert at.held == 10 * (delivered.prompt + delivered.completion)


async def test_a_request_that_was_never_on_record_costs_nothing() -> None:
    at = shop(100_000)
    ledger = FakeLedger(is_full=True)
    called = invocation(at, ledger)
    with pytest.raises(LedgerUnavailable):
        await answered(at, called, chat())
    assert at.held
    called.bill.close(503)
    await called.settle()
    assert at.held == 0


async def test_others_budgets_do_not_bind() -> None:
    at = shop(0, scope="team=blue")
    called = invocation(at)
    await answered(at, called, chat())
    assert called.hold is None


async def test_embeddings_are_held_for_too() -> None:
    model = replace(MODEL, task=Task.EMBEDDINGS)
    config = EndpointConfig(1, (replace(CHEAP, model=model),), (Route("cheap", 100),))
    at = shop(3, replace(ENDPOINT, task=Task.EMBEDDINGS, config=config))
    bill = Bill("r1", Meter(lambda: 5.0, received_s=5.0), FakeLedger())
    called = at.gateway.invocation(ANN, at.gateway.endpoint(ANN, "chat"), Task.EMBEDDINGS, bill)
    with pytest.raises(BudgetExceeded):
        await at.gateway.embed(called, EmbeddingRequest(("Hello there",)))


async def test_many_at_once_never_hold_more_than_there_is() -> None:
    at = shop(500)
    jobs = [answered(at, _numbered(at, n), chat()) for n in range(50)]
    ended = await asyncio.gather(*jobs, return_exceptions=True)
    assert at.held <= 500
    assert any(isinstance(one, BudgetExceeded) for one in ended)
    assert any(isinstance(one, int) for one in ended)


def _numbered(at: Shop, number: int) -> Invocation:
    bill = Bill(f"r{number}", Meter(lambda: 5.0, received_s=5.0), FakeLedger())
    return at.gateway.invocation(ANN, at.gateway.endpoint(ANN, "chat"), Task.CHAT, bill)
