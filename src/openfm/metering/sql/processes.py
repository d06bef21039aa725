"""The processes that DuckDB runs in: one for each question, and those that wait for the next ones."""

import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from openfm.core.errors import InvalidRequest, Unavailable

log = structlog.get_logger(__name__)

_COMMAND = (sys.executable, "-m", "openfm.metering.sql.worker")
_SPARE_KEPT_S = 60.0
_INHERITED = ("PATH", "PYTHONPATH", "VIRTUAL_ENV", "LANG", "HOME")
_RETRY_S = 5.0


@dataclass(frozen=True, slots=True)
class SqlBounds:
    """What one question may take: memory in bytes, time in seconds; and how many may be answered at once."""

    memory_bytes: int = 512 << 20
    seconds: float = 30.0
    at_once: int = 2


class SqlProcesses:
    """Runs jobs. A process imports DuckDB for a quarter of a second: the next ones do so while nobody waits.

    As many wait as may work at once: a page asks several questions together.

    `environment` is the server's own; a few variables of it are handed on. Thread-safe; calls block.
    """

    def __init__(self, bounds: SqlBounds, environment: Mapping[str, str]) -> None:
        self._bounds = bounds
        self._environment = {name: environment[name] for name in _INHERITED if name in environment}
        self._free = threading.Semaphore(bounds.at_once)
        self._lock = threading.Lock()
        self._spares: list[subprocess.Popen[bytes]] = []
        self._timer: threading.Timer | None = None
        self._is_closed = False

    def run(self, job: Mapping[str, Any]) -> Mapping[str, Any]:
        """The job's answer.

        Raises `InvalidRequest` with what the process refused, or when it took too long; `Unavailable` when too many
        are at work, or it died.
        """
        if not self._free.acquire(timeout=self._bounds.seconds):
            raise Unavailable("Too many questions are being answered. Ask again shortly.", retry_after_s=_RETRY_S)
        try:
            return self._answer(job)
        finally:
            self._free.release()

    def close(self) -> None:
        """End those that wait."""
        with self._lock:
            self._is_closed = True
            self._drop()

    def _answer(self, job: Mapping[str, Any]) -> Mapping[str, Any]:
        process = self._take()
        limits = {"memory_bytes": self._bounds.memory_bytes, "seconds": self._bounds.seconds}
        line = json.dumps({**job, **limits}).encode() + b"\n"
        try:
            written, said = process.communicate(line, self._bounds.seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise InvalidRequest(
                f"The question took longer than {self._bounds.seconds:.0f} s. Ask for less at a time, or for sums."
            ) from None
        if not written:
            log.error("sql.died", code=process.returncode, said=said[-500:].decode(errors="replace"))
            raise Unavailable("The question's process died, of memory or time. Ask for less.", retry_after_s=_RETRY_S)
        answer: Mapping[str, Any] = json.loads(written)
        if "refused" in answer:
            raise InvalidRequest(str(answer["refused"]))
        return answer

    def _take(self) -> subprocess.Popen[bytes]:
        with self._lock:
            alive = [spare for spare in self._spares if spare.poll() is None]
            mine = alive.pop(0) if alive else self._start()
            self._spares = alive
            if not self._is_closed:
                self._spares += [self._start() for _ in range(self._bounds.at_once - len(alive))]
                self._keep_for_a_while()
            return mine

    def _start(self) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        return subprocess.Popen(_COMMAND, stdin=pipe, stdout=pipe, stderr=pipe, env=self._environment)

    def _keep_for_a_while(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = threading.Timer(_SPARE_KEPT_S, self._drop_idle)
        self._timer.daemon = True
        self._timer.start()

    def _drop_idle(self) -> None:
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        spares, self._spares = self._spares, []
        for spare in spares:
            spare.communicate(b"")  # no job: it ends
