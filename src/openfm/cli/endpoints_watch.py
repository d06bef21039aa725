"""`openfm endpoints logs|build-logs|export-metrics|get-open-api|…permissions`: what is known about an endpoint."""

import asyncio
import sys
from typing import Annotated

import typer

from openfm.cli.endpoints_api import Endpoints, ask
from openfm.cli.endpoints_body import read_body
from openfm.cli.endpoints_manage import JsonNeeded, NameArgument
from openfm.cli.errors import CliError, ExitCode, reported
from openfm.cli.output import Output, OutputOption, print_json
from openfm.cli.profile import Given, HomeOption, TokenOption, UrlOption
from openfm.cli.text import neutral

_INTERVAL_S = 1.0
_LEAST_OVERLAP = 64

ServedArgument = Annotated[str | None, typer.Argument(help="The served entity; not needed where there is one alone.")]
IdArgument = Annotated[str, typer.Argument(help="The endpoint's id, or its name.")]


def add_to(app: typer.Typer) -> None:
    """Make these verbs of `openfm endpoints`."""
    for verb in (logs, build_logs, export_metrics, get_open_api):
        app.command()(verb)
    for permission_verb in (get_permission_levels, get_permissions, set_permissions, update_permissions):
        app.command()(permission_verb)


def logs(
    name: NameArgument,
    served: ServedArgument = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as more is written, until Ctrl-C.")] = False,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Show the end of what a served entity's engines wrote."""
    with reported(as_json=output.is_json):
        if follow and output.is_json:
            raise CliError("-f writes text as it comes. Leave -o json out.", ExitCode.USAGE)
        given = Given(url, token, home)
        if follow:
            ask(given, lambda endpoints: _follow(endpoints, name, served))
        else:
            _print_logs(ask(given, lambda endpoints: _logs(endpoints, name, served, "logs")), output)


def build_logs(
    name: NameArgument,
    served: ServedArgument = None,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Show how a served entity's model was fetched, checked and converted."""
    with reported(as_json=output.is_json):
        _print_logs(ask(Given(url, token, home), lambda e: _logs(e, name, served, "build-logs")), output)


def export_metrics(
    name: NameArgument,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Write an endpoint's metrics in Prometheus' text format."""
    with reported(as_json=output.is_json):
        text = ask(Given(url, token, home), lambda endpoints: endpoints.metrics(name))
        if output.is_json:
            print_json({"contents": text})
        else:
            _write(text)


def get_open_api(
    name: NameArgument,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Write the OpenAPI document of an endpoint."""
    with reported(as_json=output.is_json):
        print_json(ask(Given(url, token, home), lambda endpoints: endpoints.openapi(name)))


def get_permission_levels(
    endpoint: IdArgument,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Show which permission levels there are."""
    with reported(as_json=output.is_json):
        print_json(ask(Given(url, token, home), lambda endpoints: endpoints.permission_levels(endpoint)))


def get_permissions(
    endpoint: IdArgument,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Show who may do what with an endpoint."""
    with reported(as_json=output.is_json):
        print_json(ask(Given(url, token, home), lambda endpoints: endpoints.permissions("GET", endpoint)))


def set_permissions(
    endpoint: IdArgument,
    body: JsonNeeded,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Replace who may do what with an endpoint."""
    with reported(as_json=output.is_json):
        content = read_body(body)
        print_json(ask(Given(url, token, home), lambda endpoints: endpoints.permissions("PUT", endpoint, content)))


def update_permissions(
    endpoint: IdArgument,
    body: JsonNeeded,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Add to who may do what with an endpoint."""
    with reported(as_json=output.is_json):
        content = read_body(body)
        print_json(ask(Given(url, token, home), lambda endpoints: endpoints.permissions("PATCH", endpoint, content)))


def fresh(old: str, new: str) -> str:
    """What `new` has beyond `old`, where both are ends of one growing text: all of it, if they do not overlap."""
    head = new[:_LEAST_OVERLAP]
    start = old.find(head) if head else -1
    while start >= 0:
        if new.startswith(old[start:]):
            return new[len(old) - start :]
        start = old.find(head, start + 1)
    return new


async def _logs(endpoints: Endpoints, name: str, served: str | None, kind: str) -> str:
    return await endpoints.logs(name, served or await _only_entity(endpoints, name), kind)


async def _follow(endpoints: Endpoints, name: str, served: str | None) -> None:
    entity, seen = served or await _only_entity(endpoints, name), ""
    while True:
        now = await endpoints.logs(name, entity)
        _write(fresh(seen, now), end="")
        seen = now or seen
        await asyncio.sleep(_INTERVAL_S)


async def _only_entity(endpoints: Endpoints, name: str) -> str:
    endpoint = await endpoints.get(name)
    configs = [endpoint.get("pending_config") or {}, endpoint.get("config") or {}]
    names = {str(entity["name"]): None for config in configs for entity in config.get("served_entities") or []}
    if len(names) != 1:
        raise CliError(f"'{name}' serves several entities. Name one of: {', '.join(names)}.", ExitCode.USAGE)
    return next(iter(names))


def _print_logs(text: str, output: Output) -> None:
    if output.is_json:
        print_json({"logs": text})
    else:
        _write(text)


def _write(text: str, end: str = "\n") -> None:
    sys.stdout.write(neutral(text) + ("" if text.endswith("\n") or not text else end))
    sys.stdout.flush()
