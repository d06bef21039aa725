"""Serving endpoints as the command line asks for them: one method a request, the server's JSON as the answer."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from openfm.cli.client import Client, connected
from openfm.cli.errors import CliError, ExitCode
from openfm.cli.profile import Given, environment, find_server

_ROOT = "/api/2.0/serving-endpoints"
_PERMISSIONS = "/api/2.0/permissions/serving-endpoints"
Facts = dict[str, Any]
Body = Mapping[str, object]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Endpoints of one server. Every method raises `CliError`."""

    client: Client

    async def get(self, name: str) -> Facts:
        """One endpoint."""
        return await self.client.get_endpoint(name)

    async def create(self, body: Body, *, route: str = "") -> Facts:
        """A new endpoint; `route` "/pt" takes throughput in model units."""
        return await self.client.call("POST", _ROOT + route, body)

    async def update_config(self, name: str, body: Body) -> Facts:
        """Another config."""
        return await self.client.call("PUT", f"{_endpoint(name)}/config", body)

    async def update_provisioned(self, name: str, body: Body) -> Facts:
        """Another config, with throughput in model units."""
        return await self.client.call("PUT", f"{_ROOT}/pt/{_quoted(name)}/config", body)

    async def delete(self, name: str) -> None:
        """Delete it."""
        await self.client.call("DELETE", _endpoint(name))

    async def act(self, name: str, action: str) -> Facts:
        """One of the config's actions: stop, start, cancel."""
        return await self.client.call("POST", f"{_endpoint(name)}/config:{action}", {})

    async def change(self, method: str, name: str, part: str, body: Body) -> Facts:
        """Change a part of it: tags, rate-limits, ai-gateway."""
        return await self.client.call(method, f"{_endpoint(name)}/{part}", body)

    async def logs(self, name: str, served: str, kind: str = "logs") -> str:
        """The end of a served entity's log; `kind` is "logs" or "build-logs"."""
        found = await self.client.call("GET", f"{_endpoint(name)}/served-models/{_quoted(served)}/{kind}")
        return str(found.get("logs") or "")

    async def metrics(self, name: str) -> str:
        """Its metrics, in Prometheus' text format."""
        return await self.client.text(f"{_endpoint(name)}/metrics")

    async def openapi(self, name: str) -> Facts:
        """Its own API."""
        return await self.client.call("GET", f"{_endpoint(name)}/openapi")

    async def id_of(self, name: str) -> str:
        """The id that permissions are kept under; what is no endpoint's name is taken for an id."""
        try:
            return str((await self.get(name)).get("id") or name)
        except CliError as error:
            if error.exit_code is not ExitCode.NOT_FOUND:
                raise
            return name

    async def permissions(self, method: str, name: str, body: Body | None = None) -> Facts:
        """Read, replace (PUT) or add to (PATCH) who may do what."""
        return await self.client.call(method, f"{_PERMISSIONS}/{_quoted(await self.id_of(name))}", body)

    async def permission_levels(self, name: str) -> Facts:
        """Which levels there are."""
        return await self.client.call("GET", f"{_PERMISSIONS}/{_quoted(await self.id_of(name))}/permissionLevels")


def ask(given: Given, question: Callable[[Endpoints], Awaitable[T]]) -> T:
    """Ask the server one thing, or several in a row."""

    async def asked() -> T:
        async with connected(find_server(given, environment())) as client:
            return await question(Endpoints(client))

    return asyncio.run(asked())


def _endpoint(name: str) -> str:
    return f"{_ROOT}/{_quoted(name)}"


def _quoted(name: str) -> str:
    return quote(name, safe="")
