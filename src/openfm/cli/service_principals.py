"""`openfm service-principals`: identities of programs, and the secrets with which these identify themselves."""

from typing import Annotated

import typer

from openfm.cli.access_api import Facts, names_of, quoted, service_principals, span_s, talk
from openfm.cli.client import Client
from openfm.cli.errors import reported
from openfm.cli.output import Output, OutputOption, print_facts, print_json, print_table
from openfm.cli.profile import Given, HomeOption, TokenOption, UrlOption

app = typer.Typer(
    help="Identities of programs, and their secrets.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
)

NameArgument = Annotated[str, typer.Argument(help="Application id, id, or display name.")]


@app.command("list")
def list_service_principals(
    output: OutputOption = Output.TEXT, url: UrlOption = None, token: TokenOption = None, home: HomeOption = None
) -> None:
    """List all service principals."""
    with reported(as_json=output.is_json):
        found = talk(Given(url, token, home), lambda client: service_principals(client).everyone())
        if output.is_json:
            print_json(found)
            return
        rows = [(one["applicationId"], one["displayName"], names_of(one.get("groups"))) for one in found]
        print_table(("APPLICATION ID", "NAME", "GROUPS"), rows)


@app.command()
def get(
    name: NameArgument,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Show a service principal."""
    with reported(as_json=output.is_json):
        _print(talk(Given(url, token, home), lambda client: service_principals(client).find(name)), output)


@app.command()
def create(
    display_name: Annotated[str, typer.Argument(help="The name for people.")],
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Create a service principal. It gets in with a secret (`secret`) or a token (`openfm tokens create --for`)."""
    with reported(as_json=output.is_json):
        resource = {"displayName": display_name}
        _print(talk(Given(url, token, home), lambda client: service_principals(client).create(resource)), output)


@app.command()
def delete(
    name: NameArgument,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Delete a service principal with its secrets, tokens and permissions."""
    with reported(as_json=output.is_json):
        talk(Given(url, token, home), lambda client: service_principals(client).delete(name))


@app.command()
def secret(
    name: NameArgument,
    lifetime: Annotated[str | None, typer.Option(help="How long it works: seconds, or like 12h or 90d.")] = None,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Create a client secret (OAuth). It is shown this once."""
    body = {} if lifetime is None else {"lifetime": f"{span_s(lifetime)}s"}

    async def ask(client: Client) -> tuple[Facts, Facts]:
        principal = await service_principals(client).find(name)
        return principal, await client.call("POST", _secrets(principal), body)

    with reported(as_json=output.is_json):
        principal, made = talk(Given(url, token, home), ask)
        if output.is_json:
            print_json(made)
            return
        facts = [("client id", principal["applicationId"]), ("client secret", made["secret"]), ("id", made["id"])]
        print_facts([*facts, ("ends", made.get("expire_time", "never"))])


@app.command()
def secrets(
    name: NameArgument,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """List the client secrets, without their values."""

    async def ask(client: Client) -> list[Facts]:
        answer = await client.call("GET", _secrets(await service_principals(client).find(name)))
        return list(answer.get("secrets") or [])

    with reported(as_json=output.is_json):
        found = talk(Given(url, token, home), ask)
        if output.is_json:
            print_json(found)
            return
        rows = [(one["id"], one["create_time"], one.get("expire_time", "never")) for one in found]
        print_table(("ID", "CREATED", "ENDS"), rows)


@app.command()
def delete_secret(
    name: NameArgument,
    secret_id: Annotated[str, typer.Argument(help="As `secrets` shows it.")],
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Delete a client secret; the access tokens that it brought end at once."""

    async def ask(client: Client) -> None:
        path = _secrets(await service_principals(client).find(name))
        await client.call("DELETE", f"{path}/{quoted(secret_id)}")

    with reported(as_json=output.is_json):
        talk(Given(url, token, home), ask)


def _secrets(principal: Facts) -> str:
    return f"/api/2.0/accounts/servicePrincipals/{quoted(str(principal['id']))}/credentials/secrets"


def _print(principal: Facts, output: Output) -> None:
    if output.is_json:
        print_json(principal)
        return
    facts = [("application id", principal["applicationId"]), ("id", principal["id"])]
    print_facts([*facts, ("name", principal["displayName"]), ("groups", names_of(principal.get("groups")))])
