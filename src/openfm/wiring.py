"""What every role of the server makes of its settings."""

import importlib
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial

from openfm.control.limits.platform import FIXED, PlatformLimit
from openfm.core.limits import LimitRule
from openfm.gateway.admission import Admission, QueueLimits
from openfm.gateway.body import BodyLimits
from openfm.gateway.exchange import ExchangeLog, Sinks
from openfm.gateway.guards import Guards
from openfm.gateway.idempotency import Attempts
from openfm.gateway.invoke import Gateway
from openfm.gateway.ports import Directory, Prices, Roster, ThroughputBook, UsageSink
from openfm.gateway.provision import Provisions
from openfm.gateway.routes import WireOptions
from openfm.limits.budgets import BudgetKeeper, BudgetState
from openfm.limits.limiter import Limiter
from openfm.limits.opening import Counts
from openfm.server.books import Books
from openfm.server.listener import Tls
from openfm.settings import Settings
from openfm.telemetry.metrics import Metrics
from openfm.telemetry.usage_log import UsageLog
from openfm.wire.to_core import BatchLimits


def make_gateway(directory: Directory, roster: Roster, admission: Admission, guards: Guards) -> Gateway:
    """Takes requests to engines."""
    draw: Callable[[], float] = partial(random.uniform, 0, 100)  # a split of traffic needs no secrecy
    return Gateway(directory, roster, admission, guards, draw)


def make_admission(settings: Settings, weights: Mapping[str, float], promised: ThroughputBook) -> Admission:
    """Says who is next; `weights` are shares by the id of who calls, as they are now."""
    limits = QueueLimits(settings.queue_length, settings.queue_deadline_s, settings.engine_precedence)
    provisions = Provisions(promised, time.monotonic)
    return Admission(limits, time.monotonic, weights, provisions)


def make_guards(
    counts: Counts, rules: Callable[[], Sequence[LimitRule]], budgets: Callable[[], BudgetState], prices: Prices
) -> Guards:
    """What each request takes before it is dispatched; `rules` and `budgets` are as they are now."""
    return Guards(Limiter(counts.limits, rules), BudgetKeeper(counts.budgets, budgets, prices))


def make_exchanges(books: Books, counts: Counts, sinks: Sinks, metrics: Metrics) -> ExchangeLog:
    """Begins and ends requests."""
    return ExchangeLog(books.journal, Attempts(counts.keys, books.replays), sinks, metrics, time.time)


def wire_options(settings: Settings) -> WireOptions:
    """How the data plane reads and writes."""
    return WireOptions(
        is_strict=settings.strict,
        reasoning_style=settings.reasoning_style,
        body_limits=BodyLimits(settings.max_body_bytes),
        batch_limits=BatchLimits(settings.max_prompts, settings.max_embedding_inputs),
    )


def tls_of(settings: Settings) -> Tls | None:
    """The certificate to serve with, where there is one."""
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    return Tls(settings.tls_certificate, settings.tls_key)


def platform_limits(settings: Settings) -> Sequence[PlatformLimit]:
    """The bounds that hold for everybody here."""
    return (
        PlatformLimit("body of a query", settings.max_body_bytes, "bytes", "max_body_bytes"),
        PlatformLimit("prompts in a completion request", settings.max_prompts, "prompts", "max_prompts"),
        PlatformLimit("texts in an embedding request", settings.max_embedding_inputs, "texts", "max_embedding_inputs"),
        PlatformLimit("requests in line before a served entity", settings.queue_length, "requests", "queue_length"),
        PlatformLimit("wait in that line", settings.queue_deadline_s, "seconds", "queue_deadline_s"),
        PlatformLimit(
            "wait for a replica that starts", settings.cold_start_deadline_s, "seconds", "cold_start_deadline_s"
        ),
        PlatformLimit("sequences that a chat replica runs at once", settings.engine_slots, "sequences", "engine_slots"),
        PlatformLimit("memory of a question in SQL", settings.sql_memory, "bytes", "sql_memory"),
        PlatformLimit("time of a question in SQL", settings.sql_timeout_s, "seconds", "sql_timeout_s"),
        *FIXED,
    )


class CannotTrace(Exception):  # the message is for people
    """Traces are wanted, and cannot be made."""


@asynccontextmanager
async def usage_sinks(settings: Settings, *sinks: UsageSink) -> AsyncIterator[tuple[UsageSink, ...]]:
    """Who is told of each request: these, the log, and traces where they are wanted. Raises `CannotTrace`."""
    if not settings.tracing:
        yield (UsageLog(), *sinks)
        return
    try:
        tracing = importlib.import_module("openfm.telemetry.tracing")
    except ModuleNotFoundError as error:
        raise CannotTrace(f"Traces need the package {error.name}. Install it: pip install 'openfm[otel]'.") from None
    with tracing.open_traces() as traces:
        yield (UsageLog(), traces, *sinks)
