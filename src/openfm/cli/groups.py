"""`openfm groups`. The members of `admins` are admins; everybody is in `users`."""

from typing import Annotated

import typer

from openfm.cli.access_api import Collection, Facts, groups, names_of, service_principals, talk, users
from openfm.cli.client import Client
from openfm.cli.errors import CliError, ExitCode, reported
from openfm.cli.output import Output, OutputOption, print_facts, print_json, print_table
from openfm.cli.profile import Given, HomeOption, TokenOption, UrlOption

app = typer.Typer(
    help="Create, list and delete groups; add and remove members. The members of `admins` are admins.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
)

NameArgument = Annotated[str, typer.Argument(help="Name or id of the group.")]
MembersArgument = Annotated[list[str], typer.Argument(help="Users, service principals (application id) or groups.")]


@app.command("list")
def list_groups(
    output: OutputOption = Output.TEXT, url: UrlOption = None, token: TokenOption = None, home: HomeOption = None
) -> None:
    """List all groups."""
    with reported(as_json=output.is_json):
        found = talk(Given(url, token, home), lambda client: groups(client).everyone())
        if output.is_json:
            print_json(found)
            return
        rows = [(one["id"], one["displayName"], str(len(one.get("members") or []))) for one in found]
        print_table(("ID", "NAME", "MEMBERS"), rows)


@app.command()
def get(
    name: NameArgument,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Show a group with its members."""
    with reported(as_json=output.is_json):
        _print(talk(Given(url, token, home), lambda client: groups(client).find(name)), output)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="The group's name.")],
    member: Annotated[list[str] | None, typer.Option("--member", help="Somebody in it; again for more.")] = None,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Create a group."""

    async def ask(client: Client) -> Facts:
        return await groups(client).create({"displayName": name, "members": await _ids(client, member or [])})

    with reported(as_json=output.is_json):
        _print(talk(Given(url, token, home), ask), output)


@app.command()
def add(
    name: NameArgument,
    members: MembersArgument,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Put somebody into a group."""

    async def ask(client: Client) -> Facts:
        operation: dict[str, object] = {"op": "add", "path": "members", "value": await _ids(client, members)}
        return await groups(client).patch(name, [operation])

    with reported(as_json=output.is_json):
        _print(talk(Given(url, token, home), ask), output)


@app.command()
def remove(
    name: NameArgument,
    members: MembersArgument,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Take somebody out of a group."""

    async def ask(client: Client) -> Facts:
        operation: dict[str, object] = {"op": "remove", "path": "members", "value": await _ids(client, members)}
        return await groups(client).patch(name, [operation])

    with reported(as_json=output.is_json):
        _print(talk(Given(url, token, home), ask), output)


@app.command()
def delete(
    name: NameArgument,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Delete a group; its members stay, without what it was allowed."""
    with reported(as_json=output.is_json):
        talk(Given(url, token, home), lambda client: groups(client).delete(name))


async def _ids(client: Client, names: list[str]) -> list[dict[str, str]]:
    return [{"value": await _id(client, name)} for name in names]


async def _id(client: Client, name: str) -> str:
    collections: tuple[Collection, ...] = (users(client), service_principals(client), groups(client))
    for collection in collections:
        try:
            return str((await collection.find(name))["id"])
        except CliError as error:
            if error.exit_code is not ExitCode.NOT_FOUND:
                raise
    raise CliError(f"There is no user, service principal or group called '{name}'.", ExitCode.NOT_FOUND)


def _print(group: Facts, output: Output) -> None:
    if output.is_json:
        print_json(group)
        return
    facts = [("name", group["displayName"]), ("id", group["id"]), ("members", names_of(group.get("members")))]
    print_facts([*facts, ("groups", names_of(group.get("groups")))])
