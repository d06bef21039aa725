"""Shows a pull: bars on a terminal, a line now and then elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from openfm.catalog.fit import size_words
from openfm.ops.pull import OnProgress, PullProgress, Stage

_LINE_EVERY_PERCENT = 20


@contextmanager
def shown(stream: TextIO) -> Iterator[OnProgress]:
    """What to hand to `pull` so that its progress appears on `stream`."""
    if stream.isatty():
        with _progress(Console(file=stream)) as progress:
            yield _Bars(progress).show
    else:
        yield _Lines(stream).show


class _Lines:
    """A line at each change of stage, and at each fifth of a download."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last: dict[tuple[str, str], tuple[Stage, int]] = {}

    def show(self, progress: PullProgress) -> None:
        percent = 100 * progress.done_bytes // progress.total_bytes if progress.total_bytes else 0
        step = percent // _LINE_EVERY_PERCENT if progress.stage is Stage.DOWNLOADING else 0
        key, now = (progress.model, progress.filename), (progress.stage, step)
        if self._last.get(key) == now:
            return
        self._last[key] = now
        self._stream.write(f"{progress.model}/{progress.filename}: {_words(progress, percent)}\n")
        self._stream.flush()


def _words(progress: PullProgress, percent: int) -> str:
    if progress.stage is not Stage.DOWNLOADING or not progress.total_bytes:
        return progress.stage.value
    return f"{progress.stage.value}, {percent} % of {size_words(progress.total_bytes)}"


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[stage]}", markup=False),
        console=console,
    )


class _Bars:
    """One bar a file."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[tuple[str, str], TaskID] = {}

    def show(self, progress: PullProgress) -> None:
        key = (progress.model, progress.filename)
        if key not in self._tasks:
            self._tasks[key] = self._progress.add_task(progress.filename, total=None, stage="")
        task = self._tasks[key]
        if progress.stage is Stage.READY:
            total = self._progress.tasks[self._progress.task_ids.index(task)].total or 1
            self._progress.update(task, total=total, completed=total, stage=Stage.READY.value)
            return
        self._progress.update(
            task, total=progress.total_bytes or None, completed=progress.done_bytes, stage=progress.stage.value
        )
