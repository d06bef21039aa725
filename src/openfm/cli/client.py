"""A thin HTTP client of openfm's own API."""

import io
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import aiohttp
from yarl import URL

from openfm.cli.errors import CliError, ExitCode, ServerError, from_status
from openfm.cli.profile import Server
from openfm.wire.sse import SseDecoder

_CONNECT_TIMEOUT_S = 10
_READ_TIMEOUT_S = 600
_END = b"[DONE]"
_UNAUTHENTICATED = 401
_TOKEN_HINT = "Give a token with --token or OPENFM_TOKEN; the server's own is in HOME/admin-token."


@dataclass(frozen=True, slots=True)
class Client:
    """An open connection to one server. Every method raises `CliError` when the server does not answer with 2xx."""

    server: Server
    session: aiohttp.ClientSession

    async def list_endpoints(self) -> list[dict[str, Any]]:
        """Every endpoint the caller may see."""
        body = await self._json("GET", "/api/2.0/serving-endpoints")
        return cast("list[dict[str, Any]]", body.get("endpoints", []))

    async def get_endpoint(self, name: str) -> dict[str, Any]:
        """One endpoint, whole."""
        return await self._json("GET", f"/api/2.0/serving-endpoints/{quote(name, safe='')}")

    async def query(self, name: str, body: Mapping[str, object], idempotency_key: str | None = None) -> dict[str, Any]:
        """The endpoint's answer to `body`; with a key the server makes and bills one at most."""
        return await self._json("POST", _invocations(name), body, idempotency_key)

    async def stream(self, name: str, body: Mapping[str, object]) -> AsyncGenerator[dict[str, Any], None]:
        """The chunks of the endpoint's answer, as they come."""
        async with self._sent("POST", _invocations(name), {**body, "stream": True}) as response:
            decoder = SseDecoder()
            async for piece in response.content.iter_any():
                for data in decoder.feed(piece):
                    if data == _END:
                        return
                    chunk = _decoded(data, self.server.url)
                    if "error" in chunk or "error_code" in chunk:
                        raise _failure(502, chunk)
                    yield chunk
        raise CliError("The answer broke off.", ExitCode.UNHEALTHY, hint="The server's log says why.")

    async def call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        """Any route's JSON answer; what goes into `path` from outside must be quoted."""
        return await self._json(method, path, body)

    async def text(self, path: str) -> str:
        """A route's answer that is text, not JSON."""
        async with self._sent("GET", path) as response:
            return await response.text()

    async def download(self, path: str, to: Path) -> int:
        """A route's answer into a file, which is there once it is whole; how many bytes. Raises `OSError` too."""
        draft = to.with_name(f"{to.name}.part")
        async with self._sent("GET", path) as response:
            try:
                with draft.open("wb") as file:
                    async for piece in response.content.iter_any():
                        file.write(piece)
                    size = file.tell()
                draft.replace(to)
            finally:
                draft.unlink(missing_ok=True)
        return size

    async def put_bytes(self, path: str, content: bytes) -> None:
        """Send bytes as they are."""
        async with self._sent("PUT", path, content):
            pass

    async def _json(
        self, method: str, path: str, body: Mapping[str, object] | None = None, idempotency_key: str | None = None
    ) -> dict[str, Any]:
        async with self._sent(method, path, body, idempotency_key) as response:
            content = await response.read()
            return _decoded(content, self.server.url) if content else {}

    @asynccontextmanager
    async def _sent(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | bytes | None = None,
        idempotency_key: str | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = {"Authorization": f"Bearer {self.server.token}"} if self.server.token else {}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        url = self.server.url
        content: dict[str, Any] = {"data": io.BytesIO(body)} if isinstance(body, bytes) else {"json": body}
        try:
            async with self.session.request(
                method, URL(url + path, encoded=True), headers=headers, **content
            ) as response:
                if response.status >= 300:
                    raise _failure(response.status, _decoded(await response.read(), url), _pause_s(response))
                yield response
        except aiohttp.InvalidURL:
            raise CliError(f"'{url}' is no URL.", ExitCode.USAGE) from None
        except aiohttp.ServerTimeoutError as error:
            raise CliError(f"{url} did not answer in time.", ExitCode.TIMED_OUT) from error
        except aiohttp.ClientError as error:
            raise CliError(
                f"{url} cannot be reached: {error}.",
                ExitCode.UNREACHABLE,
                hint="Is the server running? `openfm serve` starts it, `openfm doctor` looks for what is wrong.",
            ) from error


@asynccontextmanager
async def connected(server: Server) -> AsyncIterator[Client]:
    """A client for the length of one command."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT_S, sock_read=_READ_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=True) as session:
        yield Client(server, session)


def _invocations(name: str) -> str:
    return f"/serving-endpoints/{quote(name, safe='')}/invocations"


def _decoded(body: bytes, url: str) -> dict[str, Any]:
    try:
        decoded = json.loads(body)
    except ValueError:
        decoded = None
    if not isinstance(decoded, dict):
        raise CliError(f"{url} answers, but not as openfm does.", hint="Check --url, OPENFM_URL and DATABRICKS_HOST.")
    return decoded


def _pause_s(response: aiohttp.ClientResponse) -> float | None:
    try:
        return float(response.headers["retry-after-ms"]) / 1000
    except (KeyError, ValueError):
        return None


def _failure(status: int, body: Mapping[str, Any], retry_after_s: float | None = None) -> CliError:
    """The server's error, in whichever shape it came."""
    error = body.get("error")
    nested = error if isinstance(error, dict) else {}
    message = body.get("message") or nested.get("message") or f"The server answers {status}."
    code = from_status(status)
    error_code = body.get("error_code") or nested.get("code") or ""
    hint = _TOKEN_HINT if status == _UNAUTHENTICATED else ""
    return ServerError(str(message), code, error_code=str(error_code), hint=hint).after(status, retry_after_s)
