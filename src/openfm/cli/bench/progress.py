"""How far a run is: a bar on a terminal, a line now and then elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

_LINES = 5


@contextmanager
def shown_progress(total: int) -> Iterator[Callable[[int, int], None]]:
    """What to call with how many requests were sent, and how many of them ended."""
    if not sys.stderr.isatty():
        yield _lines(total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Sending", total=total)

        def show(sent: int, ended: int) -> None:
            progress.update(task, completed=ended, description=f"{sent - ended} under way")

        yield show


def _lines(total: int) -> Callable[[int, int], None]:
    marks = {max(1, total * number // _LINES) for number in range(1, _LINES + 1)}

    def show(sent: int, ended: int) -> None:
        if ended in marks:
            marks.discard(ended)
            sys.stderr.write(f"{ended} of {total} requests ended, {sent - ended} under way.\n")
            sys.stderr.flush()

    return show
