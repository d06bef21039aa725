"""`openfm limits`: how much callers may use."""

from typing import Annotated
from urllib.parse import urlencode

import typer

from openfm.cli.access_api import Facts, talk
from openfm.cli.errors import reported
from openfm.cli.output import Output, OutputOption, print_facts, print_json, print_table
from openfm.cli.profile import Given, HomeOption, TokenOption, UrlOption

app = typer.Typer(help="List and set limits.", add_completion=False, no_args_is_help=True, rich_markup_mode=None)

_PATH = "/api/2.0/openfm/limits"
_WEIGHTS = f"{_PATH}/weights"

UserOption = Annotated[str | None, typer.Option("--user", help="A user.")]
GroupOption = Annotated[str | None, typer.Option("--group", help="A group.")]
ServicePrincipalOption = Annotated[
    str | None, typer.Option("--service-principal", help="A service principal's application id.")
]


@app.command("list")
def list_limits(
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """List the limits and weights that are about you; for an admin, all. What has none is not limited, and weighs 1."""
    with reported(as_json=output.is_json):
        found = talk(Given(url, token, home), lambda client: client.call("GET", _PATH))
        if output.is_json:
            print_json(found)
            return
        rows = [_row(limit) for limit in found.get("limits") or []]
        for endpoint in found.get("endpoints") or []:
            rows += [_endpoint_row(str(endpoint["name"]), limit) for limit in endpoint["rate_limits"]]
        print_table(("LIMIT", "FOR", "ENDPOINT", "ID"), rows)
        weights = found.get("weights") or []
        if weights:
            print_table(
                ("WEIGHT", "FOR", "SCOPE"), [(f"{one['weight']:g}", one["principal"], one["scope"]) for one in weights]
            )


@app.command()
def platform(
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Show the bounds that hold for everybody, and which foundation models answer here."""
    with reported(as_json=output.is_json):
        found = talk(Given(url, token, home), lambda client: client.call("GET", f"{_PATH}/platform"))
        if output.is_json:
            print_json(found)
            return
        print_table(
            ("LIMIT", "VALUE", "UNIT", "SETTING"),
            [
                (
                    limit["name"],
                    f"{limit['value']:g}" if limit["value"] < 1e6 else f"{limit['value']:.0f}",
                    limit["unit"],
                    limit["setting"] or "fixed",
                )
                for limit in found["limits"]
            ],
        )
        print_table(
            ("MODEL", "REGION", "AVAILABILITY", "WHY"),
            [(model["name"], model["region"], model["availability"], model["reason"]) for model in found["models"]],
        )


@app.command("set")
def set_limit(
    amount: Annotated[int, typer.Argument(help="The most; 0 admits nothing.")],
    measure: Annotated[str, typer.Argument(help="requests, input_tokens, output_tokens, tokens or concurrency.")],
    period: Annotated[
        str | None, typer.Option("--per", help="second, minute, hour or day; not for concurrency.")
    ] = None,
    user: Annotated[str | None, typer.Option(help="One user; 'each' for every user by himself.")] = None,
    group: Annotated[str | None, typer.Option(help="A group, whose members share it.")] = None,
    service_principal: Annotated[str | None, typer.Option(help="A service principal's application id.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="On this endpoint only.")] = None,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Set a limit, in the place of one for the same; for admins. Without a principal: for all callers together."""
    with reported(as_json=output.is_json):
        named = {"user": user, "user_group": group, "service_principal": service_principal}
        given = {scope: name for scope, name in named.items() if name is not None}
        if len(given) > 1:
            raise typer.BadParameter("give one of --user, --group and --service-principal")
        body: dict[str, object] = {"measure": measure, "amount": amount}
        for scope, name in given.items():
            body |= {"scope": scope} if name == "each" and scope == "user" else {"scope": scope, "principal": name}
        body |= {key: value for key, value in (("period", period), ("endpoint", endpoint)) if value is not None}
        made = talk(Given(url, token, home), lambda client: client.call("PUT", _PATH, body))
        if output.is_json:
            print_json(made)
            return
        limit, who, where, identifier = _row(made)
        print_facts([("limit", limit), ("for", who), ("endpoint", where), ("id", identifier)])


@app.command()
def delete(
    limit_id: Annotated[str, typer.Argument(help="As `openfm limits list` shows it.")],
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Remove a limit; for admins."""
    with reported(as_json=False):
        talk(Given(url, token, home), lambda client: client.call("DELETE", f"{_PATH}/{limit_id}"))


@app.command("set-weight")
def set_weight(
    weight: Annotated[float, typer.Argument(help="Its share while several wait; who has none has 1.")],
    user: UserOption = None,
    group: GroupOption = None,
    service_principal: ServicePrincipalOption = None,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Set the share of one who waits with others for an endpoint; for admins. A group's is for each of its members."""
    with reported(as_json=output.is_json):
        body = _one_of(user, group, service_principal) | {"weight": weight}
        made = talk(Given(url, token, home), lambda client: client.call("PUT", _WEIGHTS, body))
        if output.is_json:
            print_json(made)
            return
        print_facts([("weight", f"{made['weight']:g}"), ("for", str(made["principal"])), ("scope", str(made["scope"]))])


@app.command("delete-weight")
def delete_weight(
    user: UserOption = None,
    group: GroupOption = None,
    service_principal: ServicePrincipalOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Remove a weight: the groups' highest holds, or 1; for admins."""
    with reported(as_json=False):
        query = urlencode(_one_of(user, group, service_principal))
        talk(Given(url, token, home), lambda client: client.call("DELETE", f"{_WEIGHTS}?{query}"))


def _one_of(user: str | None, group: str | None, service_principal: str | None) -> dict[str, object]:
    named = {"user": user, "user_group": group, "service_principal": service_principal}
    given = [(scope, name) for scope, name in named.items() if name is not None]
    if len(given) != 1:
        raise typer.BadParameter("give one of --user, --group and --service-principal")
    scope, name = given[0]
    return {"scope": scope, "principal": name}


def _amount(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"


def _row(limit: Facts) -> tuple[str, str, str, str]:
    period = f" per {limit['period']}" if limit.get("period") else ""
    who = "each user" if limit["scope"] == "user" and "principal" not in limit else str(limit.get("principal", "all"))
    words = f"{limit['amount']} {str(limit['measure']).replace('_', ' ')}{period}"
    return words, who, str(limit.get("endpoint", "all")), str(limit["id"])


def _endpoint_row(endpoint: str, limit: Facts) -> tuple[str, str, str, str]:
    measure = "requests" if limit.get("calls") is not None else "tokens"
    amount = limit.get("calls") if limit.get("calls") is not None else limit.get("tokens")
    key = str(limit.get("key") or "endpoint")
    who = str(limit.get("principal") or ("all" if key == "endpoint" else "each user"))
    return f"{amount} {measure} per {limit.get('renewal_period', 'minute')}", who, endpoint, ""
