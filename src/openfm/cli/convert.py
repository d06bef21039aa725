"""`openfm convert`: the environment that turns Hugging Face folders into what llama.cpp reads."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from openfm.cli.errors import reported
from openfm.cli.local import load_settings
from openfm.cli.output import Output, OutputOption, print_json
from openfm.cli.profile import HomeOption
from openfm.weights.convert_environment import ensure

OnProgress = Callable[[float, str], None]

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def _root() -> None:
    """Convert models that were registered as Hugging Face folders."""


@app.command()
def install(home: HomeOption = None, output: OutputOption = Output.TEXT) -> None:
    """Install the converter into HOME/convert, once: 1.2 GB, from the package index that pip is configured for.

    Works without a server; a running one finds it at the next deployment.
    """
    with reported(as_json=output.is_json):
        folder = load_settings({"home": home}).home
        with _shown() as on_progress:
            python = asyncio.run(ensure(folder, on_progress))
    if output.is_json:
        print_json({"python": str(python)})
    else:
        sys.stdout.write(f"The converter is ready: {python}\n")


@contextmanager
def _shown() -> Iterator[OnProgress]:
    """A bar on a terminal, a line at each new stage elsewhere."""
    if not sys.stderr.isatty():
        yield _Lines().show
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task("looking", total=1.0)
        yield lambda fraction, stage: bars.update(task, completed=fraction, description=stage)


class _Lines:
    def __init__(self) -> None:
        self._last = ""

    def show(self, fraction: float, stage: str) -> None:
        if stage != self._last:
            self._last = stage
            sys.stderr.write(f"{stage} ({fraction:.0%})\n")
            sys.stderr.flush()
