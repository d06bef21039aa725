"""What the ledger hears of a request, and when."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from openfm.core.chat import Delta, Finished, FinishReason
from openfm.core.endpoint import EndpointDetails
from openfm.core.errors import LedgerUnavailable
from openfm.core.ledger import LedgerEntry, LedgerState, Settlement
from openfm.core.usage import Demand, TokenCounts
from openfm.gateway.bill import Bill
from openfm.gateway.meter import Meter
from tests.unit.gateway.fakes import ANN, FakeLedger
from tests.unit.gateway.test_invoke import make_endpoint

RESERVED = Demand(prompt=10, completion=64)
ENDPOINT = replace(make_endpoint(), details=EndpointDetails(tags={"team": "a", "cost": "b"}))


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


class Request:
    """A request whose answer comes token by token."""

    def __init__(self, **facts: Any) -> None:
        self.clock = Clock()
        self.ledger = FakeLedger()
        self.bill = Bill("r1", Meter(self.clock, received_s=999.5), self.ledger, **facts)

    def open(self) -> None:
        self.bill.open(ANN, ENDPOINT, ENDPOINT.active.served_entities[0], RESERVED)

    def deliver(self, tokens: int, after_s: float = 0.0) -> None:
        self.clock.now += after_s
        self.bill.meter.count(0, Delta(TokenCounts(5, tokens), "x"))
        self.bill.mark_delivered()

    @property
    def noted(self) -> list[int]:
        return [delivered.completion for delivered in self.ledger.delivered]

    @property
    def settled(self) -> Settlement:
        last = self.ledger.written[-1]
        assert isinstance(last, Settlement)
        return last


def test_a_request_is_on_record_with_who_and_what_before_it_is_dispatched() -> None:
    request = Request(client_request_id="mine", usage_context={"cost": "c", "job": "j"}, is_streaming=True)
    request.open()
    (entry,) = request.ledger.written
    assert isinstance(entry, LedgerEntry)
    assert (entry.principal_name, entry.endpoint_name, entry.entity_name) == ("ann", "llama", "system.ai.m")
    assert (entry.reserved_prompt_tokens, entry.reserved_completion_tokens) == (10, 64)
    assert (entry.received_us, entry.client_request_id) == (999_500_000, "mine")
    assert dict(entry.tags) == {"team": "a", "cost": "b", "job": "j"}, "the endpoint's tags hold; a caller adds to them"


def test_a_second_attempt_at_another_entity_is_the_same_request() -> None:
    request = Request()
    request.open()
    other = replace(ENDPOINT.active.served_entities[0], name="other", entity_version="2")
    request.bill.open(ANN, ENDPOINT, other, RESERVED)
    assert len(request.ledger.written) == 1
    request.bill.close(200)
    assert (request.settled.served_entity, request.settled.entity_version) == ("other", "2")


def test_what_is_paid_by_the_hour_is_noted_of_who_answered() -> None:
    request = Request()
    request.open()
    first = ENDPOINT.active.served_entities[0]
    bought = replace(first, settings=replace(first.settings, max_provisioned_throughput=10))
    request.bill.open(ANN, ENDPOINT, bought, RESERVED)
    request.bill.close(200)
    assert [event.is_provisioned for event in request.ledger.written] == [False, True]


def test_without_a_ledger_nothing_is_opened_and_nothing_closed() -> None:
    request = Request()
    request.ledger.is_full = True
    with pytest.raises(LedgerUnavailable):
        request.open()
    request.bill.close(503)
    assert request.ledger.written == []


def test_what_is_delivered_is_noted_every_sixteen_tokens() -> None:
    request = Request()
    request.open()
    for tokens in range(1, 50):
        request.deliver(tokens)
    assert request.noted == [16, 32, 48]


def test_what_is_delivered_slowly_is_noted_every_quarter_second() -> None:
    request = Request()
    request.open()
    for tokens in range(1, 6):
        request.deliver(tokens, after_s=0.2)
    assert request.noted == [2, 4]


def test_an_answer_to_the_end_is_settled_with_what_was_delivered() -> None:
    request = Request()
    request.open()
    request.deliver(3, after_s=1.0)
    request.bill.meter.count(0, Finished(FinishReason.LENGTH, TokenCounts(5, 4)))
    request.bill.mark_delivered()
    request.bill.close(200)
    assert (request.settled.state, request.settled.finish_reason) == (LedgerState.SETTLED, "length")
    assert request.settled.billed == request.settled.generated == TokenCounts(5, 4)
    assert request.settled.first_token_us == 1_001_000_000


@pytest.mark.parametrize("status", [499, 500, 502, 504])
def test_an_answer_that_broke_off_is_aborted_and_costs_what_arrived(status: int) -> None:
    request = Request()
    request.open()
    request.deliver(3)
    request.bill.meter.count(0, Delta(TokenCounts(5, 4), "x"))
    request.bill.close(status)
    assert (request.settled.state, request.settled.status) == (LedgerState.ABORTED, status)
    assert (request.settled.billed.completion, request.settled.generated.completion) == (3, 4)


def test_a_request_that_never_went_to_an_engine_leaves_nothing() -> None:
    request = Request()
    request.bill.close(429)
    assert request.ledger.written == []
