"""openfm's data plane as `app.py` wires it, in front of one engine that speaks OpenAI over HTTP.

`app` keeps a journal and three limits that never refuse; `unmetered` keeps neither, to show what they cost.
"""

import atexit
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from openfm.control.endpoints.directory import EndpointDirectory
from openfm.control.identity.token_book import ADMIN, TokenBook
from openfm.core.endpoint import EndpointConfig, EndpointType, Route, ServedEntity, ServingEndpoint
from openfm.core.ledger import LedgerEntry, Settlement
from openfm.core.limits import MOST, LimitRule, LimitScope, Measure
from openfm.core.model import ModelProfile, Task
from openfm.core.price_book import PriceBook
from openfm.core.principal import PermissionLevel, Principal
from openfm.core.usage import Demand, TokenCounts
from openfm.engines.openai_http import Address, OpenAiHttpEngine
from openfm.gateway import ports as gateway_ports
from openfm.gateway.admission import Admission, QueueLimits
from openfm.gateway.asgi import Receive, Scope, Send
from openfm.gateway.exchange import ExchangeLog, Sinks
from openfm.gateway.guards import Guards
from openfm.gateway.idempotency import Attempts
from openfm.gateway.invoke import Gateway
from openfm.gateway.ports import Ledger, Replica
from openfm.gateway.routes import DataPlane
from openfm.limits.in_process import InProcessLimits
from openfm.limits.key_store import InProcessKeys
from openfm.limits.limiter import FreeAllowance, Limiter
from openfm.metering.journal import open_journal
from openfm.metering.journal_folder import JournalFolder
from openfm.server.background import keep_what_is_here
from openfm.telemetry.endpoint_metrics import EndpointCounters
from openfm.telemetry.logging import LogFormat, configure_logging
from openfm.telemetry.metrics import Metrics
from openfm.telemetry.usage_log import UsageLog

TOKEN = "benchmark"
ENDPOINT = "mock"


@dataclass(slots=True)
class _MockReplica:
    engine: OpenAiHttpEngine
    id: str = "mock-1"
    slots: int = 256
    ongoing: int = 0
    hardware: frozenset[str] = frozenset()

    @contextmanager
    def hold(self) -> Iterator[OpenAiHttpEngine]:
        self.ongoing += 1
        try:
            yield self.engine
        finally:
            self.ongoing -= 1


class _MockRoster:
    def __init__(self, replica: Replica) -> None:
        self._ready = (replica,)

    async def ready(self, entity: ServedEntity) -> Sequence[Replica]:
        del entity
        return self._ready


class _Everybody:
    def level(self, caller: Principal, endpoint_id: str) -> PermissionLevel | None:
        del caller, endpoint_id
        return PermissionLevel.CAN_QUERY


def _endpoint() -> ServingEndpoint:
    model = ModelProfile("mock", "mock-010126", "Mock", "", "", Task.CHAT, context_length=8192)
    entity = ServedEntity("mock", "system.ai.mock", "1", model, "mock")
    config = EndpointConfig(1, (entity,), (Route("mock", 100),))
    return ServingEndpoint("0", ENDPOINT, Task.CHAT, EndpointType.FOUNDATION_MODEL_API, "system", 0, 0, config)


class _NoLimiter:
    async def reserve(self, caller: Principal, endpoint: ServingEndpoint, demand: Demand) -> FreeAllowance:
        del caller, endpoint, demand
        return FreeAllowance()


class _NoLedger:
    def reserve(self, entry: LedgerEntry) -> None: ...

    def checkpoint(self, request_id: str, delivered: TokenCounts) -> None: ...

    def settle(self, settlement: Settlement) -> None: ...


def _journal() -> Ledger:
    folder = tempfile.mkdtemp(prefix="openfm-bench-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return open_journal(JournalFolder(Path(folder)), lambda: time.time_ns() // 1000)


def _limiter() -> Limiter:
    rules = (
        LimitRule(LimitScope.USER, Measure.REQUESTS, MOST, 60),
        LimitRule(LimitScope.USER, Measure.TOKENS, MOST, 60),
        LimitRule(LimitScope.ALL, Measure.CONCURRENCY, MOST, None),
    )
    return Limiter(InProcessLimits(time.monotonic), lambda: rules)


class _Lazy:
    """Builds the data plane on the server's own loop, where its HTTP client must live."""

    def __init__(self, make: Callable[[], DataPlane]) -> None:
        self._make = make
        self._app: DataPlane | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if self._app is None:
            self._app = self._make()
            keep_what_is_here()
        await self._app(scope, receive, send)


def _data_plane(limiter: gateway_ports.Limiter, ledger: Ledger) -> DataPlane:
    configure_logging(LogFormat.JSON)
    roster = _MockRoster(_MockReplica(OpenAiHttpEngine(Address(os.environ["BENCH_ENGINE_URL"]))))
    admission = Admission(QueueLimits(), time.monotonic)
    gateway = Gateway(EndpointDirectory(_Everybody(), [_endpoint()]), roster, admission, Guards(limiter), lambda: 0.0)
    metrics = Metrics()
    sinks = Sinks((UsageLog(), metrics, EndpointCounters(time.time)))
    exchanges = ExchangeLog(ledger, Attempts(InProcessKeys(time.time)), sinks, metrics, time.time)
    return DataPlane(gateway, TokenBook({TOKEN: ADMIN}), exchanges, PriceBook(()))


app = _Lazy(lambda: _data_plane(_limiter(), _journal()))
unmetered = _Lazy(lambda: _data_plane(_NoLimiter(), _NoLedger()))
