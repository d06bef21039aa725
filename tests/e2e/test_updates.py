"""Updates of endpoints while clients use them, with real engines."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from tests.conftest import Server, StartServer
from tests.e2e.load import Load, Management, register

_CHAT = "system.ai.smollm2_135m_instruct"
_ROOT = "/api/2.0/serving-endpoints"


def entity(name: str, **change: object) -> dict[str, object]:
    """A served entity."""
    return {"name": name, "entity_name": _CHAT, "entity_version": "1"} | change


@pytest.fixture(scope="module")
def own(start_server: StartServer) -> Iterator[Server]:
    """A server for endpoints of one's own."""
    server = start_server(engine_slots="8", cold_start_deadline_s="100", scale_to_zero_after_s="2")
    yield server
    server.end()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
def management(own: Server, session: aiohttp.ClientSession) -> Management:
    return Management(own, session)


def say(line: str) -> None:
    """A figure for whoever runs the tests with `-s`."""
    sys.stdout.write(f"\n{line}\n")


async def created(management: Management, name: str, *entities: dict[str, object], **config: object) -> Any:
    body = {"name": name, "config": {"served_entities": list(entities), **config}}
    shown: Any = await management.ask("POST", _ROOT, body)
    assert shown["state"] == {"ready": "NOT_READY", "config_update": "IN_PROGRESS"}
    assert shown["pending_config"]["served_entities"][0]["state"]["deployment"] == "DEPLOYMENT_CREATING"
    ready: Any = await management.settled(name)
    assert ready["state"] == {"ready": "READY", "config_update": "NOT_UPDATING"}, ready
    return ready


async def test_a_rolling_update_under_load_fails_no_request_and_cuts_no_stream(
    own: Server, management: Management
) -> None:
    await created(management, "rolling", entity("old"))
    async with Load(own, "rolling", clients=32, max_tokens=12) as load:
        await load.until(32)
        config = {"served_entities": [entity("new", workload_type="CPU_MEDIUM")]}  # replicas of its own
        await management.ask("PUT", f"{_ROOT}/rolling/config", config)
        ended: Any = await management.settled("rolling")
        await load.until(64)
    assert ended["config"]["config_version"] == 2
    assert load.outcome.lost == []
    assert load.outcome.entities["old"] >= 32
    assert load.outcome.entities["new"] >= 32
    say(f"rolling update: {dict(load.outcome.entities)}, lost 0")
    await management.ask("DELETE", f"{_ROOT}/rolling")


def engine_of(own: Server, entity_name: str) -> psutil.Process | None:
    """The worker process of the endpoint's only replica, found by its log file."""
    for child in psutil.Process(own.process.pid).children(recursive=True):
        if any(entity_name in file.path for file in child.open_files()):
            return child
    return None


@pytest.fixture
def broken(chat_model_file: Path, tmp_path: Path) -> Path:
    """A whole GGUF by its header; only the engine finds out that it is no model."""
    file = tmp_path / "broken.gguf"
    file.write_bytes(chat_model_file.read_bytes().replace(b"blk.7.attn_norm.weight", b"blk.7.attn_nork.weight"))
    return file


async def test_a_broken_version_leaves_the_old_one_serving_and_says_why(
    own: Server, management: Management, broken: Path
) -> None:
    number = await register(management, "main.default.broken", broken)
    await created(management, "steady", entity("old"))
    wanted = {"name": "new", "entity_name": "main.default.broken", "entity_version": number}
    async with Load(own, "steady", clients=32, max_tokens=12) as load:
        await load.until(32)
        await management.ask("PUT", f"{_ROOT}/steady/config", {"served_entities": [wanted]})
        ended: Any = await management.settled("steady")
        await load.until(32)
    assert ended["state"] == {"ready": "READY", "config_update": "UPDATE_FAILED"}
    assert ended["config"]["served_entities"][0]["name"] == "old"
    (failed,) = ended["pending_config"]["served_entities"]
    assert failed["state"]["deployment"] == "DEPLOYMENT_FAILED"
    assert "attn_norm" in failed["state"]["deployment_state_message"]
    assert load.outcome.lost == []
    await management.ask("DELETE", f"{_ROOT}/steady")


