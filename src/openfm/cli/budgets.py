"""`openfm budgets`: how much money may be spent."""

from typing import Annotated
from urllib.parse import quote

import typer

from openfm.cli.access_api import Facts, talk
from openfm.cli.errors import reported
from openfm.cli.output import Output, OutputOption, print_facts, print_json, print_table
from openfm.cli.profile import Given, HomeOption, TokenOption, UrlOption

app = typer.Typer(help="List and set budgets.", add_completion=False, no_args_is_help=True, rich_markup_mode=None)

_PATH = "/api/2.0/openfm/budgets"
_NAME = Annotated[str, typer.Argument(help="The budget's name.")]


@app.command("list")
def list_budgets(
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """List the budgets that are for you and what is spent of them; for an admin, all."""
    with reported(as_json=output.is_json):
        found = talk(Given(url, token, home), lambda client: client.call("GET", _PATH))
        if output.is_json:
            print_json(found)
            return
        columns = ("NAME", "FOR", "BUDGET", "SPENT", "%", "ALERT", "RENEWS")
        print_table(columns, [_row(budget) for budget in found.get("budgets") or []])


@app.command()
def show(
    name: _NAME,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Show one budget, and what was spent in each of its periods."""
    with reported(as_json=output.is_json):
        _print(talk(Given(url, token, home), lambda client: client.call("GET", _path(name))), output)


@app.command("set")
def set_budget(
    name: _NAME,
    amount: Annotated[str, typer.Argument(help="The most, as in 500 or 0.25; 0 admits nothing that costs.")],
    currency: Annotated[str, typer.Option(help="USD, EUR, ... or DBU, as prices have it.")],
    per: Annotated[str, typer.Option(help="month or day, in UTC.")] = "month",
    user: Annotated[str | None, typer.Option(help="What this user spends.")] = None,
    group: Annotated[str | None, typer.Option(help="What members of this group spend together.")] = None,
    service_principal: Annotated[str | None, typer.Option(help="What the one of this application id spends.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="What is spent on this endpoint.")] = None,
    tag: Annotated[str | None, typer.Option(help="What is spent under this tag, key=value.")] = None,
    alert: Annotated[list[int] | None, typer.Option(help="A percentage at which to tell; may be repeated.")] = None,
    alert_only: Annotated[bool, typer.Option("--alert-only", help="Refuse no request, tell alone.")] = False,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Set a budget, in the place of the one of that name; for admins. Without a target: for everybody together."""
    with reported(as_json=output.is_json):
        named = {
            "user": user,
            "user_group": group,
            "service_principal": service_principal,
            "endpoint": endpoint,
            "tag": tag,
        }
        given = {scope: target for scope, target in named.items() if target is not None}
        if len(given) > 1:
            raise typer.BadParameter("give one of --user, --group, --service-principal, --endpoint and --tag")
        body: dict[str, object] = {"amount": amount, "currency": currency, "period": per, "alerts": alert or []}
        for scope, target in given.items():
            body |= {"scope": scope, "target": target}
        if alert_only:
            body["action"] = "alert"
        _print(
            talk(Given(url, token, home), lambda client: client.call("PUT", _path(name), body)),
            output,
        )


@app.command()
def delete(
    name: _NAME,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Remove a budget; for admins."""
    with reported(as_json=False):
        talk(Given(url, token, home), lambda client: client.call("DELETE", _path(name)))


def _path(name: str) -> str:
    return f"{_PATH}/{quote(name, safe='')}"


def _print(budget: Facts, output: Output) -> None:
    if output.is_json:
        print_json(budget)
        return
    name, whom, words, spent, percent, alerted, renews = _row(budget)
    print_facts(
        [
            ("name", name),
            ("for", whom),
            ("budget", words),
            ("spent", spent),
            ("percent", percent),
            ("alert", alerted),
            ("alerts at", ", ".join(f"{one} %" for one in budget.get("alerts") or [])),
            ("renews", renews),
        ]
    )
    history = [(str(one["start"])[:10], str(one["spent"])) for one in budget.get("history") or []]
    if history:
        print_table(("SINCE", "SPENT"), history)


def _row(budget: Facts) -> tuple[str, str, str, str, str, str, str]:
    scope = str(budget["scope"])
    whom = "everybody" if scope == "all" else f"{scope.replace('_', ' ')} {budget.get('target', '')}"
    words = f"{budget['amount']} {budget['currency']} per {budget['period']}"
    if budget["action"] == "alert":
        words += ", alerts only"
    alerted = f"{budget['alerted_percent']} %" if budget.get("alerted_percent") else ""
    percent = str(budget.get("percent", ""))
    return str(budget["name"]), whom, words, str(budget["spent"]), percent, alerted, str(budget["renews_at"])
