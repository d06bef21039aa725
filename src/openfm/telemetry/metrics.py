"""Every metric of the server, in one table. Labels are bounded, and never a caller.

Names and buckets follow OpenTelemetry's GenAI conventions where they have one (`gen_ai.server.*`).
"""

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from openfm.core.usage import UsageRecord

_TTFT_BUCKETS = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80)
_TPOT_BUCKETS = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5)
_DURATION_BUCKETS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_LAG_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1)
_WHERE = ("endpoint", "served_entity")

MOST_ENTITIES = 1000
"""Served entities, of all endpoints, that have labels of their own."""

OTHERS = "(others)"
"""The label of all that come after them."""


class Metrics:
    """The server's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = self._counter("requests", "Requests answered.", *_WHERE, "task", "status")
        self._running = Gauge("openfm_requests_running", "Requests being answered now.", registry=self._registry)
        self._prompt = self._counter("prompt_tokens", "Prompt tokens processed.", *_WHERE)
        self._cached = self._counter("cached_prompt_tokens", "Prompt tokens from the prefix cache.", *_WHERE)
        self._completion = self._counter("completion_tokens", "Completion tokens generated.", *_WHERE)
        self._delivered = self._counter("delivered_tokens", "Completion tokens handed to the client.", *_WHERE)
        self._queue = self._histogram("request_queue_time", "Time in line.", _TTFT_BUCKETS, *_WHERE)
        self._ttft = self._histogram("time_to_first_token", "Request received to first token.", _TTFT_BUCKETS, *_WHERE)
        self._tpot = self._histogram("time_per_output_token", "Mean after the first token.", _TPOT_BUCKETS, *_WHERE)
        self._duration = self._histogram("request_duration", "Received to last byte.", _DURATION_BUCKETS, *_WHERE)
        self._known: set[tuple[str, str]] = set()
        self._limited = self._counter("limits_hit", "Requests refused by a limit.", "endpoint", "measure")
        self._over_budget = self._counter("budget_refusals", "Requests refused by a budget.", "budget")
        self._budgets = Gauge(
            "openfm_budget_spent_ratio", "Share of a budget that is spent.", ("budget",), registry=self._registry
        )
        self._dropped = self._counter("payloads_dropped", "Requests left out of an inference table.")
        self._ledger_lag = Gauge(
            "openfm_ledger_lag_bytes", "Bytes of journals that are not in the ledger yet.", registry=self._registry
        )
        self._untold = self._counter("untold_tokens", "Tokens that engines counted and no answer told.", "model")
        self._by_engine = Gauge(
            "openfm_engine_completion_tokens",
            "Completion tokens by the counter of the engine that was idle last.",
            ("model",),
            registry=self._registry,
        )
        self._utilisation = Gauge(
            "openfm_provisioned_utilization",
            "Provisioned throughput in use; 1 is all of it.",
            ("endpoint", "served_entity"),
            registry=self._registry,
        )
        self._provisioned: Callable[[], Mapping[tuple[str, str], float]] = dict
        self._lag = self._histogram("loop_lag", "Lateness of the event loop.", _LAG_BUCKETS)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"openfm_{name}_total", text, labels, registry=self._registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"openfm_{name}_seconds", text, labels, buckets=buckets, registry=self._registry)

    def request_began(self) -> None:
        """A request arrived."""
        self._running.inc()

    def request_ended(self) -> None:
        """A request left, answered or not."""
        self._running.dec()

    def record(self, usage: UsageRecord) -> None:
        """Count one request that reached an endpoint."""
        where = self._where(usage.endpoint, usage.served_entity)
        self._requests.labels(*where, usage.task, str(usage.status)).inc()
        self._prompt.labels(*where).inc(usage.generated.prompt)
        self._cached.labels(*where).inc(usage.generated.cached)
        self._completion.labels(*where).inc(usage.generated.completion)
        self._delivered.labels(*where).inc(usage.delivered.completion)
        self._duration.labels(*where).observe(max(0.0, usage.finished_s - usage.received_s))
        if usage.first_token_s is None:
            return
        self._queue.labels(*where).observe(usage.queue_s)
        self._ttft.labels(*where).observe(max(0.0, usage.first_token_s - usage.received_s))
        if usage.generated.completion > 1:
            decode_s = max(0.0, usage.finished_s - usage.first_token_s)
            self._tpot.labels(*where).observe(decode_s / (usage.generated.completion - 1))

    def _where(self, endpoint: str, entity: str) -> tuple[str, str]:
        """The labels: updates name new entities without end, so those after the first many are counted together."""
        where = endpoint, entity
        if where not in self._known:
            if len(self._known) >= MOST_ENTITIES:
                return endpoint, OTHERS
            self._known.add(where)
        return where

    def limit_hit(self, endpoint: str, measure: str) -> None:
        """A limit on `measure` refused a request to the endpoint."""
        self._limited.labels(endpoint, measure).inc()

    def budget_refused(self, budget: str) -> None:
        """A budget had less left than a request may cost."""
        self._over_budget.labels(budget).inc()

    def payload_dropped(self) -> None:
        """A request was left out of its inference table: there was no room, or the database cannot keep it."""
        self._dropped.inc()

    def budgets_stand(self, shares: Mapping[str, float]) -> None:
        """The share of each budget that is spent, by name: 1 is all of it."""
        self._budgets.clear()
        for budget, share in shares.items():
            self._budgets.labels(budget).set(share)

    def watch_ledger(self, lag_bytes: Callable[[], int]) -> None:
        """Ask `lag_bytes` at each exposition."""
        self._ledger_lag.set_function(lag_bytes)

    def watch_provisioned(self, utilisations: Callable[[], Mapping[tuple[str, str], float]]) -> None:
        """Ask `utilisations`, by endpoint and served entity, at each exposition."""
        self._provisioned = utilisations

    def audited(self, model: str, untold: int, by_engine: int) -> None:
        """An idle engine's own count of completion tokens, and how many of them no answer told since the last audit."""
        self._untold.labels(model).inc(untold)
        self._by_engine.labels(model).set(by_engine)

    def observe_loop_lag(self, lag_s: float) -> None:
        """The event loop came `lag_s` seconds late to a timer."""
        self._lag.observe(lag_s)

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format."""
        self._utilisation.clear()
        for (endpoint, entity), share in self._provisioned().items():
            self._utilisation.labels(endpoint, entity).set(share)
        return generate_latest(self._registry)
