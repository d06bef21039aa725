"""One request and its answer: what is known of it while it runs, and the usage record it leaves."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from openfm.core.errors import ApiError, BudgetExceeded, RateLimited
from openfm.core.payload import Payload
from openfm.core.principal import Principal
from openfm.core.usage import Refused, UsageRecord
from openfm.gateway.asgi import Header, Send
from openfm.gateway.bill import Bill
from openfm.gateway.idempotency import Attempts, KeptAnswer, attempt
from openfm.gateway.invoke import Invocation
from openfm.gateway.meter import Meter
from openfm.gateway.ports import Ledger, PayloadSink, UsageSink
from openfm.gateway.recording import Recording
from openfm.telemetry.metrics import Metrics
from openfm.wire.answers import AnswerHead
from openfm.wire.manner import Manner
from openfm.wire.rate_limits import provision_headers, rate_limit_headers
from openfm.wire.requests import Tracked

log = structlog.get_logger(__name__)

CLIENT_CLOSED_REQUEST = 499
SERVER_ENDED = 503


@dataclass(slots=True)
class Exchange:
    """State of one request; belongs to the task that answers it.

    `served_entity` is the one named in the path, `raw` the body as it came. `is_explained`: the
    client wants to know where its time went.
    """

    manner: Manner
    bill: Bill
    attempts: Attempts
    status: int = 200
    caller: Principal | None = None
    served_entity: str | None = None
    idempotency_key: str | None = None
    raw: bytes = b""
    is_explained: bool = False
    trace_parent: str | None = None
    error: ApiError | None = None
    recording: Recording | None = None
    _invocation: Invocation | None = None
    _has_key: bool = False
    _id_prefix: str = ""

    @property
    def request_id(self) -> str:
        """What the answer's header `x-request-id` says."""
        return self.bill.request_id

    @property
    def meter(self) -> Meter:
        """What counts it."""
        return self.bill.meter

    @property
    def principal(self) -> Principal:
        """The caller, once authenticated."""
        if self.caller is None:
            raise AssertionError("asked for the caller before authentication")
        return self.caller

    @property
    def invocation(self) -> Invocation:
        """Where the request goes, once `start` said so."""
        if self._invocation is None:
            raise AssertionError("asked for the invocation before start()")
        return self._invocation

    @property
    def is_started(self) -> bool:
        """Whether `start` said where the request goes."""
        return self._invocation is not None

    @property
    def head(self) -> AnswerHead:
        """What every body and chunk of the answer repeats; ids in the manner of the route."""
        separator = "-" if self.manner is Manner.OPENAI else "_"
        model = self.invocation.entity.model
        return AnswerHead(f"{self._id_prefix}{separator}{self.request_id}", int(self.meter.received_s), model.model_id)

    def headers(self) -> tuple[Header, ...]:
        """Headers of every answer; Databricks' clients read `served-model-name`."""
        headers: tuple[Header, ...] = ((b"x-request-id", self.request_id.encode()),)
        if self._invocation is None:
            return headers
        headers = (*headers, *provision_headers(self._invocation.utilisation, self._invocation.spilled_to))
        if self._invocation.allowance is not None:
            headers = (*headers, *rate_limit_headers(self._invocation.allowance.standings))
        return (*headers, (b"served-model-name", self._invocation.entity.name.encode()))

    async def start(self, invocation: Invocation, body: Tracked, id_prefix: str) -> None:
        """The request is understood, and goes to a served entity. Raises what `Attempts.begin` does."""
        if self.idempotency_key is not None:
            one = attempt(self.principal.id, invocation.endpoint.id, self.idempotency_key, self.raw)
            await self.attempts.begin(one, self.request_id)
            self.bill.attempt, self._has_key = one, True
        self._invocation = invocation
        invocation.raw = self.raw
        self.bill.client_request_id = body.client_request_id
        self.bill.usage_context = body.usage_context or {}
        self._id_prefix = id_prefix

    async def release_key(self) -> None:
        """Its `Idempotency-Key` is free again if the request came to nothing; its client may know only then."""
        if self._has_key and self.bill.attempt is not None and not self.bill.is_charged:
            self._has_key = False
            await self.attempts.forget(self.bill.attempt)

    async def keep(self, body: bytes) -> None:
        """Keep the answer, before it is sent, for whoever sends the request again; where the endpoint wants that."""
        if self.bill.attempt is not None and self.invocation.endpoint.details.has_replay:
            kept = KeptAnswer(self.request_id, self.invocation.entity.name, body)
            await self.attempts.replays.keep(self.bill.attempt, kept)

    def recorded(self, send: Send) -> Send:
        """What to send through from here on: an endpoint with an inference table keeps what is sent."""
        if not self.invocation.endpoint.details.has_inference_table:
            return send
        self.recording = Recording(send)
        return self.recording

    def payload(self, finished_s: float) -> Payload | None:
        """The row of the inference table, where there is one."""
        if self.recording is None:
            return None
        request, response, codes = self.recording.texts(self.raw)
        return Payload(
            request_id=self.request_id,
            endpoint_id=self.invocation.endpoint.id,
            client_request_id=self.bill.client_request_id,
            request_time_us=self.bill.received_us,
            status_code=self.status,
            execution_duration_ms=max(0, round((finished_s - self.meter.received_s) * 1000)),
            request=request,
            response=response,
            served_entity_id=self.invocation.entity.deployment_id,
            requester=self.principal.name,
            error_codes=codes,
        )

    async def settle(self) -> None:
        """The request left: give back what it did not use, and close its bill."""
        self.bill.close(self.status)
        try:
            if self._invocation is not None:
                await self._invocation.settle()
        finally:
            await self.release_key()

    def fail(self, error: ApiError) -> None:
        """The answer is an error, or ends with one."""
        self.status, self.error = error.status, error

    def usage(self, finished_s: float) -> UsageRecord | None:
        """The usage record, if the request reached a served entity."""
        if self._invocation is None:
            return None
        meter, invocation = self.meter, self._invocation
        return UsageRecord(
            request_id=self.request_id,
            principal=self.principal.name,
            endpoint=invocation.endpoint.name,
            served_entity=invocation.entity.name,
            task=invocation.endpoint.task,
            status=self.status,
            is_streaming=self.bill.is_streaming,
            received_s=meter.received_s,
            first_token_s=meter.first_token_s,
            finished_s=finished_s,
            queue_s=meter.queue_s,
            generated=meter.generated,
            delivered=meter.delivered,
            client_request_id=self.bill.client_request_id,
            usage_context=tuple(self.bill.usage_context.items()),
            trace_parent=self.trace_parent,
            refused=self._refused(invocation),
        )

    def _refused(self, invocation: Invocation) -> Refused | None:
        if self.error is None or self.bill.opened_s is not None:
            return None
        return Refused(invocation.endpoint.id, invocation.entity.entity_name, invocation.caller.id, self.error.code)


