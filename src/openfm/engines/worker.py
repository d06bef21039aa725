"""What every worker process of ours does first, and how it talks to its parent.

The parent writes one JSON line to stdin (configuration and secret, which so never appear in a process list) and keeps
stdin open; the worker writes JSON lines to stdout: progress, then `ready` or `failed`. It ends when its parent does.
"""

import ctypes
import json
import os
import resource
import signal
import sys
import threading
from dataclasses import dataclass
from typing import NoReturn, TextIO

from openfm.engines.yielding import yield_cores

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_BELOW_THE_SERVER = 1  # it hands on what engines say: little work, which must not wait for theirs
_EXIT_ORPHAN = 70
_EXIT_FAILED = 1


@dataclass(frozen=True, slots=True)
class WorkerChannel:
    """The worker's side of the two pipes, with the configuration it was given."""

    config: dict[str, object]
    output: TextIO

    def text(self, name: str) -> str:
        """A string of the configuration. Raises KeyError."""
        return str(self.config[name])

    def number(self, name: str) -> int:
        """An integer of the configuration. Raises KeyError."""
        return int(str(self.config[name]))

    def progress(self, stage: str, fraction: float) -> None:
        """Tell how far loading is."""
        self._say({"stage": stage, "fraction": fraction})

    def ready(self, url: str) -> None:
        """Tell where requests are answered."""
        self._say({"ready": url})

    def fail(self, reason: str) -> NoReturn:
        """Tell why there will be no engine, and end."""
        self._say({"failed": reason})
        os._exit(_EXIT_FAILED)

    def _say(self, line: dict[str, object]) -> None:
        self.output.write(json.dumps(line) + "\n")
        self.output.flush()


def become_worker() -> WorkerChannel:
    """Tie this process to its parent's life, give up what it does not need, and read its configuration.

    Must be called first in the main thread. Ends the process if the parent is gone already.
    """
    _die_with_parent()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Native libraries print to stdout when they like: it becomes the log; the protocol gets a descriptor of its own.
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    line = sys.stdin.buffer.readline()
    if not line:
        os._exit(_EXIT_ORPHAN)
    config: dict[str, object] = json.loads(line)
    if os.getppid() != config["parent_pid"]:
        os._exit(_EXIT_ORPHAN)
    _stay_on(config.get("cores"))
    os.nice(_BELOW_THE_SERVER)
    if config.get("is_yielding"):
        yield_cores(os.getpid())
    threading.Thread(target=_exit_at_end_of_input, name="parent-watch", daemon=True).start()
    return WorkerChannel(config, output)


def _die_with_parent() -> None:
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _stay_on(cores: object) -> None:
    """Run on these cores alone; on all where none are named."""
    if isinstance(cores, list) and cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


def _exit_at_end_of_input() -> None:
    """Second line of defence: the signal fires when the parent's forking *thread* ends, and only on Linux."""
    while os.read(0, 65536):
        pass
    os._exit(0)
