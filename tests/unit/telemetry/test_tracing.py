from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from openfm.core.usage import TokenCounts, UsageRecord
from openfm.telemetry.tracing import Traces

_PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def traced(status: int = 200, trace_parent: str | None = None) -> ReadableSpan:
    """The span of one request."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    Traces(provider).record(
        UsageRecord(
            request_id="r",
            principal="ann@example.org",
            endpoint="chat",
            served_entity="chat-1",
            task="llm/v1/chat",
            status=status,
            is_streaming=True,
            received_s=100.0,
            first_token_s=100.25,
            finished_s=101.0,
            queue_s=0.05,
            generated=TokenCounts(prompt=27, completion=9, cached=7),
            delivered=TokenCounts(prompt=27, completion=8, cached=7),
            trace_parent=trace_parent,
        )
    )
    (span,) = exporter.get_finished_spans()
    return span


def test_a_request_is_a_span_with_the_fields_names() -> None:
    span = traced()
    assert (span.name, span.kind) == ("chat chat", SpanKind.SERVER)
    assert (span.start_time, span.end_time) == (100_000_000_000, 101_000_000_000)
    attributes = dict(span.attributes or {})
    assert attributes["gen_ai.operation.name"] == "chat"
    assert attributes["gen_ai.usage.input_tokens"] == 27
    assert attributes["gen_ai.usage.output_tokens"] == 9
    assert attributes["gen_ai.server.time_to_first_token"] == 0.25
    assert attributes["openfm.usage.delivered_tokens"] == 8
    assert [(event.name, event.timestamp) for event in span.events] == [("gen_ai.first_token", 100_250_000_000)]
    assert "ann@example.org" not in str(attributes)


def test_it_belongs_to_the_callers_trace() -> None:
    span = traced(trace_parent=_PARENT)
    assert span.parent is not None
    assert f"{span.parent.trace_id:032x}" == _PARENT.split("-")[1]
    assert traced(trace_parent="nonsense").parent is None


def test_a_failure_is_an_error_and_a_refusal_is_not() -> None:
    assert traced(502).status.status_code is StatusCode.ERROR
    refused = traced(429)
    assert refused.status.status_code is StatusCode.UNSET
    assert dict(refused.attributes or {})["error.type"] == "429"
