"""Clients that keep a server busy while something happens to it, and what became of their requests."""

import asyncio
import io
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import aiohttp
import msgspec

from tests.conftest import Server

_DONE = b"data: [DONE]\n\n"


@dataclass(slots=True)
class Outcome:
    """What became of the requests: whole, refused before the first byte, ended by an error event, or cut."""

    whole: int = 0
    failed: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    entities: Counter[str] = field(default_factory=Counter)
    finished_s: list[float] = field(default_factory=list)

    @property
    def lost(self) -> list[str]:
        """All that were not whole."""
        return self.failed + self.cut


class Load:
    """`clients` callers that stream one answer after the other from an endpoint until told to end.

    `pause_s` is how long each rests between its requests.
    """

    def __init__(self, server: Server, endpoint: str, clients: int, *, pause_s: float = 0.0, **body: object) -> None:
        self._url = f"{server.url}/serving-endpoints/{endpoint}/invocations"
        self._headers = {"authorization": f"Bearer {server.token}"}
        self._body = {"messages": [{"role": "user", "content": "Count to ten."}], "stream": True} | body
        self._clients = clients
        self._pause_s = pause_s
        self._tasks: list[asyncio.Task[None]] = []
        self._is_ending = False
        self.outcome = Outcome()

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None), connector=aiohttp.TCPConnector(limit=0)
        )
        self._tasks = [asyncio.create_task(self._client(number)) for number in range(self._clients)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_ending = True
        try:
            await asyncio.gather(*self._tasks)
        finally:
            await self._session.close()

    async def until(self, answers: int) -> None:
        """Wait until that many more answers are whole."""
        wanted = self.outcome.whole + answers
        async with asyncio.timeout(120):
            while self.outcome.whole < wanted:  # noqa: ASYNC110  # looks at a real server
                await asyncio.sleep(0.05)

    async def _client(self, number: int) -> None:
        while not self._is_ending:
            await self._ask(number)
            await asyncio.sleep(self._pause_s)

    async def _ask(self, number: int) -> None:
        outcome, received = self.outcome, b""
        try:
            async with self._session.post(
                self._url, json=self._body | {"seed": number}, headers=self._headers
            ) as answer:
                async for chunk in answer.content.iter_any():
                    received += chunk
                if answer.status != 200:
                    outcome.failed.append(f"{answer.status} {received[:300].decode()}")
                    await asyncio.sleep(0.05)
                elif received.endswith(_DONE):
                    outcome.whole += 1
                    outcome.entities[answer.headers["served-model-name"]] += 1
                    outcome.finished_s.append(time.monotonic())
                else:
                    outcome.cut.append(received[-300:].decode())
        except aiohttp.ClientError as error:
            outcome.cut.append(repr(error))


class Management:
    """The management API, as plain HTTP."""

    def __init__(self, server: Server, session: aiohttp.ClientSession) -> None:
        self._base = server.url
        self._headers = {"authorization": f"Bearer {server.token}"}
        self._session = session

    async def ask(self, method: str, path: str, body: object = None) -> Mapping[str, object]:
        """The answer's JSON. Raises AssertionError for anything but 2xx."""
        raw = None if body is None else msgspec.json.encode(body)
        async with self._session.request(method, self._base + path, data=raw, headers=self._headers) as answer:
            text = await answer.read()
            assert answer.status < 300, f"{method} {path}: {answer.status} {text[:500].decode()}"
            found: Mapping[str, object] = msgspec.json.decode(text)
            return found

    async def upload(self, path: str, content: bytes) -> None:
        """PUT a file."""
        async with self._session.put(self._base + path, data=io.BytesIO(content), headers=self._headers) as answer:
            assert answer.status == 204, await answer.text()

    async def settled(self, name: str, timeout_s: float = 120) -> Mapping[str, object]:
        """The endpoint once no update of it is under way."""
        async with asyncio.timeout(timeout_s):
            while True:
                endpoint = await self.ask("GET", f"/api/2.0/serving-endpoints/{name}")
                state = endpoint["state"]
                assert isinstance(state, dict)
                if state["config_update"] != "IN_PROGRESS":
                    return endpoint
                await asyncio.sleep(0.05)


async def register(management: Management, name: str, file: Path) -> str:
    """A new version of a registered model from one file; its number."""
    root = "/api/2.0/mlflow/unity-catalog"
    with suppress(AssertionError):  # the model is there from before
        await management.ask("POST", f"{root}/registered-models/create", {"name": name})
    made = await management.ask("POST", f"{root}/model-versions/create", {"name": name, "source": str(file)})
    version = made["model_version"]
    assert isinstance(version, dict)
    number = str(version["version"])
    await management.upload(
        f"/api/2.0/fs/files/Models/{name.replace('.', '/')}/{number}/{file.name}",
        await asyncio.to_thread(file.read_bytes),
    )
    await management.ask("POST", f"{root}/model-versions/finalize", {"name": name, "version": number})
    return number
