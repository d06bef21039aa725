"""`openfm usage`: what was used, and what it costs."""

import sys
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlencode

import typer

from openfm.cli.access_api import talk
from openfm.cli.errors import reported
from openfm.cli.profile import Given, HomeOption, TokenOption, UrlOption
from openfm.cli.text import neutral

app = typer.Typer(
    help="Show what was used and what it costs.", add_completion=False, no_args_is_help=True, rich_markup_mode=None
)


class InvoiceOutput(StrEnum):
    """How an invoice is written."""

    TEXT = "text"
    CSV = "csv"
    JSON = "json"


@app.callback()
def _usage() -> None:
    """Keep `invoice` a verb of its own while it is the only one."""


@app.command()
def invoice(
    month: Annotated[str, typer.Option(help="Year and month, in UTC, as in 2026-11.")],
    output: Annotated[InvoiceOutput, typer.Option("--output", "-o", help="How it is written.")] = InvoiceOutput.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Write a month's invoice: everybody's for admins, else one's own. A past month's is the same each time."""
    with reported(as_json=output is InvoiceOutput.JSON):
        path = f"/api/2.0/openfm/usage/invoice?{urlencode({'month': month, 'format': output.value})}"
        written = talk(Given(url, token, home), lambda client: client.text(path))
        sys.stdout.write(neutral(written) if output is InvoiceOutput.TEXT else written)
