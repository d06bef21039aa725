"""openfm's data plane as `app.py` wires it, in front of one engine that speaks OpenAI over HTTP."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from openfm.control.endpoints.directory import EndpointDirectory
from openfm.control.identity.token_book import ADMIN, TokenBook
from openfm.core.endpoint import EndpointConfig, EndpointType, Route, ServedEntity, ServingEndpoint
from openfm.core.model import ModelProfile, Task
from openfm.core.principal import PermissionLevel, Principal
from openfm.engines.openai_http import Address, OpenAiHttpEngine
from openfm.gateway.admission import Admission, QueueLimits
from openfm.gateway.asgi import Receive, Scope, Send
from openfm.gateway.exchange import ExchangeLog
from openfm.gateway.invoke import Gateway
from openfm.gateway.ports import Replica
from openfm.gateway.routes import DataPlane
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


class _Lazy:
    """Builds the data plane on the server's own loop, where its HTTP client must live."""

    def __init__(self) -> None:
        self._app: DataPlane | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if self._app is None:
            self._app = _data_plane(os.environ["BENCH_ENGINE_URL"])
        await self._app(scope, receive, send)


def _data_plane(engine_url: str) -> DataPlane:
    configure_logging(LogFormat.JSON)
    roster = _MockRoster(_MockReplica(OpenAiHttpEngine(Address(engine_url))))
    admission = Admission(QueueLimits(), time.monotonic)
    gateway = Gateway(EndpointDirectory(_Everybody(), [_endpoint()]), roster, admission, lambda: 0.0)
    metrics = Metrics()
    sinks = (UsageLog(), metrics, EndpointCounters(time.time))
    return DataPlane(gateway, TokenBook({TOKEN: ADMIN}), ExchangeLog(sinks, metrics, time.time))


app = _Lazy()
