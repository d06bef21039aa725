"""Data goes to standard output, as a table for people or as JSON for programs; everything else to standard error."""

import json
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from openfm.cli.text import neutral


class Output(StrEnum):
    """How data is written."""

    TEXT = "text"
    JSON = "json"

    @property
    def is_json(self) -> bool:
        """Whether a program reads it."""
        return self is Output.JSON


OutputOption = Annotated[
    Output, typer.Option("--output", "-o", envvar="OPENFM_OUTPUT", help="text for people, json for programs.")
]


def print_json(data: object) -> None:
    """Write `data` as JSON: indented for a terminal, on one line for a pipe."""
    indent = 2 if sys.stdout.isatty() else None
    sys.stdout.write(json.dumps(data, indent=indent, ensure_ascii=False) + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table. On a pipe no column is cut: `grep` sees everything."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(neutral(cell)) for cell in row))
    console = Console() if sys.stdout.isatty() else Console(width=1000)
    console.print(table)


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Write names and values, one a line."""
    listed = [(name, value) for name, value in facts if value]
    width = max((len(name) for name, _ in listed), default=0)
    for name, value in listed:
        sys.stdout.write(f"{name:<{width}}  {neutral(value)}\n")


def print_text(text: str) -> None:
    """Write text of a model or server."""
    sys.stdout.write(neutral(text) + "\n")
