"""The server's front door: which plane answers a path, and the few routes that belong to none."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from openfm.control.endpoints.ports import Deployments
from openfm.control.workspace.links import base_url
from openfm.core.endpoint import DeploymentState, ServingEndpoint
from openfm.core.errors import ApiError, MethodNotAllowed, PermissionDenied
from openfm.gateway.asgi import Receive, Scope, Send
from openfm.gateway.auth import authenticate
from openfm.gateway.ports import TokenVerifier
from openfm.telemetry.metrics import Metrics
from openfm.wire.manner import ErrorShape
from openfm.wire.problems import problem

AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Answer = tuple[int, bytes, bytes]  # status, content type, body

_JSON = b"application/json"
_SESSION = "/ui/session"
_EXPOSITION = b"text/plain; version=0.0.4; charset=utf-8"
_ACCOUNT_ID = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class Planes:
    """The applications behind the door; `gateways` is for gateways in other processes, `pages` for browsers."""

    data: AsgiApp
    management: AsgiApp
    gateways: AsgiApp
    pages: AsgiApp


class Readiness(Protocol):
    """Knows whether this process can do its work."""

    def readiness(self) -> Answer:
        """200, or 503 with the reasons."""
        ...


class FrontDoor:
    """Health, metrics and the host's self-description answer here, at once; they ask nobody who could be slow."""

    def __init__(
        self, planes: Planes, health: Readiness, metrics: "MetricsPage", description: "HostDescription"
    ) -> None:
        self._planes = planes
        self._own: dict[str, Callable[[Scope], Answer]] = {
            "/.well-known/databricks-config": description.databricks_config,
            "/health/live": lambda _: (200, _JSON, b'{"status":"live"}'),
            "/health/ready": lambda _: health.readiness(),
            "/metrics": metrics.page,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection's request."""
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        own = self._own.get(path)
        if own is not None:
            await _send(send, scope["method"], _answer(own, scope))
        elif path.startswith(("/v1/", "/serving-endpoints/")):
            await self._planes.data(scope, receive, send)
        elif path.startswith("/internal/"):
            await self._planes.gateways(scope, receive, send)
        elif path in ("/", "/ui") or (path.startswith("/ui/") and path != _SESSION):
            await self._planes.pages(scope, receive, send)
        else:
            await self._planes.management(scope, receive, send)


def readiness(reasons: Mapping[str, str]) -> Answer:
    """200, or 503 where there are reasons, by endpoint."""
    if not reasons:
        return 200, _JSON, b'{"status":"ready"}'
    return 503, _JSON, msgspec.json.encode({"status": "not_ready", "endpoints": reasons})


class Health:
    """Ready when every default endpoint is. `endpoints` gives those as they are now."""

    def __init__(self, endpoints: Callable[[], Sequence[ServingEndpoint]], deployments: Deployments) -> None:
        self._endpoints = endpoints
        self._deployments = deployments

    @property
    def waiting_for(self) -> dict[str, str]:
        """The endpoints that are not READY, and why."""
        reasons = {}
        for endpoint in self._endpoints():
            for entity in endpoint.active.served_entities:
                deployment = self._deployments.deployment(entity)
                if deployment.state is not DeploymentState.READY:
                    reasons[endpoint.name] = f"{deployment.state}: {deployment.message}"
        return reasons

    def readiness(self) -> Answer:
        """200, or 503 with the reasons."""
        return readiness(self.waiting_for)


@dataclass(frozen=True, slots=True)
class MetricsPage:
    """The server's metrics in Prometheus' format.

    They name every endpoint, private ones too: so with `tokens` only an admin's opens them. None leaves them open, for
    a server that nobody but its own machine reaches.
    """

    metrics: Metrics
    tokens: TokenVerifier | None

    def page(self, scope: Scope) -> Answer:
        """All of them. Raises `Unauthenticated`, `PermissionDenied`."""
        if self.tokens is not None and not authenticate(scope["headers"], self.tokens).is_admin:
            raise PermissionDenied("Only admins may read the server's metrics. Give Prometheus an admin's token.")
        return 200, _EXPOSITION, self.metrics.exposition()


@dataclass(frozen=True, slots=True)
class HostDescription:
    """What databricks-sdk asks of every host before anything else (its `Config`)."""

    workspace_id: str
    public_url: str | None

    def databricks_config(self, scope: Scope) -> Answer:
        """Where OAuth is, and which workspace this is."""
        url = base_url(self.public_url, scope)
        body = {"oidc_endpoint": f"{url}/oidc", "account_id": _ACCOUNT_ID, "workspace_id": self.workspace_id}
        return 200, _JSON, msgspec.json.encode(body)


def _answer(own: Callable[[Scope], Answer], scope: Scope) -> Answer:
    try:
        if scope["method"] not in ("GET", "HEAD"):
            raise MethodNotAllowed(scope["method"], "GET")
        return own(scope)
    except ApiError as error:
        refused = problem(error, ErrorShape.DATABRICKS)
        return refused.status, _JSON, refused.body


async def _send(send: Send, method: str, answer: Answer) -> None:
    status, content_type, body = answer
    headers = [(b"content-type", content_type), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})
