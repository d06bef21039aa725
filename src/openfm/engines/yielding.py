"""Processes that compute only when nobody else wants the cores (Linux' SCHED_IDLE), with all their threads.

Anybody may lower a process of his own; raising it again takes a privilege (CAP_SYS_NICE) that servers seldom have.
"""

import os
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def yield_cores(pid: int) -> bool:
    """From now on the process has what others leave; whether the system lets us say so."""
    return _set(pid, getattr(os, "SCHED_IDLE", None))


def claim_cores(pid: int) -> bool:
    """The process competes like any other again; False where that is not ours to say."""
    return _set(pid, getattr(os, "SCHED_OTHER", None))


def _set(pid: int, policy: int | None) -> bool:
    if policy is None or not hasattr(os, "sched_setscheduler"):
        return False
    try:
        for thread in _threads(pid):
            with suppress(ProcessLookupError):  # it ended meanwhile
                os.sched_setscheduler(thread, policy, os.sched_param(0))
    except PermissionError:
        return False
    return True


def _threads(pid: int) -> list[int]:
    """The process and its threads; new ones inherit from whoever starts them."""
    try:
        return [pid, *(int(task.name) for task in (_PROC / str(pid) / "task").iterdir())]
    except OSError:
        return [pid]
