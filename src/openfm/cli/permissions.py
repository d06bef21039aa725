"""`openfm permissions`: who may do what with an endpoint."""

from collections.abc import Sequence
from typing import Annotated

import typer

from openfm.cli.access_api import Facts
from openfm.cli.endpoints_api import Body, ask
from openfm.cli.endpoints_body import read_body
from openfm.cli.errors import CliError, ExitCode, reported
from openfm.cli.output import Output, OutputOption, print_json, print_table
from openfm.cli.profile import Given, HomeOption, TokenOption, UrlOption

app = typer.Typer(
    help="Show and change who may do what with an endpoint.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
)

EndpointArgument = Annotated[str, typer.Argument(help="The endpoint's name or id.")]
UserOption = Annotated[list[str] | None, typer.Option("--user", help="NAME=LEVEL; again for more.")]
GroupOption = Annotated[list[str] | None, typer.Option("--group", help="NAME=LEVEL; `users` are all.")]
ProgramOption = Annotated[list[str] | None, typer.Option("--service-principal", help="APPLICATION_ID=LEVEL.")]
JsonOption = Annotated[str | None, typer.Option("--json", help="The request body: JSON, or @FILE, or @- .")]

_LEVELS = "CAN_VIEW, CAN_QUERY or CAN_MANAGE"
_HOLDERS = ("user_name", "group_name", "service_principal_name")


@app.command()
def get(
    endpoint: EndpointArgument,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Show who may do what with an endpoint."""
    with reported(as_json=output.is_json):
        _print(ask(Given(url, token, home), lambda endpoints: endpoints.permissions("GET", endpoint)), output)


@app.command("set")
def set_(
    endpoint: EndpointArgument,
    user: UserOption = None,
    group: GroupOption = None,
    service_principal: ProgramOption = None,
    body: JsonOption = None,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Replace who may do what: CAN_VIEW, CAN_QUERY or CAN_MANAGE. The creator and admins keep CAN_MANAGE."""
    with reported(as_json=output.is_json):
        content = _body(body, (user or (), group or (), service_principal or ()))
        _print(ask(Given(url, token, home), lambda e: e.permissions("PUT", endpoint, content)), output)


@app.command()
def update(
    endpoint: EndpointArgument,
    user: UserOption = None,
    group: GroupOption = None,
    service_principal: ProgramOption = None,
    body: JsonOption = None,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Give levels, or change them; those whom you do not name keep theirs."""
    with reported(as_json=output.is_json):
        content = _body(body, (user or (), group or (), service_principal or ()))
        _print(ask(Given(url, token, home), lambda e: e.permissions("PATCH", endpoint, content)), output)


def _body(text: str | None, given: Sequence[Sequence[str]]) -> Body:
    if text is not None:
        return read_body(text)
    entries = [_entry(kind, one) for kind, listed in zip(_HOLDERS, given, strict=True) for one in listed]
    if not entries:
        raise CliError(
            "Name somebody with --user, --group or --service-principal. "
            """To take all levels away: --json '{"access_control_list": []}'.""",
            ExitCode.USAGE,
        )
    return {"access_control_list": entries}


def _entry(kind: str, text: str) -> dict[str, str]:
    name, equals, level = text.rpartition("=")
    if not (name and equals and level):
        raise CliError(f"'{text}' is no permission. Write NAME=LEVEL, with {_LEVELS}.", ExitCode.USAGE)
    return {kind: name, "permission_level": level.upper()}


def _print(answer: Facts, output: Output) -> None:
    if output.is_json:
        print_json(answer)
        return
    rows = [
        (kind.removesuffix("_name").replace("_", " "), str(entry[kind]), held["permission_level"], _why(held))
        for entry in answer.get("access_control_list") or []
        for kind in _HOLDERS
        if kind in entry
        for held in entry.get("all_permissions") or []
    ]
    print_table(("KIND", "NAME", "LEVEL", ""), rows)


def _why(held: Facts) -> str:
    return "always" if held.get("inherited") else ""
