"""The server is killed while it fetches a model from the hub: the next one ends what it began, and cleans up."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.conftest import Server, StartServer
from tests.integration.test_pull_hub import Hub, running_hub

NAME = "main.default.killed"
_VERSION = f"/api/2.1/unity-catalog/models/{NAME}/versions/1"


@dataclass
class SlowHub(Hub):
    """Sends no file before it may; `asked` once somebody wants one."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    may_send: asyncio.Event = field(default_factory=asyncio.Event)

    async def resolve(self, request: web.Request) -> web.Response:
        if request.method == "GET":
            self.asked.set()
            await self.may_send.wait()
        return await super().resolve(request)


@pytest.fixture
async def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[SlowHub]:
    slow = SlowHub()
    async with running_hub(slow):
        for name, value in slow.environ(tmp_path / "hub").items():
            monkeypatch.setenv(name, value)
        yield slow


async def call(server: Server, method: str, path: str, body: object = None) -> Any:
    headers = {"authorization": f"Bearer {server.token}"}
    async with (
        aiohttp.ClientSession(server.url, headers=headers) as session,
        session.request(method, path, json=body) as response,
    ):
        assert response.status == 200, await response.text()
        return await response.json()


async def killed_while_fetching(start_server: StartServer, hub: SlowHub, home: Path) -> Path:
    """The folder of what was fetched so far."""
    server = await asyncio.to_thread(start_server, home=home)
    await call(server, "POST", f"/api/2.0/openfm/models/{NAME}/register", {"source": "hf://acme/tiny"})
    async with asyncio.timeout(60):
        await hub.asked.wait()
    server.process.kill()
    await asyncio.to_thread(server.process.wait)
    (folder,) = await asyncio.to_thread(fetched, home)
    return folder


def fetched(home: Path) -> list[Path]:
    return list(home.rglob("fetched/*"))


async def settled(server: Server) -> Any:
    for _ in range(600):
        version = await call(server, "GET", _VERSION)
        if version["status"] != "PENDING_REGISTRATION":
            return version
        await asyncio.sleep(0.1)
    raise AssertionError("still pending after a minute")


async def test_an_import_cut_by_a_kill_goes_on_and_leaves_nothing(
    start_server: StartServer, hub: SlowHub, tmp_path: Path
) -> None:
    await killed_while_fetching(start_server, hub, tmp_path)
    hub.may_send.set()
    server = await asyncio.to_thread(start_server, home=tmp_path)
    version = await settled(server)
    assert version["status"] == "READY", version
    server.end()  # which waits for what is being removed
    assert await asyncio.to_thread(fetched, tmp_path) == []


async def test_an_import_cut_by_a_kill_whose_disk_then_fails_is_failed_with_a_sentence(
    start_server: StartServer, hub: SlowHub, tmp_path: Path
) -> None:
    folder = await killed_while_fetching(start_server, hub, tmp_path)
    await asyncio.to_thread(shutil.rmtree, folder)
    folder.write_bytes(b"in the way")
    server = await asyncio.to_thread(start_server, home=tmp_path)
    version = await settled(server)
    assert version["status"] == "FAILED_REGISTRATION"
    assert "register the model again" in version["status_message"]
