"""`openfm users`."""

from typing import Annotated

import typer

from openfm.cli.access_api import Facts, names_of, talk, users
from openfm.cli.endpoints_body import read_body
from openfm.cli.errors import reported
from openfm.cli.output import Output, OutputOption, print_facts, print_json, print_table
from openfm.cli.profile import Given, HomeOption, TokenOption, UrlOption

app = typer.Typer(
    help="Create, list and delete users; let them out and in.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
)

NameArgument = Annotated[str, typer.Argument(help="User name or id.")]


@app.command("list")
def list_users(
    output: OutputOption = Output.TEXT, url: UrlOption = None, token: TokenOption = None, home: HomeOption = None
) -> None:
    """List all users."""
    with reported(as_json=output.is_json):
        found = talk(Given(url, token, home), lambda client: users(client).everyone())
        if output.is_json:
            print_json(found)
            return
        rows = [(user["id"], user["userName"], _state(user), names_of(user.get("groups"))) for user in found]
        print_table(("ID", "NAME", "STATE", "GROUPS"), rows)


@app.command()
def get(
    name: NameArgument,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Show a user."""
    with reported(as_json=output.is_json):
        _print(talk(Given(url, token, home), lambda client: users(client).find(name)), output)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="User name, mostly an e-mail address.")],
    display_name: Annotated[str | None, typer.Option(help="The name for people.")] = None,
    body: Annotated[str | None, typer.Option("--json", help="More of the SCIM user: JSON, or @FILE, or @- .")] = None,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Create a user; give it a token with `openfm tokens create --for NAME`."""
    with reported(as_json=output.is_json):
        resource: dict[str, object] = {} if body is None else read_body(body)
        resource["userName"] = name
        if display_name:
            resource["displayName"] = display_name
        _print(talk(Given(url, token, home), lambda client: users(client).create(resource)), output)


@app.command()
def deactivate(
    name: NameArgument,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Refuse all tokens of a user at once, and keep them and its permissions."""
    _set_active(name, "false", Given(url, token, home), output)


@app.command()
def activate(
    name: NameArgument,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Let a user in again."""
    _set_active(name, "true", Given(url, token, home), output)


@app.command()
def delete(
    name: NameArgument,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Delete a user with its tokens and permissions. Its endpoints stay."""
    with reported(as_json=output.is_json):
        talk(Given(url, token, home), lambda client: users(client).delete(name))


def _set_active(name: str, value: str, given: Given, output: Output) -> None:
    operation: dict[str, object] = {"op": "replace", "path": "active", "value": value}
    with reported(as_json=output.is_json):
        _print(talk(given, lambda client: users(client).patch(name, [operation])), output)


def _print(user: Facts, output: Output) -> None:
    if output.is_json:
        print_json(user)
        return
    facts = [("name", user["userName"]), ("id", user["id"]), ("display name", user["displayName"])]
    print_facts([*facts, ("state", _state(user)), ("groups", names_of(user.get("groups")))])


def _state(user: Facts) -> str:
    return "active" if user.get("active") else "deactivated"
