"""Health metrics of one endpoint: gauges of the last minute, a histogram of all time.

Names are those of Databricks' metrics export ("Track and export serving endpoint health metrics").
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from threading import Lock

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from openfm.core.usage import UsageRecord

_WINDOW_S = 60.0
_BUCKETS_MS = (10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10000.0, 30000.0, 60000.0, 120000.0)
_LABELS = ("endpoint_name", "served_model_name", "served_model_version")

Labels = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Vitals:
    """What a served entity uses now: percent of its cores and of the machine's memory, and its sequences at once."""

    cpu_percent: float
    memory_percent: float
    slots: int


@dataclass(slots=True)
class _Counts:
    recent: deque[tuple[float, int]] = field(default_factory=deque)
    buckets: list[int] = field(default_factory=lambda: [0] * (len(_BUCKETS_MS) + 1))
    sum_ms: float = 0.0


class EndpointCounters:
    """Counts requests by endpoint and served entity; any thread may ask. `clock` gives epoch seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._counts: dict[tuple[str, str], _Counts] = {}
        self._lock = Lock()

    def record(self, usage: UsageRecord) -> None:
        """Take one finished request in."""
        took_ms = max(0.0, usage.finished_s - usage.received_s) * 1000
        with self._lock:
            counts = self._counts.setdefault((usage.endpoint, usage.served_entity), _Counts())
            counts.recent.append((usage.finished_s, usage.status))
            _forget(counts.recent, usage.finished_s - _WINDOW_S)
            counts.sum_ms += took_ms
            counts.buckets[sum(took_ms > edge for edge in _BUCKETS_MS)] += 1

    def forget(self, endpoint: str) -> None:
        """The endpoint is gone."""
        with self._lock:
            for key in [key for key in self._counts if key[0] == endpoint]:
                del self._counts[key]

    def exposition(self, entities: Mapping[Labels, Vitals]) -> bytes:
        """The metrics of these entities, by endpoint name, entity name and version."""
        registry = CollectorRegistry()
        registry.register(_Collector(list(self._families(entities))))
        return generate_latest(registry)

    def _families(self, entities: Mapping[Labels, Vitals]) -> Iterable[Metric]:
        now = self._clock()
        found = {labels: self._snapshot(labels[:2], now) for labels in entities}
        yield _gauge("cpu_usage_percentage", "CPU use.", {key: vitals.cpu_percent for key, vitals in entities.items()})
        yield _gauge("mem_usage_percentage", "Memory use.", {key: v.memory_percent for key, v in entities.items()})
        yield _gauge(
            "provisioned_concurrent_requests_total", "Sequences at once.", {key: v.slots for key, v in entities.items()}
        )
        yield _gauge(
            "request_count_total", "Requests of the last minute.", {k: len(c.recent) for k, c in found.items()}
        )
        for kind in (4, 5):
            values = {key: sum(status // 100 == kind for _, status in c.recent) for key, c in found.items()}
            yield _gauge(f"request_{kind}xx_count_total", f"Requests of the last minute with {kind}xx.", values)
        latency = HistogramMetricFamily("request_latency_ms", "Request received to last byte.", labels=_LABELS)
        for labels, counts in found.items():
            latency.add_metric(labels, _cumulative(counts.buckets), counts.sum_ms)
        yield latency

    def _snapshot(self, key: tuple[str, str], now: float) -> _Counts:
        """A copy as of now: requests go on being counted while it is read."""
        with self._lock:
            counts = self._counts.get(key)
            if counts is None:
                return _Counts()
            _forget(counts.recent, now - _WINDOW_S)
            return _Counts(counts.recent.copy(), counts.buckets.copy(), counts.sum_ms)


class _Collector:
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """What prometheus-client asks a collector for."""
        return self._families


def _gauge(name: str, text: str, values: Mapping[Labels, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=_LABELS)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family


def _cumulative(buckets: list[int]) -> list[tuple[str, float]]:
    total, found = 0, []
    for edge, count in zip((*map(str, _BUCKETS_MS), "+Inf"), buckets, strict=True):
        total += count
        found.append((edge, float(total)))
    return found


def _forget(recent: deque[tuple[float, int]], before: float) -> None:
    while recent and recent[0][0] < before:
        recent.popleft()
