"""Traces: a span for each request, by OpenTelemetry's GenAI conventions, over OTLP and HTTP. Needs the extra `otel`.

Where to and how (`OTEL_EXPORTER_OTLP_ENDPOINT`, headers, sampling) is OpenTelemetry's own environment. No prompt and no
answer is in a span.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from openfm import __version__
from openfm.core.usage import UsageRecord

_OPERATIONS = {"llm/v1/chat": "chat", "llm/v1/completions": "text_completion", "llm/v1/embeddings": "embeddings"}
_PROVIDER = "openfm"
_PARENT = "traceparent"
_FAILED = 500


class Traces:
    """A sink of usage records: each becomes a span, a child of the caller's where the request named one."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("openfm", __version__)
        self._propagator = TraceContextTextMapPropagator()

    def record(self, usage: UsageRecord) -> None:
        """Hand the span over; it is sent in the background."""
        operation = _OPERATIONS.get(usage.task, usage.task)
        carrier = {} if usage.trace_parent is None else {_PARENT: usage.trace_parent}
        span = self._tracer.start_span(
            f"{operation} {usage.endpoint}",
            context=self._propagator.extract(carrier),
            kind=SpanKind.SERVER,
            attributes=_attributes(usage, operation),
            start_time=_ns(usage.received_s),
        )
        if usage.first_token_s is not None:
            span.add_event("gen_ai.first_token", timestamp=_ns(usage.first_token_s))
        if usage.status >= _FAILED:
            span.set_status(Status(StatusCode.ERROR))
        span.end(_ns(usage.finished_s))


@contextmanager
def open_traces() -> Iterator[Traces]:
    """What is recorded inside is sent; on the way out, what waits to be sent still is."""
    provider = TracerProvider(resource=Resource.create({"service.name": "openfm", "service.version": __version__}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    try:
        yield Traces(provider)
    finally:
        provider.shutdown()


def _attributes(usage: UsageRecord, operation: str) -> dict[str, AttributeValue]:
    """Names of the GenAI semantic conventions; ours begin with `openfm`."""
    found: dict[str, AttributeValue] = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": _PROVIDER,
        "gen_ai.request.model": usage.endpoint,
        "gen_ai.response.model": usage.served_entity,
        "gen_ai.response.id": usage.request_id,
        "gen_ai.usage.input_tokens": usage.generated.prompt,
        "gen_ai.usage.output_tokens": usage.generated.completion,
        "http.response.status_code": usage.status,
        "openfm.usage.cached_tokens": usage.generated.cached,
        "openfm.usage.delivered_tokens": usage.delivered.completion,
        "openfm.queue_time": usage.queue_s,
        "openfm.is_streaming": usage.is_streaming,
    }
    if usage.first_token_s is not None:
        found["gen_ai.server.time_to_first_token"] = max(0.0, usage.first_token_s - usage.received_s)
    if usage.status >= 400:
        found["error.type"] = str(usage.status)
    return found


def _ns(seconds: float) -> int:
    return round(seconds * 1_000_000_000)
