"""Worker processes for real: nothing is left of them, however their life ends."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from openfm.core.errors import EngineFailed
from openfm.core.model import ModelProfile, Task
from openfm.engines.base import EngineSpec, LoadProgress
from openfm.engines.llama_cpp import LlamaCppLauncher
from openfm.engines.process import WorkerCommand, start_worker

WORKER = """
import json, os, sys, threading, time
from openfm.engines.worker import become_worker

channel = become_worker()
print("this goes to the log")
mode = channel.text("mode")
channel.progress("thinking", 0.5)
if mode == "fail":
    channel.fail("no such weights")
if mode == "crash":
    print("the last words", file=sys.stderr)
    os.abort()
if mode == "slow":
    threading.Event().wait()
channel.ready(json.dumps({"pid": os.getpid(), "environment": sorted(os.environ), "secret": channel.text("secret")}))
threading.Event().wait()
"""
PARENT = """
import asyncio, os, pathlib, sys
from openfm.engines.process import WorkerCommand, start_worker

async def main():
    command = WorkerCommand("test_worker", {"mode": "ok", "secret": "s"}, os.environ, pathlib.Path(sys.argv[1]))
    worker = await start_worker(command, lambda _: None)
    print(worker.pid, flush=True)
    await worker.exited()

asyncio.run(main())
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ofm") as name:
        path = Path(name)
        (path / "test_worker.py").write_text(textwrap.dedent(WORKER))
        (path / "parent.py").write_text(textwrap.dedent(PARENT))
        yield path


def environment(folder: Path) -> dict[str, str]:
    search = os.pathsep.join((str(folder), *(entry for entry in sys.path if entry)))
    return {**os.environ, "PYTHONPATH": search, "OPENFM_ADMIN_TOKEN": "top secret"}


def command(folder: Path, mode: str = "ok") -> WorkerCommand:
    return WorkerCommand("test_worker", {"mode": mode, "secret": "s3"}, environment(folder), folder / "worker.log")


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE}


def status_of(pid: int) -> str:
    return Path(f"/proc/{pid}/status").read_text(encoding="utf-8")


async def gone(pid: int, within_s: float = 2.0) -> None:
    """Wait until no process `pid` runs."""
    with suppress(psutil.NoSuchProcess):
        await asyncio.to_thread(psutil.Process(pid).wait, within_s)


async def test_a_worker_reports_progress_then_is_ready_then_stops(folder: Path) -> None:
    seen: list[LoadProgress] = []
    worker = await start_worker(command(folder), seen.append)
    assert seen == [LoadProgress(0.5, "thinking")]
    assert '"secret": "s3"' in worker.url
    await worker.stop(5.0)
    await worker.stop(5.0)
    assert await worker.exited() == "stopped as asked"
    await gone(worker.pid)
    assert "this goes to the log" not in worker.url
    assert psutil.Process().is_running()


async def test_a_worker_gets_no_secret_by_its_environment_or_command_line(folder: Path) -> None:
    worker = await start_worker(command(folder), lambda _: None)
    try:
        process = psutil.Process(worker.pid)
        assert "OPENFM_ADMIN_TOKEN" not in worker.url
        assert "s3" not in " ".join(process.cmdline())
        assert "NoNewPrivs:\t1" in status_of(worker.pid)
    finally:
        await worker.stop(5.0)


async def test_a_worker_that_cannot_load_says_why(folder: Path) -> None:
    before = children()
    with pytest.raises(EngineFailed, match="no such weights"):
        await start_worker(command(folder, "fail"), lambda _: None)
    assert children() == before


async def test_a_worker_that_crashes_while_loading_is_explained_by_its_log(folder: Path) -> None:
    with pytest.raises(EngineFailed, match=r"SIGABRT.*the last words"):
        await start_worker(command(folder, "crash"), lambda _: None)


async def test_cancelling_a_launch_leaves_no_process(folder: Path) -> None:
    before = children()
    thinking = asyncio.Event()
    launch = asyncio.create_task(start_worker(command(folder, "slow"), lambda _: thinking.set()))
    await thinking.wait()
    launch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await launch
    assert children() == before


async def test_cancelling_a_launch_while_it_forks_leaves_no_process(folder: Path) -> None:
    before = children()
    for turns in range(12):
        launch = asyncio.create_task(start_worker(command(folder, "slow"), lambda _: None))
        for _ in range(turns):
            await asyncio.sleep(0)
        launch.cancel()
        await asyncio.gather(launch, return_exceptions=True)
    assert children() == before


async def test_a_worker_that_is_killed_is_noticed_with_the_signal(folder: Path) -> None:
    worker = await start_worker(command(folder), lambda _: None)
    exited = asyncio.create_task(worker.exited())
    os.kill(worker.pid, signal.SIGKILL)
    assert "SIGKILL" in await exited
    await worker.stop(1.0)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_no_worker_outlives_its_parent(folder: Path, how: signal.Signals) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        str(folder / "parent.py"),
        str(folder / "log"),
        stdout=subprocess.PIPE,
        env=environment(folder),
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert psutil.pid_exists(pid)
    parent.send_signal(how)
    await gone(pid)
    await parent.wait()


async def test_a_worker_ends_when_its_input_does(folder: Path) -> None:
    """The second line of defence: what a parent's death looks like where there is no signal."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "test_worker", stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(folder)
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b'{"mode": "ok", "secret": "s", "parent_pid": %d}\n' % os.getpid())
    while b"ready" not in await process.stdout.readline():
        pass
    process.stdin.close()
    async with asyncio.timeout(2):
        assert await process.wait() == 0


async def test_a_worker_of_another_parent_ends_at_once(folder: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "test_worker", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment(folder)
    )
    assert process.stdin is not None
    process.stdin.write(b'{"mode": "ok", "secret": "s", "parent_pid": 1}\n')
    async with asyncio.timeout(5):
        assert await process.wait() == 70


async def test_a_program_that_cannot_be_started_is_an_engine_failure(folder: Path) -> None:
    wrong = WorkerCommand("test_worker", {"mode": "ok"}, environment(folder), folder / "missing" / "worker.log")
    with pytest.raises(EngineFailed, match="could not be started"):
        await start_worker(wrong, lambda _: None)


async def test_a_worker_stays_on_the_cores_that_it_was_given(chat_model_file: Path, tmp_path: Path) -> None:
    spec = EngineSpec(
        "pinned",
        ModelProfile("m", "m", "M", "", "", Task.CHAT, 256),
        {"model": chat_model_file},
        slots=1,
        threads=1,
        log_file=tmp_path / "log",
        runtime_dir=tmp_path,
        cores=(0,),
    )
    running = await LlamaCppLauncher({}).launch(spec, lambda _: None)
    try:
        assert running.pid is not None
        assert psutil.Process(running.pid).cpu_affinity() == [0]
    finally:
        await running.stop(0)
