"""The processes that DuckDB runs in: one for each question, forked from one that is kept while questions come."""

import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import Any, BinaryIO

import structlog

from openfm.core.errors import InvalidRequest, Unavailable

log = structlog.get_logger(__name__)

_COMMAND = (sys.executable, "-m", "openfm.metering.sql.fork_server")
_KEPT_S = 60.0
_START_S = 10.0  # of the first process, beyond a job's own time
_INHERITED = ("PATH", "PYTHONPATH", "VIRTUAL_ENV", "LANG", "HOME")
_RETRY_S = 5.0


@dataclass(frozen=True, slots=True)
class SqlBounds:
    """What one question may take: memory in bytes, time in seconds."""

    memory_bytes: int = 512 << 20
    seconds: float = 30.0


class _ForkServer:
    """The other end of `fork_server`. `hand` is for one thread at a time."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                _COMMAND, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, env=environment
            )

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def hand(self, said: BinaryIO) -> socket.socket:
        """A socket to a new process, which writes what it dies of to `said`."""
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [b"j"], [theirs.fileno(), said.fileno()])
        return ours

    def end(self) -> None:
        """Let it go; those that it forked end with their jobs. Blocks until it is gone."""
        self._control.close()
        self._process.wait()


class SqlProcesses:
    """Runs jobs, each in a process of its own.

    `environment` is the server's own; a few variables of it are handed on. Thread-safe; `close` blocks.
    """

    def __init__(self, bounds: SqlBounds, environment: Mapping[str, str]) -> None:
        self._bounds = bounds
        self._environment = {name: environment[name] for name in _INHERITED if name in environment}
        self._lock = threading.Lock()
        self._server: _ForkServer | None = None
        self._timer: threading.Timer | None = None

    async def run(self, job: Mapping[str, Any]) -> Mapping[str, Any]:
        """The job's answer; its process ends at once when this is cancelled.

        Raises `InvalidRequest` with what the process refused, or when it took too long; `Unavailable` when it died.
        """
        limits = {"memory_bytes": self._bounds.memory_bytes, "seconds": self._bounds.seconds}
        line = json.dumps({**job, **limits}).encode() + b"\n"
        began = time.monotonic()
        with TemporaryFile() as said:
            process = await asyncio.to_thread(self._process, said)
            written = await _asked(process, line, self._bounds.seconds + _START_S)
            if not written and time.monotonic() - began >= self._bounds.seconds:
                raise InvalidRequest(
                    f"The question took longer than {self._bounds.seconds:.0f} s. Ask for less at a time, or for sums."
                )
            if not written:
                said.seek(0)
                log.error("sql.died", said=said.read()[-500:].decode(errors="replace"))
                raise Unavailable(
                    "The question's process died, of memory or time. Ask for less.", retry_after_s=_RETRY_S
                )
        answer: Mapping[str, Any] = json.loads(written)
        if "refused" in answer:
            raise InvalidRequest(str(answer["refused"]))
        return answer

    def close(self) -> None:
        """End the one that waits; a later question starts another."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            server, self._server = self._server, None
            if server is not None:
                server.end()

    def _process(self, said: BinaryIO) -> socket.socket:
        with self._lock:
            if self._server is not None and not self._server.is_alive:
                self._server.end()
                self._server = None
            if self._server is None:
                self._server = _ForkServer(self._environment)
            self._keep_for_a_while()
            return self._server.hand(said)

    def _keep_for_a_while(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = threading.Timer(_KEPT_S, self.close)
        self._timer.daemon = True
        self._timer.start()


async def _asked(process: socket.socket, line: bytes, seconds: float) -> bytes:
    """The line that the process answers; nothing when it dies first. It dies when nobody listens any more."""
    reader, writer = await asyncio.open_unix_connection(sock=process)
    try:
        async with asyncio.timeout(seconds):
            writer.write(line)
            answer = await reader.read()
    except (TimeoutError, ConnectionError):
        return b""
    finally:
        writer.close()
    return answer if answer.endswith(b"\n") else b""
