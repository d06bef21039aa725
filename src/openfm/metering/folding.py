"""What a run of journal events says of each request, and which row that makes. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from openfm.core.ledger import Checkpoint, LedgerEntry, LedgerState, Settlement
from openfm.core.price import Price
from openfm.core.price_book import cost, token_price
from openfm.core.usage import TokenCounts
from openfm.metering.journal_lines import Event, bounded

Row = dict[str, object]


@dataclass(slots=True)
class Story:
    """What is known of one request. An event that comes twice changes nothing, and the first end holds."""

    entry: LedgerEntry | None = None
    checkpoint: Checkpoint | None = None
    settlement: Settlement | None = None

    def add(self, event: Event) -> None:
        """Take in one event."""
        if isinstance(event, LedgerEntry):
            self.entry = self.entry or event
        elif isinstance(event, Settlement):
            self.settlement = self.settlement or event
        elif self.checkpoint is None or event.delivered.total >= self.checkpoint.delivered.total:
            self.checkpoint = event


def fold(events: Iterable[Event]) -> dict[str, Story]:
    """The stories by request id, in the order in which they begin."""
    stories: dict[str, Story] = {}
    for event in events:
        stories.setdefault(event.request_id, Story()).add(event)
    return stories


def reserved_row(entry: LedgerEntry, gateway: str) -> Row:
    """A request's row when it was put on record."""
    return {
        "request_id": entry.request_id,
        "gateway": gateway,
        "principal_id": entry.principal_id,
        "principal_name": entry.principal_name,
        "principal_kind": entry.principal_kind.value,
        "token_id": entry.token_id,
        "endpoint_id": entry.endpoint_id,
        "endpoint_name": entry.endpoint_name,
        "served_entity": entry.served_entity,
        "entity_name": entry.entity_name,
        "entity_version": entry.entity_version,
        "config_version": entry.config_version,
        "task": entry.task,
        "client_request_id": entry.client_request_id,
        "tags": dict(entry.tags),
        "idempotency_key": None if entry.attempt is None else entry.attempt.key,
        "idempotency_body": None if entry.attempt is None else entry.attempt.body,
        "is_streaming": entry.is_streaming,
        "is_provisioned": entry.is_provisioned,
        "received_us": entry.received_us,
        "reserved_prompt_tokens": entry.reserved_prompt_tokens,
        "reserved_completion_tokens": entry.reserved_completion_tokens,
        "state": LedgerState.RESERVED.value,
        "status": None,
        "finish_reason": None,
        "admitted_us": None,
        "first_token_us": None,
        "finished_us": None,
        "queue_us": 0,
        **_counts("generated", TokenCounts()),
        **_counts("billed", TokenCounts()),
        "is_estimated": False,
        "cost_pico": 0,
        "currency": None,
        "price_version": None,
        "closing_number": None,
    }


def settled_part(settlement: Settlement, price: Price) -> Row:
    """What a settlement changes in a row."""
    generated, billed = bounded(settlement.generated), bounded(settlement.billed)
    is_odd = (generated, billed) != (settlement.generated, settlement.billed)
    return {
        "served_entity": settlement.served_entity,
        "entity_name": settlement.entity_name,
        "entity_version": settlement.entity_version,
        "is_provisioned": settlement.is_provisioned,
        "state": settlement.state.value,
        "status": settlement.status,
        "finish_reason": settlement.finish_reason,
        "admitted_us": settlement.admitted_us,
        "first_token_us": settlement.first_token_us,
        "finished_us": settlement.finished_us,
        "queue_us": max(0, settlement.queue_us),
        **_counts("generated", generated),
        **_counts("billed", billed),
        "is_estimated": settlement.is_estimated or is_odd,
        **_cost(billed, price, is_provisioned=settlement.is_provisioned),
    }


def checkpoint_part(checkpoint: Checkpoint) -> Row:
    """What a checkpoint changes in an open row. `finished_us` is when something was last heard of it."""
    delivered = bounded(checkpoint.delivered)
    return {
        "finished_us": checkpoint.at_us,
        **_counts("generated", delivered),
        **_counts("billed", delivered),
    }


def abandoned_part(billed: TokenCounts, last_heard_us: int, price: Price, *, is_provisioned: bool) -> Row:
    """What changes in the row of a request whose gateway died: it is billed what it is known to have got."""
    return {
        "state": LedgerState.ABORTED.value,
        "finished_us": last_heard_us,
        "is_estimated": True,
        **_cost(billed, price, is_provisioned=is_provisioned),
    }


def _cost(billed: TokenCounts, price: Price, *, is_provisioned: bool) -> Row:
    price = token_price(price, is_provisioned=is_provisioned)
    return {"cost_pico": cost(billed, price), "currency": price.currency, "price_version": price.version}


def _counts(which: str, counts: TokenCounts) -> Row:
    return {
        f"{which}_prompt": counts.prompt,
        f"{which}_completion": counts.completion,
        f"{which}_cached": counts.cached,
        f"{which}_reasoning": counts.reasoning,
    }
