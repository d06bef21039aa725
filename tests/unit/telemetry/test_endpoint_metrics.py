from concurrent.futures import ThreadPoolExecutor
from threading import Event

from prometheus_client.parser import text_string_to_metric_families

from openfm.core.usage import TokenCounts, UsageRecord
from openfm.telemetry.endpoint_metrics import EndpointCounters, Vitals

LABELS = ("mine", "first", "1")


def usage(status: int, finished_s: float, took_s: float = 0.2) -> UsageRecord:
    counts = TokenCounts(1, 1)
    times = (finished_s - took_s, None, finished_s)
    return UsageRecord("r", "ann", "mine", "first", "llm/v1/chat", status, False, *times, 0.0, counts, counts)  # noqa: FBT003


def values(counters: EndpointCounters) -> dict[str, float]:
    text = counters.exposition({LABELS: Vitals(12.5, 3.0, 4)}).decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {sample.name + sample.labels.get("le", ""): sample.value for sample in samples}


def test_gauges_are_of_the_last_minute_and_the_histogram_of_all_time() -> None:
    now = [100.0]
    counters = EndpointCounters(lambda: now[0])
    for status, finished_s in ((200, 10.0), (200, 70.0), (404, 80.0), (503, 90.0)):
        counters.record(usage(status, finished_s))
    found = values(counters)
    assert found["request_count_total"] == 3
    assert (found["request_4xx_count_total"], found["request_5xx_count_total"]) == (1, 1)
    assert (found["request_latency_ms_count"], found["request_latency_ms_bucket250.0"]) == (4, 4)
    assert found["request_latency_ms_bucket100.0"] == 0
    assert found["cpu_usage_percentage"] == 12.5
    now[0] = 200.0
    assert values(counters)["request_count_total"] == 0


def test_a_deleted_endpoint_is_forgotten() -> None:
    counters = EndpointCounters(lambda: 0.0)
    counters.record(usage(200, 0.0))
    counters.forget("mine")
    assert values(counters)["request_latency_ms_count"] == 0


def test_counting_and_reading_at_once_disturb_each_other_not_at_all() -> None:
    counters = EndpointCounters(lambda: 0.0)
    counters.record(usage(200, 0.0))
    is_over = Event()

    def count() -> None:
        while not is_over.is_set():
            counters.record(usage(200, 0.0))

    with ThreadPoolExecutor(1) as pool:
        counting = pool.submit(count)
        try:
            for _ in range(20):
                assert values(counters)["request_count_total"] >= 1
        finally:
            is_over.set()
        counting.result()