class NoTables:
    """Fulfils `PayloadSink` where nothing is kept."""

    def record(self, payload: Payload) -> None:
        """See `PayloadSink`."""


@dataclass(frozen=True, slots=True)
class Sinks:
    """Who is told of each request that left."""

    usage: Sequence[UsageSink]
    payloads: PayloadSink = field(default_factory=NoTables)


class ExchangeLog:
    """Begins and ends exchanges: ids, times, bills, metrics, usage. `clock` gives epoch seconds."""

    def __init__(
        self,
        ledger: Ledger,
        attempts: Attempts,
        sinks: Sinks,
        metrics: Metrics,
        clock: Callable[[], float],
    ) -> None:
        self._ledger = ledger
        self._attempts = attempts
        self._sinks = sinks
        self._metrics = metrics
        self._clock = clock

    def begin(self, manner: Manner) -> Exchange:
        """A request arrived."""
        self._metrics.request_began()
        bill = Bill(str(uuid.uuid4()), Meter(self._clock, received_s=self._clock()), self._ledger)
        return Exchange(manner, bill, self._attempts)

    async def end(self, exchange: Exchange) -> None:
        """The request left; its bill is closed before anything else happens in its task."""
        await exchange.settle()
        self._metrics.request_ended()
        if isinstance(exchange.error, RateLimited) and exchange.error.measure is not None:
            self._metrics.limit_hit(exchange.invocation.endpoint.name, exchange.error.measure)
        if isinstance(exchange.error, BudgetExceeded):
            self._metrics.budget_refused(exchange.error.budget)
        now = self._clock()
        usage, payload = exchange.usage(now), exchange.payload(now)
        if usage is not None:
            for sink in self._sinks.usage:
                sink.record(usage)
        if payload is not None:
            self._sinks.payloads.record(payload)
