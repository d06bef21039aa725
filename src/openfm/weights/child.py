"""Runs a child process that answers in JSON lines, and leaves none behind."""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_TAIL_BYTES = 2000
_KILL_GRACE_S = 5.0


@dataclass(frozen=True, slots=True)
class Command:
    """A program, the task for its stdin, and its whole environment: nothing is inherited. `log_file` takes stderr."""

    arguments: Sequence[str]
    task: Mapping[str, object]
    log_file: Path
    environment: Mapping[str, str] = field(default_factory=dict)


async def answers(command: Command) -> AsyncGenerator[dict[str, Any], None]:
    """The child's lines as they come; close the generator to kill the child, which is gone when that returns."""
    process = await _spawn(command)
    try:
        if process.stdin is None or process.stdout is None:
            raise AssertionError("spawned with pipes")
        with suppress(ConnectionError):
            process.stdin.write((json.dumps({**command.task, "parent_pid": os.getpid()}) + "\n").encode())
            await process.stdin.drain()
        async for line in process.stdout:
            yield json.loads(line)
        await process.wait()
    finally:
        await _kill(process)


def log_tail(log_file: Path) -> str:
    """The last lines that the child printed, for a message."""
    try:
        with log_file.open("rb") as log:
            log.seek(max(0, log_file.stat().st_size - _TAIL_BYTES))
            lines = log.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return " | ".join(line.strip() for line in lines[-5:] if line.strip())


async def _spawn(command: Command) -> asyncio.subprocess.Process:
    with command.log_file.open("ab") as log:
        spawning = asyncio.create_task(
            asyncio.create_subprocess_exec(
                *command.arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=dict(command.environment),
            )
        )
        try:
            return await asyncio.shield(spawning)
        except asyncio.CancelledError:
            await _kill(await spawning)  # the fork may have happened
            raise


async def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.kill()
    with suppress(TimeoutError):
        await asyncio.shield(asyncio.wait_for(process.wait(), _KILL_GRACE_S))
