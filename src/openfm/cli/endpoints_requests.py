"""`openfm endpoints requests`: an endpoint's inference table."""

from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from openfm.cli.access_api import talk
from openfm.cli.client import Client
from openfm.cli.errors import reported
from openfm.cli.output import Output, OutputOption, print_json, print_table
from openfm.cli.profile import Given, HomeOption, TokenOption, UrlOption

_PAGE = 100
_SHOWN_CHARACTERS = 60


def add_to(app: typer.Typer) -> None:
    """Make this a verb of `openfm endpoints`."""
    app.command()(requests)


def requests(
    name: Annotated[str, typer.Argument(help="The endpoint's name.")],
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, the latest first.")] = 20,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Show what an endpoint with an inference table was asked and answered; for those who manage it."""
    with reported(as_json=output.is_json):
        rows = talk(Given(url, token, home), lambda client: _rows(client, name, limit))
        if output.is_json:
            print_json(rows)
            return
        columns = ("TIME", "STATUS", "MS", "REQUESTER", "REQUEST", "RESPONSE")
        print_table(columns, [_row(row) for row in rows])


async def _rows(client: Client, name: str, limit: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    token = ""
    while len(rows) < limit:
        query = urlencode({"max_results": min(_PAGE, limit - len(rows)), "page_token": token})
        page = await client.call("GET", f"/api/2.0/openfm/inference-tables/{quote(name, safe='')}?{query}")
        rows += page["rows"]
        token = str(page.get("next_page_token") or "")
        if not token:
            break
    return rows


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    status, milliseconds = str(row["status_code"]), str(row["execution_duration_ms"])
    texts = (_short(row["request"]), _short(row["response"]))
    return str(row["request_time"]), status, milliseconds, str(row["requester"]), *texts


def _short(text: str | None) -> str:
    if text is None:
        return "(too large)"
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN_CHARACTERS else f"{line[: _SHOWN_CHARACTERS - 1]}…"
