"""`openfm endpoints events`: what happened to an endpoint."""

from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from openfm.cli.access_api import talk
from openfm.cli.client import Client
from openfm.cli.errors import reported
from openfm.cli.output import Output, OutputOption, print_json, print_table
from openfm.cli.profile import Given, HomeOption, TokenOption, UrlOption

_PAGE = 200


def add_to(app: typer.Typer) -> None:
    """Make this a verb of `openfm endpoints`."""
    app.command()(events)


def events(
    name: Annotated[str, typer.Argument(help="The endpoint's name.")],
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, the latest first.")] = 20,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Show what happened to an endpoint: its configuration, its replicas, by whom and why."""
    with reported(as_json=output.is_json):
        found = talk(Given(url, token, home), lambda client: _events(client, name, limit))
        if output.is_json:
            print_json(found)
            return
        print_table(("TIME (UTC)", "EVENT", "SERVED ENTITY", "BY", "WHAT"), [_row(event) for event in found])


async def _events(client: Client, name: str, limit: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    token = ""
    while len(found) < limit:
        query = urlencode({"max_results": min(_PAGE, limit - len(found)), "page_token": token})
        page = await client.call("GET", f"/api/2.0/serving-endpoints/{quote(name, safe='')}/events?{query}")
        found += page["events"]
        token = str(page.get("next_page_token") or "")
        if not token:
            break
    return found


def _row(event: dict[str, Any]) -> tuple[str, ...]:
    time = f"{datetime.fromtimestamp(event['timestamp'] / 1000, UTC):%Y-%m-%d %H:%M:%S}"
    by = str(event["actor"]) or "openfm"
    return time, str(event["type"]), str(event["served_entity_name"]) or "-", by, str(event["message"])
