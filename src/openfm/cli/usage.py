"""`openfm usage`: what was used, and what it costs."""

import json
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

import typer

from openfm.cli.access_api import talk
from openfm.cli.errors import CliError, ExitCode, reported
from openfm.cli.output import Output, OutputOption, print_facts, print_json, print_table
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


class ReportOutput(StrEnum):
    """How a report is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


_COLUMNS = ("requests", "prompt_tokens", "cached_tokens", "completion_tokens", "amount")


@app.command()
def report(
    by: Annotated[str, typer.Option(help="principal, endpoint, day, or tag:KEY as in tag:team.")],
    first: Annotated[str, typer.Option("--from", help="The first day, in UTC, as in 2026-11-01.")],
    last: Annotated[str, typer.Option("--to", help="The last day.")],
    output: Annotated[ReportOutput, typer.Option("--output", "-o", help="How it is written.")] = ReportOutput.TABLE,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Sum up what was used and what it cost: everybody's for admins, else one's own."""
    with reported(as_json=output is ReportOutput.JSON):
        form = "csv" if output is ReportOutput.CSV else "json"
        query = urlencode({"by": by, "from": first, "to": last, "format": form})
        written = talk(Given(url, token, home), lambda client: client.text(f"/api/2.0/openfm/usage/report?{query}"))
        if output is not ReportOutput.TABLE:
            sys.stdout.write(written)
            return
        found = json.loads(written)
        rows = [(line["key"] or "-", line["currency"], *_cells(line)) for line in found["lines"]]
        rows += [("total", line["currency"], *_cells(line)) for line in found["totals"]]
        print_table((by.upper(), "CURRENCY", *(name.upper().replace("_", " ") for name in _COLUMNS)), rows)


def _cells(line: Mapping[str, object]) -> list[str]:
    return [str(line[name]) for name in _COLUMNS]


_CORRECTIONS = "/api/2.0/openfm/usage/corrections"


@app.command()
def correct(
    request_id: Annotated[str, typer.Argument(help="The x-request-id of the answer, as usage shows it.")],
    reason: Annotated[str, typer.Option(help="Why; it is on the invoice.")],
    amount: Annotated[
        str | None, typer.Option(help="Added to what the request cost: -0.5 gives back. Without it, all is given back.")
    ] = None,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Correct what a request cost, by an entry beside its row, which stays as it is; for admins."""
    with reported(as_json=output.is_json):
        body = {"request_id": request_id, "reason": reason} | ({} if amount is None else {"amount": amount})
        made = talk(Given(url, token, home), lambda client: client.call("POST", _CORRECTIONS, body))
        if output.is_json:
            print_json(made)
            return
        print_facts([(name.replace("_", " "), str(value)) for name, value in made.items()])


@app.command()
def corrections(
    month: Annotated[str, typer.Option(help="Year and month, in UTC, as in 2026-11, in which they were made.")],
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """List a month's corrections: everybody's for admins, else those of one's own requests."""
    with reported(as_json=output.is_json):
        path = f"{_CORRECTIONS}?{urlencode({'month': month})}"
        found = talk(Given(url, token, home), lambda client: client.call("GET", path))
        if output.is_json:
            print_json(found)
            return
        columns = ("created_at", "amount", "currency", "principal", "request_id", "reason")
        rows = [tuple(str(one[name]) for name in columns) for one in found["corrections"]]
        print_table(tuple(name.upper().replace("_", " ") for name in columns), rows)


@app.command()
def retention(
    sweep: Annotated[bool, typer.Option("--sweep", help="Forget now what is old enough.")] = False,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Show for how long usage is kept and what is there; for admins. It is swept each hour."""
    with reported(as_json=output.is_json):
        path, method = "/api/2.0/openfm/usage/retention", "POST" if sweep else "GET"
        found = talk(Given(url, token, home), lambda client: client.call(method, path))
        if output.is_json:
            print_json(found)
            return
        for_ever = found | {name: "for ever" for name, value in found.items() if value is None and "days" in name}
        print_facts([(name.replace("_", " "), str(value)) for name, value in for_ever.items() if value is not None])


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