async def test_an_engine_killed_under_load_fails_only_what_it_was_doing(own: Server, management: Management) -> None:
    await created(management, "killed", entity("victim"))
    recovered_s = []
    async with Load(own, "killed", clients=16, max_tokens=12) as load:
        for _ in range(10):
            await load.until(16)
            before = len(load.outcome.lost)
            victim = engine_of(own, "smollm2_135m_instruct-1-")
            assert victim is not None
            began = time.monotonic()
            victim.kill()
            await load.until(1)
            recovered_s.append(next(t for t in reversed(load.outcome.finished_s)) - began)
            assert len(load.outcome.lost) - before <= 8, load.outcome.lost  # its slots
    assert all("engine" in text for text in load.outcome.lost), load.outcome.lost
    shown = ", ".join(f"{seconds:.1f}" for seconds in recovered_s)
    say(f"killed 10 times: {len(load.outcome.lost)} of {load.outcome.whole} lost; recovered after s: {shown}")
    await management.ask("DELETE", f"{_ROOT}/killed")


async def test_a_cold_endpoint_is_loaded_once_for_all_who_ask(own: Server, management: Management) -> None:
    await created(management, "sleepy", entity("sleeper", scale_to_zero_enabled=True))
    async with asyncio.timeout(60):
        while (worker := engine_of(own, "smollm2_135m_instruct-1-")) is not None:  # noqa: ASYNC110  # a real server
            await asyncio.sleep(0.2)
    assert worker is None
    asleep: Any = await management.ask("GET", f"{_ROOT}/sleepy")
    assert asleep["state"]["ready"] == "READY"
    assert "Scaled to zero" in asleep["config"]["served_entities"][0]["state"]["deployment_state_message"]
    began = time.monotonic()
    async with Load(own, "sleepy", clients=50, max_tokens=4) as load:
        await load.until(1)
        first_s = load.outcome.finished_s[0] - began
    assert load.outcome.lost == []
    assert load.outcome.whole >= 50
    logs = await management.ask("GET", f"{_ROOT}/sleepy/served-models/sleeper/logs")
    assert str(logs["logs"]).count("llama threadpool init") <= 2
    say(f"cold start for 50 callers: first answer after {first_s:.1f} s, {load.outcome.whole} answered, 0 lost")
    await management.ask("DELETE", f"{_ROOT}/sleepy")


async def test_line_26_a_stream_that_runs_when_its_endpoint_is_deleted_ends_whole(
    own: Server, management: Management, session: aiohttp.ClientSession
) -> None:
    await created(management, "leaving", entity("last"))
    body = {"messages": [{"role": "user", "content": "Count."}], "stream": True, "max_tokens": 60, "ignore_eos": True}
    headers = {"authorization": f"Bearer {own.token}"}
    url = f"{own.url}/serving-endpoints/leaving/invocations"
    async with session.post(url, json=body, headers=headers) as stream:
        received = await stream.content.readany()
        await management.ask("DELETE", f"{_ROOT}/leaving")
        async with session.post(url, json=body, headers=headers) as late:
            assert late.status == 404
        received += await stream.content.read()
    assert received.endswith(b"data: [DONE]\n\n")
    assert received.count(b'"content"') >= 50


async def test_a_version_that_was_deleted_and_registered_anew_serves_its_new_files(
    management: Management, chat_model_file: Path, broken: Path
) -> None:
    """The same name and number: nothing of the first content may be served."""
    name = "main.default.again"
    number = await register(management, name, chat_model_file)
    wanted: dict[str, object] = {"name": "it", "entity_name": name, "entity_version": number}
    await created(management, "again", wanted)
    await management.ask("DELETE", f"{_ROOT}/again")
    await management.ask("DELETE", f"/api/2.1/unity-catalog/models/{name}?force=true")
    assert await register(management, name, broken) == "1"
    await management.ask("POST", _ROOT, {"name": "again", "config": {"served_entities": [wanted]}})
    ended: Any = await management.settled("again")
    assert ended["state"] == {"ready": "NOT_READY", "config_update": "UPDATE_FAILED"}
    await management.ask("DELETE", f"{_ROOT}/again")
