"""`--wait`: look at an endpoint each second until its update is through, and show how each served entity does."""

import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TextIO

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from openfm.cli.errors import CliError, ExitCode
from openfm.cli.text import neutral

_INTERVAL_S = 1.0
_IN_PROGRESS = "IN_PROGRESS"
_UNSUCCESSFUL = {"UPDATE_FAILED": "failed", "UPDATE_CANCELED": "was canceled"}

OnStates = Callable[[Mapping[str, str]], None]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds, and how: monotonic seconds and a sleep."""

    timeout_s: float
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]


async def settled(
    look: Callable[[], Awaitable[dict[str, Any]]], on_states: OnStates, patience: Patience
) -> dict[str, Any]:
    """The endpoint once nothing is being rolled out. Raises `CliError` with the reason if that failed."""
    give_up = patience.clock() + patience.timeout_s
    while True:
        endpoint = await look()
        on_states(states(endpoint))
        update = str((endpoint.get("state") or {}).get("config_update"))
        if update in _UNSUCCESSFUL:
            raise CliError(_reason(endpoint, _UNSUCCESSFUL[update]), ExitCode.FAILURE, error_code=update)
        if update != _IN_PROGRESS:
            return endpoint
        if patience.clock() >= give_up:
            raise CliError(
                f"'{endpoint.get('name')}' is still being updated after {patience.timeout_s:.0f} s; that goes on.",
                ExitCode.TIMED_OUT,
                hint="`openfm endpoints get` shows how it does; --timeout waits longer.",
            )
        await patience.sleep(_INTERVAL_S)


def states(endpoint: Mapping[str, Any]) -> dict[str, str]:
    """Served entity -> how it does, of what is rolled out, else of what answers."""
    config = endpoint.get("pending_config") or endpoint.get("config") or {}
    return {str(entity.get("name")): _state(entity) for entity in config.get("served_entities") or []}


def _state(entity: Mapping[str, Any]) -> str:
    state = entity.get("state") or {}
    word = str(state.get("deployment", "")).removeprefix("DEPLOYMENT_").lower()
    return f"{word}: {state['deployment_state_message']}" if state.get("deployment_state_message") else word


def _reason(endpoint: Mapping[str, Any], what: str) -> str:
    reasons = [f"{name} {state}" for name, state in states(endpoint).items()]
    return f"The update of '{endpoint.get('name')}' {what}. {' '.join(reasons)}".rstrip()


@contextmanager
def shown_states(stream: TextIO = sys.stderr) -> Iterator[OnStates]:
    """What to hand to `settled`: a live line for each entity on a terminal, elsewhere a line at each change."""
    if not stream.isatty():
        yield _Lines(stream).show
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        TextColumn("{task.fields[state]}", markup=False),
    )
    with Progress(*columns, console=Console(file=stream)) as progress:
        yield _Live(progress).show


class _Lines:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last: dict[str, str] = {}

    def show(self, now: Mapping[str, str]) -> None:
        for name, state in now.items():
            if self._last.get(name) != state:
                self._last[name] = state
                self._stream.write(f"{neutral(name)}: {neutral(state)}\n")
                self._stream.flush()


class _Live:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def show(self, now: Mapping[str, str]) -> None:
        for name in self._tasks.keys() - now.keys():
            self._progress.remove_task(self._tasks.pop(name))
        for name, state in now.items():
            if name not in self._tasks:
                self._tasks[name] = self._progress.add_task(neutral(name), total=1, state="")
            is_ready = state.partition(":")[0] == "ready"
            self._progress.update(self._tasks[name], completed=is_ready, state=neutral(state))
