"""The bill of one request: opened before an engine works for it, kept up while its answer is delivered, closed once."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from openfm.core.endpoint import ServedEntity, ServingEndpoint
from openfm.core.ledger import Attempt, LedgerEntry, LedgerState, Settlement
from openfm.core.principal import Principal
from openfm.core.usage import Demand
from openfm.gateway.meter import Meter
from openfm.gateway.ports import Ledger

_CHECKPOINT_TOKENS = 16
_CHECKPOINT_S = 0.25
_OK = 200


@dataclass(slots=True)
class Bill:
    """What the ledger is told of one request; the meter counts. Belongs to the task that answers the request.

    `opened_s` is when it went to an engine. Delivered tokens are noted every 16 tokens or 250 ms, so that after a crash
    at most that much is missing.
    """

    request_id: str
    meter: Meter
    ledger: Ledger
    is_streaming: bool = False
    client_request_id: str | None = None
    usage_context: Mapping[str, str] = field(default_factory=dict)
    attempt: Attempt | None = None
    opened_s: float | None = None
    _entity: ServedEntity | None = None
    _noted_s: float = 0.0
    _noted_tokens: int = 0

    @property
    def received_us(self) -> int:
        """When the request came, in us since the epoch."""
        return _us(self.meter.received_s)

    def tags_of(self, endpoint: ServingEndpoint) -> Mapping[str, str]:
        """What the request's usage is kept under: no caller may move it from where the endpoint's owner put it."""
        return {**self.usage_context, **endpoint.details.tags}

    def open(self, caller: Principal, endpoint: ServingEndpoint, entity: ServedEntity, reserved: Demand) -> None:
        """Put the request on record, once; the entity of the last call is the one that answered.

        Raises `LedgerUnavailable`; then the request must not be dispatched.
        """
        self._entity = entity
        if self.opened_s is not None:
            return
        self.ledger.reserve(
            LedgerEntry(
                request_id=self.request_id,
                principal_id=caller.id,
                principal_name=caller.name,
                principal_kind=caller.kind,
                token_id=caller.token_id,
                endpoint_id=endpoint.id,
                endpoint_name=endpoint.name,
                served_entity=entity.name,
                entity_name=entity.entity_name,
                entity_version=entity.entity_version,
                config_version=endpoint.active.version,
                task=entity.model.task,
                is_streaming=self.is_streaming,
                received_us=self.received_us,
                reserved_prompt_tokens=reserved.prompt,
                reserved_completion_tokens=reserved.completion,
                client_request_id=self.client_request_id,
                attempt=self.attempt,
                tags=tuple(self.tags_of(endpoint).items()),
                is_provisioned=entity.settings.is_provisioned,
            )
        )
        self.opened_s = self._noted_s = self.meter.clock()

    def mark_delivered(self) -> None:
        """Everything counted so far was handed to the client's socket."""
        self.meter.mark_delivered()
        delivered = self.meter.delivered
        if self.opened_s is None or delivered.completion == self._noted_tokens:
            return
        now = self.meter.clock()
        if delivered.completion - self._noted_tokens >= _CHECKPOINT_TOKENS or now - self._noted_s >= _CHECKPOINT_S:
            self._noted_tokens, self._noted_s = delivered.completion, now
            self.ledger.checkpoint(self.request_id, delivered)

    @property
    def is_charged(self) -> bool:
        """Whether anything was delivered that is billed."""
        return self.opened_s is not None and self.meter.delivered.total > 0

    def close(self, status: int) -> None:
        """The request left, with this HTTP status; one that never went to an engine leaves nothing."""
        if self.opened_s is None or self._entity is None:
            return
        meter = self.meter
        self.ledger.settle(
            Settlement(
                request_id=self.request_id,
                served_entity=self._entity.name,
                entity_name=self._entity.entity_name,
                entity_version=self._entity.entity_version,
                state=LedgerState.SETTLED if status == _OK else LedgerState.ABORTED,
                status=status,
                finish_reason=meter.finish_reason,
                admitted_us=_us(self.opened_s),
                first_token_us=None if meter.first_token_s is None else _us(meter.first_token_s),
                finished_us=_us(meter.clock()),
                queue_us=_us(meter.queue_s),
                generated=meter.worked,
                billed=meter.delivered,
                is_provisioned=self._entity.settings.is_provisioned,
            )
        )


def _us(seconds: float) -> int:
    return round(seconds * 1_000_000)
