"""The server's metrics: by endpoint and served entity, and never without bound."""

from openfm.core.usage import TokenCounts, UsageRecord
from openfm.telemetry.metrics import MOST_ENTITIES, OTHERS, Metrics


def usage(entity: str) -> UsageRecord:
    counts = TokenCounts(5, 3)
    return UsageRecord(
        request_id="r",
        principal="ann",
        endpoint="chat",
        served_entity=entity,
        task="llm/v1/chat",
        status=200,
        is_streaming=False,
        received_s=1.0,
        first_token_s=1.5,
        finished_s=2.0,
        queue_s=0.25,
        generated=counts,
        delivered=counts,
    )


def test_requests_tokens_and_times_are_told_by_endpoint_and_served_entity() -> None:
    metrics = Metrics()
    metrics.record(usage("a"))
    told = metrics.exposition().decode()
    where = 'endpoint="chat",served_entity="a"'
    assert f'openfm_requests_total{{{where},status="200",task="llm/v1/chat"}} 1.0' in told
    for name, value in (
        ("prompt_tokens_total", 5.0),
        ("completion_tokens_total", 3.0),
        ("request_queue_time_seconds_sum", 0.25),
        ("time_to_first_token_seconds_sum", 0.5),
        ("time_per_output_token_seconds_sum", 0.25),
        ("request_duration_seconds_sum", 1.0),
    ):
        assert f"openfm_{name}{{{where}}} {value}" in told


def test_entities_without_end_are_counted_together() -> None:
    metrics = Metrics()
    for number in range(MOST_ENTITIES + 50):
        metrics.record(usage(str(number)))
    metrics.record(usage("0"))
    told = metrics.exposition().decode()
    assert told.count("openfm_prompt_tokens_total{") == MOST_ENTITIES + 1
    assert f'openfm_prompt_tokens_total{{endpoint="chat",served_entity="{OTHERS}"}} 250.0' in told
    assert 'openfm_prompt_tokens_total{endpoint="chat",served_entity="0"} 10.0' in told
