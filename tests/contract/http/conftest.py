"""Plain HTTP against a really started server: what any client sees."""

import io
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec
import pytest

from tests.conftest import Server


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return msgspec.json.decode(self.raw)

    @property
    def events(self) -> list[Any]:
        """The `data:` events of a stream, `[DONE]` as it is."""
        blocks = self.raw.decode().split("\n\n")
        assert blocks[-1] == ""
        assert all(block.startswith("data: ") and "\n" not in block for block in blocks[:-1]), blocks
        texts = [block.removeprefix("data: ") for block in blocks[:-1]]
        return [text if text == "[DONE]" else msgspec.json.decode(text) for text in texts]


@dataclass(frozen=True, slots=True)
class Http:
    """A client of one server, with the admin's token."""

    session: aiohttp.ClientSession
    base: str
    token: str

    async def get(self, path: str, **headers: str) -> Answer:
        """GET with the token."""
        return await self._ask("GET", path, None, headers)

    async def post(self, path: str, body: object, **headers: str) -> Answer:
        """POST with the token; a body of bytes goes as it is."""
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return await self._ask("POST", path, raw, headers)

    async def send(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Any method with the token; no body where it is None."""
        return await self._ask(method, path, None if body is None else msgspec.json.encode(body), headers)

    async def ask(self, method: str, path: str, token: str | None) -> Answer:
        """Any method, with this token or none."""
        async with self.session.request(method, self.base + path, headers=_authorization(token)) as response:
            return await _answer(response)

    async def _ask(self, method: str, path: str, raw: bytes | None, headers: Mapping[str, str]) -> Answer:
        data = None if raw is None else io.BytesIO(raw)
        merged = {"content-type": "application/json"} | _authorization(self.token) | dict(headers)
        async with self.session.request(method, self.base + path, data=data, headers=merged) as response:
            return await _answer(response)


async def _answer(response: aiohttp.ClientResponse) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status, headers, await response.read())


def _authorization(token: str | None) -> dict[str, str]:
    return {} if token is None else {"authorization": f"Bearer {token}"}


@pytest.fixture(scope="session")
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """One HTTP client for all."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=200)) as opened:
        yield opened


@pytest.fixture(scope="session")
def http(server: Server, session: aiohttp.ClientSession) -> Http:
    """The server that everybody shares."""
    return Http(session, server.url, server.token)
