"""`openfm prices`: what things cost."""

from typing import Annotated

import typer

from openfm.cli.access_api import talk
from openfm.cli.errors import CliError, ExitCode, reported
from openfm.cli.output import Output, OutputOption, print_facts, print_json, print_table
from openfm.cli.profile import Given, HomeOption, TokenOption, UrlOption

app = typer.Typer(help="Show and set prices.", add_completion=False, no_args_is_help=True, rich_markup_mode=None)

_PATH = "/api/2.0/openfm/prices"
_AMOUNTS = ("prompt", "cached", "completion", "model_unit_hour")


@app.command("list")
def list_prices(
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """List every price ever set. What has none costs 0 DBU."""
    with reported(as_json=output.is_json):
        answer = talk(Given(url, token, home), lambda client: client.call("GET", _PATH))
        found = list(answer.get("prices") or [])
        if output.is_json:
            print_json(found)
            return
        columns = ("VERSION", "FOR", "CURRENCY", "PROMPT", "CACHED", "COMPLETION", "UNIT HOUR", "FROM", "BY")
        rows = [
            (
                str(one["version"]),
                str(one.get("endpoint") or one.get("entity_name")),
                str(one["currency"]),
                *(str(one.get(name, "")) for name in _AMOUNTS),
                str(one["effective_from"]),
                str(one["created_by"]),
            )
            for one in found
        ]
        print_table(columns, rows)


@app.command("set")
def set_price(
    target: Annotated[str, typer.Argument(help="An endpoint, or several as in 'chat-*', or catalog.schema.model.")],
    currency: Annotated[str, typer.Option(help="As in USD or EUR, or DBU.")],
    prompt: Annotated[str | None, typer.Option(help="For a million prompt tokens.")] = None,
    cached: Annotated[
        str | None, typer.Option(help="For a million prompt tokens from the cache; without, as other ones.")
    ] = None,
    completion: Annotated[str | None, typer.Option(help="For a million completion tokens.")] = None,
    model_unit_hour: Annotated[str | None, typer.Option(help="For an hour of one model unit.")] = None,
    effective_from: Annotated[
        str | None, typer.Option("--from", help="When it begins to hold, as in 2026-12-01T00:00:00Z. Without, now.")
    ] = None,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Set a price; for admins. Requests that were priced already keep their price."""
    with reported(as_json=output.is_json):
        amounts = {"prompt": prompt, "cached": cached, "completion": completion, "model_unit_hour": model_unit_hour}
        given = {name: amount for name, amount in amounts.items() if amount is not None}
        if not given:
            raise CliError("Give an amount, as in --prompt 0.25 --completion 1.25.", ExitCode.USAGE)
        kind = "entity_name" if target.count(".") == 2 else "endpoint"
        body: dict[str, object] = {kind: target, "currency": currency, **given}
        if effective_from is not None:
            body["effective_from"] = effective_from
        made = talk(Given(url, token, home), lambda client: client.call("POST", _PATH, body))
        if output.is_json:
            print_json(made)
            return
        print_facts([(name.replace("_", " "), str(value)) for name, value in made.items()])
