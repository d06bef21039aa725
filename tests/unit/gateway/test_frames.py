"""What came together leaves together."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from openfm.control.identity.token_book import ADMIN, TokenBook
from openfm.core.chat import Delta, Event, Finished, FinishReason, GenerationRequest
from openfm.core.endpoint import EndpointConfig, EndpointType, Route, ServedEntity, ServingEndpoint
from openfm.core.errors import EngineFailed, RateLimited
from openfm.core.ledger import LedgerState, Settlement
from openfm.core.model import ModelProfile, Task
from openfm.core.price_book import PriceBook
from openfm.core.usage import Refused, TokenCounts, UsageRecord
from openfm.engines.scripted import FOREVER, ScriptedEngine
from openfm.gateway.admission import Admission, QueueLimits
from openfm.gateway.exchange import ExchangeLog, Sinks
from openfm.gateway.guards import Guards
from openfm.gateway.idempotency import Attempts
from openfm.gateway.invoke import Gateway
from openfm.gateway.ports import UsageSink
from openfm.gateway.routes import DataPlane
from openfm.limits.key_store import InProcessKeys
from openfm.telemetry.metrics import Metrics
from openfm.telemetry.usage_log import UsageLog
from tests.unit.gateway.fakes import FakeDirectory, FakeLedger, FakeLimiter, FakeReplica, FakeRoster

MODEL = ModelProfile("m", "m-010126", "M", "", "", Task.CHAT, context_length=1000)
CONFIG = EndpointConfig(1, (ServedEntity("e", "system.ai.m", "1", MODEL, "d"),), (Route("e", 100),))
ENDPOINT = ServingEndpoint("0", "llama", Task.CHAT, EndpointType.FOUNDATION_MODEL_API, "system", 0, 0, CONFIG)
ASKED = b'{"model":"llama","stream":true,"messages":[{"role":"user","content":"Hi"}]}'
SCOPE = {"path": "/v1/chat/completions", "method": "POST", "headers": [(b"authorization", b"Bearer t")]}
ENDED = Finished(FinishReason.STOP, TokenCounts(1, 3))


class Bursts(ScriptedEngine):
    """Says exactly the events it was given; an exception among them is raised."""

    def __init__(self, *events: Event | EngineFailed) -> None:
        super().__init__()
        self._events = events

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        del request
        for event in self._events:
            if isinstance(event, EngineFailed):
                raise event
            yield event


def word(text: str, spoken: int, *, is_followed: bool) -> Delta:
    return Delta(TokenCounts(1, spoken), text, is_followed=is_followed)


async def pieces(*events: Event | EngineFailed) -> list[bytes]:
    """The non-empty pieces that reach the socket."""
    sent: list[bytes] = []
    arriving = [{"type": "http.request", "body": ASKED, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not arriving:
            await asyncio.Event().wait()  # this client never hangs up
        return arriving.pop()

    async def send(message: Any) -> None:
        if message.get("body"):
            sent.append(message["body"])

    await plane_over(Bursts(*events), FakeLedger())(SCOPE, receive, send)
    return sent


@dataclass
class Told:
    """A usage sink that remembers."""

    records: list[UsageRecord] = field(default_factory=list)

    def record(self, usage: UsageRecord) -> None:
        self.records.append(usage)


def plane_over(
    engine: ScriptedEngine, ledger: FakeLedger, sink: UsageSink | None = None, limiter: FakeLimiter | None = None
) -> DataPlane:
    gateway = Gateway(
        FakeDirectory(ENDPOINT),
        FakeRoster([FakeReplica(engine)]),
        Admission(QueueLimits(), time.monotonic),
        Guards(limiter or FakeLimiter()),
        lambda: 0.0,
    )
    exchanges = ExchangeLog(
        ledger, Attempts(InProcessKeys(time.time)), Sinks((sink or UsageLog(),)), Metrics(), time.time
    )
    return DataPlane(gateway, TokenBook({"t": ADMIN}), exchanges, PriceBook(()))


def words(piece: bytes) -> list[str]:
    """The texts of a piece, one a frame."""
    frames = [json.loads(line[6:]) for line in piece.splitlines() if line.startswith(b'data: {"id"')]
    return [text for frame in frames if (text := frame["choices"][0]["delta"].get("content"))]


async def test_tokens_that_came_together_are_frames_of_one_piece() -> None:
    sent = await pieces(
        word("a", 1, is_followed=True), word("b", 2, is_followed=True), word("c", 3, is_followed=False), ENDED
    )
    assert words(sent[0]) == ["a", "b", "c"]


async def test_a_token_that_came_alone_does_not_wait() -> None:
    sent = await pieces(word("a", 1, is_followed=False), word("b", 2, is_followed=False), ENDED)
    assert [words(piece) for piece in sent[:2]] == [["a"], ["b"]]


async def test_what_came_before_an_error_is_delivered() -> None:
    sent = await pieces(word("a", 1, is_followed=True), EngineFailed("It broke."))
    assert words(sent[0]) == ["a"]
    assert b"It broke." in sent[1]


async def test_an_answer_that_the_servers_end_cuts_is_aborted_with_what_was_delivered() -> None:
    ledger, engine, spoken = FakeLedger(), ScriptedEngine(), asyncio.Event()
    engine.will_say("one", "two", gap_s=FOREVER)
    arriving = [{"type": "http.request", "body": ASKED, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not arriving:
            await asyncio.Event().wait()
        return arriving.pop()

    async def send(message: Any) -> None:
        if b"one" in message.get("body", b""):
            spoken.set()

    answering = asyncio.create_task(plane_over(engine, ledger)(SCOPE, receive, send))
    await spoken.wait()
    await asyncio.sleep(0)  # the frame counts as delivered when `send` has returned
    answering.cancel()
    with suppress(asyncio.CancelledError):
        await answering
    settled = ledger.written[-1]
    assert isinstance(settled, Settlement)
    assert (settled.state, settled.status, settled.billed.completion) == (LedgerState.ABORTED, 503, 1)


async def asked_once(engine: ScriptedEngine, limiter: FakeLimiter) -> tuple[UsageRecord, FakeLedger]:
    sink, ledger, arriving = Told(), FakeLedger(), [{"type": "http.request", "body": ASKED, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not arriving:
            await asyncio.Event().wait()
        return arriving.pop()

    async def send(message: Any) -> None:
        del message

    await plane_over(engine, ledger, sink, limiter)(SCOPE, receive, send)
    (usage,) = sink.records
    return usage, ledger


async def test_a_request_that_is_refused_is_no_row_of_the_ledger_and_its_record_says_why() -> None:
    usage, ledger = await asked_once(ScriptedEngine(), FakeLimiter(error=RateLimited("Too many.", retry_after_s=1.0)))
    assert ledger.written == []
    assert usage.refused == Refused(ENDPOINT.id, "system.ai.m", ADMIN.id, "rate_limit_exceeded")


async def test_a_request_that_failed_after_it_was_dispatched_was_not_refused() -> None:
    usage, ledger = await asked_once(Bursts(EngineFailed("It broke.")), FakeLimiter())
    assert len(ledger.written) == 2
    assert (usage.status, usage.refused) == (502, None)
