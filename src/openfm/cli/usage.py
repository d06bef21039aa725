"""`openfm usage`: what was used, and what it costs."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

import typer

from openfm.cli.access_api import talk
from openfm.cli.errors import CliError, ExitCode, reported
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


class ExportFormat(StrEnum):
    """How rows are written to a file."""

    CSV = "csv"
    PARQUET = "parquet"


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="Where the rows go.")],
    first: Annotated[str, typer.Option("--from", help="First day, in UTC, as in 2026-11-01.")],
    last: Annotated[str, typer.Option("--to", help="Last day, which is among them.")],
    output: Annotated[ExportFormat, typer.Option("--format", help="How they are written.")] = ExportFormat.CSV,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if there is one.")] = False,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Write a row for each request to a file: everybody's for admins, else one's own."""
    with reported(as_json=False):
        if file.exists() and not overwrite:
            raise CliError(f"{file} is there already.", ExitCode.CONFLICT, hint="--overwrite replaces it.")
        query = urlencode({"from": first, "to": last, "format": output.value})
        path = f"/api/2.0/openfm/usage/export?{query}"
        try:
            size = talk(Given(url, token, home), lambda client: client.download(path, file))
        except OSError as error:
            raise CliError(f"{file} cannot be written: {error.strerror or error}.", ExitCode.USAGE) from error
        sys.stderr.write(f"{file}: {size:,} bytes\n")


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
