"""One child process that serves a model: spawn, wait until ready, stop, and say why it ended."""

import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from openfm.core.errors import EngineFailed
from openfm.engines.base import Engine, LoadProgress

_UNIX = "unix:"

_INHERITED = frozenset(
    (
        "PATH",
        "HOME",
        "LANG",
        "TMPDIR",
        "TZ",
        "PYTHONPATH",
        "VIRTUAL_ENV",
        "LD_LIBRARY_PATH",
        "CUDA_VISIBLE_DEVICES",
        "HIP_VISIBLE_DEVICES",
        "NVIDIA_VISIBLE_DEVICES",
    )
)
_INHERITED_PREFIXES = ("LC_",)
_LOG_TAIL_BYTES = 2000
_KILL_GRACE_S = 5.0


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The allow-listed part of an environment: no token, no database address."""
    return {
        name: value for name, value in environment.items() if name in _INHERITED or name.startswith(_INHERITED_PREFIXES)
    }


@dataclass(frozen=True, slots=True)
class WorkerCommand:
    """A Python module to run as a worker; `config` goes to its stdin, with the secret in it.

    Of `environment`, the server's own, only an allow-list is handed on; `extra_environment` is handed on whole.
    """

    module: str
    config: Mapping[str, object]
    environment: Mapping[str, str]
    log_file: Path
    extra_environment: Mapping[str, str] = field(default_factory=dict)


class WorkerProcess:
    """A worker that said it is ready at `url`. Made by `start_worker` only."""

    def __init__(self, process: asyncio.subprocess.Process, log_file: Path, url: str) -> None:
        self._process = process
        self._log_file = log_file
        self._stop_asked = False
        # Reading on keeps the pipe from filling up.
        self._drain = asyncio.create_task(_drain(process))
        self.url = url

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def exited(self) -> str:
        """Wait for the end of the process; why it ended, in words."""
        code = await self._process.wait()
        return "stopped as asked" if self._stop_asked else _describe(code, self._log_file)

    async def stop(self, grace_s: float) -> None:
        """SIGTERM, wait up to `grace_s`, SIGKILL. Idempotent; safe to cancel."""
        self._stop_asked = True
        try:
            with suppress(ProcessLookupError):
                self._process.terminate()
            with suppress(TimeoutError):
                async with asyncio.timeout(grace_s):
                    await self._process.wait()
        finally:
            await _kill(self._process)
            self._drain.cancel()


@dataclass(frozen=True, slots=True)
class RunningWorker:
    """A replica that is a worker process and a client of it; fulfils `RunningEngine`."""

    engine: Engine
    process: WorkerProcess

    @property
    def pid(self) -> int | None:
        """See `RunningEngine.pid`."""
        return self.process.pid

    async def exited(self) -> str:
        """Wait for the end of the process; why it ended, in words."""
        return await self.process.exited()

    async def stop(self, grace_s: float) -> None:
        """Close the client, then the process; nothing of it is left on disk."""
        try:
            await self.engine.aclose()
        finally:
            await self.process.stop(grace_s)
            _remove_socket(self.process.url)


def _remove_socket(url: str) -> None:
    if url.startswith(_UNIX):
        Path(url.removeprefix(_UNIX)).unlink(missing_ok=True)


async def start_worker(command: WorkerCommand, on_progress: Callable[[LoadProgress], None]) -> WorkerProcess:
    """Spawn the worker and wait until it is ready.

    Raises `EngineFailed` with its reason, or the end of its log. Cancelling leaves no process behind.
    """
    if threading.current_thread() is not threading.main_thread():
        # The parent-death signal fires when the forking thread ends, not the process.
        raise RuntimeError("Workers must be started from the main thread.")
    try:
        process = await _spawn(command)
    except OSError as error:
        raise EngineFailed(f"The engine's process could not be started: {error}.") from error
    try:
        await _configure(process, command.config)
        url = await _wait_ready(process, command.log_file, on_progress)
    except BaseException:
        await _kill(process)
        raise
    return WorkerProcess(process, command.log_file, url)


async def _spawn(command: WorkerCommand) -> asyncio.subprocess.Process:
    with command.log_file.open("ab") as log:
        spawning = asyncio.create_task(
            asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                command.module,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=child_environment(command.environment) | dict(command.extra_environment),
            )
        )
        try:
            return await asyncio.shield(spawning)
        except asyncio.CancelledError:
            # The fork may have happened: find out before giving up.
            await _kill(await spawning)
            raise


async def _configure(process: asyncio.subprocess.Process, config: Mapping[str, object]) -> None:
    if process.stdin is None:
        raise AssertionError("spawned with a pipe")
    line = json.dumps({**config, "parent_pid": os.getpid()}) + "\n"
    with suppress(ConnectionError):  # it died at once: `_wait_ready` says why
        process.stdin.write(line.encode())
        await process.stdin.drain()


async def _wait_ready(
    process: asyncio.subprocess.Process, log_file: Path, on_progress: Callable[[LoadProgress], None]
) -> str:
    if process.stdout is None:
        raise AssertionError("spawned with a pipe")
    async for raw in process.stdout:
        line = json.loads(raw)
        if "ready" in line:
            return str(line["ready"])
        if "failed" in line:
            raise EngineFailed(f"The engine could not load the model: {line['failed']}; {_end_of(log_file)}")
        on_progress(LoadProgress(float(line["fraction"]), str(line["stage"])))
    reason = _describe(await process.wait(), log_file)
    raise EngineFailed(f"The engine ended while it was loading: {reason}")


async def _drain(process: asyncio.subprocess.Process) -> None:
    while process.stdout is not None and await process.stdout.read(65536):
        pass


async def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill and reap, even if this task is cancelled meanwhile."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.kill()
    with suppress(TimeoutError):
        await asyncio.shield(asyncio.wait_for(process.wait(), _KILL_GRACE_S))


def _describe(code: int, log_file: Path) -> str:
    how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
    return f"{how}; {_end_of(log_file)}"


def _end_of(log_file: Path) -> str:
    tail = _log_tail(log_file)
    return f"the end of its log ({log_file}): {tail}" if tail else f"its log: {log_file}"


def _log_tail(log_file: Path) -> str:
    try:
        with log_file.open("rb") as log:
            log.seek(max(0, log_file.stat().st_size - _LOG_TAIL_BYTES))
            lines = log.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return " | ".join(line.strip() for line in lines[-8:] if line.strip())
