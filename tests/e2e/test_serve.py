"""The server as a user starts it, and as the world treats it."""

import asyncio
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from tests.conftest import CHAT, Server, StartServer

_ENGINE = "openfm.engines."
_STEP_S = 0.5


def engines(server: Server) -> list[psutil.Process]:
    """The server's worker processes."""
    children = psutil.Process(server.process.pid).children(recursive=True)
    return [child for child in children if _ENGINE in " ".join(child.cmdline())]


def ask(server: Server, **change: Any) -> dict[str, Any]:
    """One chat answer."""
    body = {"messages": [{"role": "user", "content": "Name the capital of France."}], "temperature": 0} | change
    request = urllib.request.Request(  # noqa: S310  # our own server
        f"{server.url}/serving-endpoints/{CHAT}/invocations",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {server.token}"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  # the same
        found: dict[str, Any] = json.load(answer)
        return found


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


async def opened(session: aiohttp.ClientSession, server: Server, **change: Any) -> aiohttp.ClientResponse:
    """A stream that has begun, unless the prompt is long."""
    messages = [{"role": "user", "content": "Tell me a long story."}]
    body = {"model": CHAT, "messages": messages, "stream": True, "max_tokens": 1500, "ignore_eos": True} | change
    headers = {"authorization": f"Bearer {server.token}"}
    return await session.post(f"{server.url}/v1/chat/completions", json=body, headers=headers)


async def metric(session: aiohttp.ClientSession, server: Server, name: str) -> float:
    """The sum of a metric over its labels."""
    async with session.get(f"{server.url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return sum(float(line.split()[-1]) for line in lines if re.match(rf"{name}[ {{]", line))


def test_a_first_start_tells_all_that_a_user_needs(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(home=tmp_path)
    assert f"listens on {server.url}" in server.log
    assert server.log.count(server.token) == 1
    assert stat.S_IMODE((tmp_path / "admin-token").stat().st_mode) == 0o600
    pasted = next(line.strip() for line in server.log.splitlines() if line.startswith("  curl "))
    done = subprocess.run(["/bin/sh", "-c", f"{pasted} --silent"], capture_output=True, check=True, timeout=60)
    assert "Paris" in json.loads(done.stdout)["choices"][0]["message"]["content"]

    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(20) == 0
    assert not (tmp_path / "server.json").exists()
    again = start_server(home=tmp_path)
    assert again.token == server.token
    assert again.token not in again.log


def test_two_servers_never_share_a_home(server: Server) -> None:
    command = [sys.executable, "-m", "openfm", "serve", "--home", str(server.home), "--port", "0"]
    second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 1
    assert "Another openfm server uses" in second.stderr
    assert ask(server)["choices"]


@pytest.mark.parametrize(
    ("flags", "words"),
    [(["--host", "::"], "--insecure"), (["--port", "{port}"], "Cannot listen on"), (["--port", "-1"], "port")],
)
def test_an_address_that_cannot_be_used_is_refused_clearly(
    server: Server, tmp_path: Path, flags: list[str], words: str
) -> None:
    port = server.url.rpartition(":")[2]
    given = [flag.replace("{port}", port) for flag in flags]
    command = [sys.executable, "-m", "openfm", "serve", "--home", str(tmp_path), *given]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in {1, 2}
    assert words in done.stderr
    assert "Traceback" not in done.stderr


async def test_ctrl_c_lets_a_running_stream_end_and_leaves_no_process(
    start_server: StartServer, session: aiohttp.ClientSession
) -> None:
    server = start_server()
    workers = engines(server)
    assert len(workers) == 2
    response = await opened(session, server, max_tokens=80)
    await response.content.readany()
    server.process.send_signal(signal.SIGINT)
    rest = await response.content.read()
    assert rest.endswith(b"data: [DONE]\n\n")
    assert await asyncio.to_thread(server.process.wait, 20) == 0
    assert not psutil.wait_procs(workers, timeout=2)[1]


def test_kill_9_leaves_no_engine_and_a_new_start_serves_again(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(home=tmp_path)
    workers = engines(server)
    server.process.kill()
    server.process.wait()
    gone, left = psutil.wait_procs(workers, timeout=2)
    assert len(gone) == 2
    assert not left
    assert ask(start_server(home=tmp_path))["choices"]


async def test_line_61_an_engine_that_dies_mid_stream_ends_it_with_one_error_event_and_recovers(
    start_server: StartServer, session: aiohttp.ClientSession
) -> None:
    server = start_server()
    response = await opened(session, server)
    await response.content.readany()
    llama = next(worker for worker in engines(server) if "llama" in " ".join(worker.cmdline()))
    os.kill(llama.pid, signal.SIGKILL)
    rest = await response.content.read()
    last = [block for block in rest.decode().split("\n\n") if block][-1]
    assert json.loads(last.removeprefix("data: ")).keys() == {"error", "error_code", "message"}
    assert b"[DONE]" not in rest

    async with session.post(
        f"{server.url}/serving-endpoints/{CHAT}/invocations",
        json={"messages": [{"role": "user", "content": "x"}], "max_tokens": 1},
        headers={"authorization": f"Bearer {server.token}"},
    ) as refused:
        assert refused.status in {200, 503}
        assert refused.status == 200 or int(refused.headers["retry-after"]) >= 1
    async with asyncio.timeout(30):
        while await _readiness(session, server) != 200:
            pass
    assert ask(server)["choices"]


async def _readiness(session: aiohttp.ClientSession, server: Server) -> int:
    async with session.get(f"{server.url}/health/ready") as answer:
        return answer.status


async def test_line_44_a_hang_up_in_mid_stream_stops_the_engine_within_a_step(
    server: Server, session: aiohttp.ClientSession
) -> None:
    before = await metric(session, server, "openfm_completion_tokens_total")
    response = await opened(session, server)
    for _ in range(5):
        await response.content.readany()
    response.close()
    left = time.monotonic()
    while await metric(session, server, "openfm_requests_running"):
        assert time.monotonic() - left < 1
    generated = await metric(session, server, "openfm_completion_tokens_total") - before
    assert 0 < generated < 100


async def test_line_44_a_hang_up_during_a_long_prefill_stops_the_engine_within_a_step(
    server: Server, session: aiohttp.ClientSession, record_property: Callable[[str, object], None]
) -> None:
    words = " ".join(f"item{number}" for number in range(1500))
    long = asyncio.create_task(opened(session, server, messages=[{"role": "user", "content": words}]))
    await asyncio.sleep(2)  # prefill of some 6,000 tokens takes far longer
    assert not long.done()
    long.cancel()
    await asyncio.gather(long, return_exceptions=True)
    left = time.monotonic()
    ask(server, max_tokens=1)
    took = time.monotonic() - left
    record_property("answered_after_s", round(took, 2))
    assert took < 10 * _STEP_S, "the engine went on with a prompt that nobody waits for"
