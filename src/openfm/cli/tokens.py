"""`openfm tokens`: access tokens, one's own and, for admins, those of others."""

from typing import Annotated

import typer

from openfm.cli.access_api import Facts, service_principals, shown_time, span_s, talk, users
from openfm.cli.client import Client
from openfm.cli.endpoints_body import read_body
from openfm.cli.errors import CliError, ExitCode, reported
from openfm.cli.output import Output, OutputOption, print_facts, print_json, print_table
from openfm.cli.profile import Given, HomeOption, TokenOption, UrlOption

app = typer.Typer(
    help="Create, list and delete access tokens.", add_completion=False, no_args_is_help=True, rich_markup_mode=None
)


@app.command()
def create(
    comment: Annotated[str, typer.Option(help="What it is for.")] = "",
    lifetime: Annotated[
        str | None, typer.Option(help="How long it works: seconds, or like 12h or 90d. Without, it never ends.")
    ] = None,
    owner: Annotated[
        str | None, typer.Option("--for", help="Somebody else's: a user, or a service principal's application id.")
    ] = None,
    body: Annotated[str | None, typer.Option("--json", help="The request body: JSON, or @FILE, or @- .")] = None,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Create a token. It is shown this once; keep it as you keep a password."""
    with reported(as_json=output.is_json):
        content: dict[str, object] = {} if body is None else read_body(body)
        if comment:
            content["comment"] = comment
        if lifetime:
            content["lifetime_seconds"] = span_s(lifetime)
        if owner:
            content["application_id"] = owner
        is_for_other = "application_id" in content
        path = "/api/2.0/token-management/on-behalf-of/tokens" if is_for_other else "/api/2.0/token/create"
        made = talk(Given(url, token, home), lambda client: client.call("POST", path, content))
        if output.is_json:
            print_json(made)
            return
        info = made["token_info"]
        facts = [("token", str(made["token_value"])), ("id", str(info["token_id"]))]
        print_facts([*facts, ("comment", str(info["comment"])), ("ends", shown_time(info["expiry_time"]))])


@app.command("list")
def list_tokens(
    everybody: Annotated[bool, typer.Option("--all", help="Everybody's; for admins.")] = False,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """List tokens, without their values."""
    with reported(as_json=output.is_json):
        given = Given(url, token, home)
        if not everybody:
            _print(talk(given, lambda client: client.call("GET", "/api/2.0/token/list")), output)
            return
        answer, owners = talk(given, _everybodys)
        _print(answer, output, owners)


@app.command()
def delete(
    token_id: Annotated[str, typer.Argument(help="As `list` shows it.")],
    of_others: Annotated[bool, typer.Option("--any", help="Anybody's; for admins.")] = False,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Delete a token; whoever uses it is out at once."""
    with reported(as_json=output.is_json):
        if "/" in token_id or not token_id.isalnum():
            raise CliError(f"'{token_id}' is no token's id. `openfm tokens list` shows them.", ExitCode.USAGE)
        given = Given(url, token, home)
        if of_others:
            talk(given, lambda client: client.call("DELETE", f"/api/2.0/token-management/tokens/{token_id}"))
        else:
            talk(given, lambda client: client.call("POST", "/api/2.0/token/delete", {"token_id": token_id}))


async def _everybodys(client: Client) -> tuple[Facts, dict[str, str]]:
    """All tokens, and the names of their owners by id."""
    answer = await client.call("GET", "/api/2.0/token-management/tokens")
    owners = {str(user["id"]): str(user["userName"]) for user in await users(client).everyone()}
    for principal in await service_principals(client).everyone():
        owners[str(principal["id"])] = str(principal["displayName"])
    return answer, owners


def _print(answer: Facts, output: Output, owners: dict[str, str] | None = None) -> None:
    infos = list(answer.get("token_infos") or [])
    if output.is_json:
        print_json(infos)
        return
    columns: tuple[str, ...] = ("ID", "CREATED", "ENDS", "COMMENT")
    rows = [
        (str(one["token_id"]), shown_time(one["creation_time"]), shown_time(one["expiry_time"]), str(one["comment"]))
        for one in infos
    ]
    if owners is None:
        print_table(columns, rows)
        return
    used = [shown_time(one.get("last_used_day"))[:10] for one in infos]
    names = [owners.get(str(one.get("owner_id")), str(one.get("owner_id"))) for one in infos]
    rest = [(*row, day, name) for row, day, name in zip(rows, used, names, strict=True)]
    print_table((*columns, "LAST USED", "OWNER"), rest)
