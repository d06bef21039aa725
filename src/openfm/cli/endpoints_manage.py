"""`openfm endpoints create|update-config|delete|stop|start|…`: what changes an endpoint."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from openfm.cli.endpoints_api import Body, Endpoints, Facts, ask
from openfm.cli.endpoints_body import EntityFlags, creation_body, read_body, seconds, tags_of
from openfm.cli.endpoints_show import show
from openfm.cli.endpoints_wait import Patience, settled, shown_states
from openfm.cli.errors import CliError, ExitCode, reported
from openfm.cli.output import Output, OutputOption, print_json
from openfm.cli.profile import Given, HomeOption, TokenOption, UrlOption

_TIMEOUT = "20m"

NameArgument = Annotated[str, typer.Argument(help="The endpoint's name.")]
OptionalName = Annotated[str | None, typer.Argument(help="The endpoint's name, if not in --json.")]
JsonOption = Annotated[str | None, typer.Option("--json", help="The request body: JSON, or @FILE, or @- .")]
JsonNeeded = Annotated[str, typer.Option("--json", help="The request body: JSON, or @FILE, or @- .")]
ModelOption = Annotated[str | None, typer.Option("--model", help="What to serve: catalog.schema.model.")]
VersionOption = Annotated[str | None, typer.Option("--version", help="Its version.")]
MinOption = Annotated[int | None, typer.Option("--min-throughput", help="Tokens per second always kept ready.")]
MaxOption = Annotated[int | None, typer.Option("--max-throughput", help="Tokens per second at most.")]
UnitsOption = Annotated[int | None, typer.Option("--units", help="Throughput in model units instead.")]
ZeroOption = Annotated[
    bool | None, typer.Option("--scale-to-zero/--no-scale-to-zero", help="Let go of its memory while nobody asks.")
]
WaitOption = Annotated[
    bool, typer.Option("--wait/--no-wait", help="Wait until it is rolled out; ends with 1 if that fails.")
]
TimeoutOption = Annotated[
    str, typer.Option("--timeout", help="Longest wait: seconds, or like 20m.", show_default=_TIMEOUT)
]


class WorkloadSize(StrEnum):
    """How much concurrency."""

    SMALL = "Small"
    MEDIUM = "Medium"
    LARGE = "Large"


SizeOption = Annotated[
    WorkloadSize | None, typer.Option("--workload-size", help="Small, Medium or Large: 1, 2 or 4 replicas.")
]


def add_to(app: typer.Typer) -> None:
    """Make these verbs of `openfm endpoints`."""
    for verb in (create, update_config, delete, stop, start, cancel_update, patch, put, put_ai_gateway):
        app.command()(verb)
    for provisioned in (
        create_provisioned_throughput_endpoint,
        update_provisioned_throughput_endpoint_config,
    ):
        app.command()(provisioned)


@dataclass(frozen=True, slots=True)
class _Ending:
    """What to do once the server took a change: wait or not, and how to write the endpoint."""

    wait: bool
    timeout: str
    output: Output

    async def of(self, endpoints: Endpoints, name: str, change: Awaitable[Facts]) -> Facts:
        """The endpoint as it is then."""
        timeout_s = seconds(self.timeout)
        endpoint = await change
        if not self.wait:
            return endpoint
        with shown_states() as on_states:
            patience = Patience(timeout_s, time.monotonic, asyncio.sleep)
            return await settled(lambda: endpoints.get(name), on_states, patience)


def _changed(given: Given, ending: _Ending, name: str, change: Callable[[Endpoints], Awaitable[Facts]]) -> None:
    show(ask(given, lambda endpoints: ending.of(endpoints, name, change(endpoints))), ending.output)


def create(
    name: OptionalName = None,
    body: JsonOption = None,
    model: ModelOption = None,
    version: VersionOption = None,
    workload_size: SizeOption = None,
    scale_to_zero: ZeroOption = None,
    min_throughput: MinOption = None,
    max_throughput: MaxOption = None,
    units: UnitsOption = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="key=value; again for more.")] = None,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    wait: WaitOption = False,
    timeout: TimeoutOption = _TIMEOUT,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Create an endpoint: of one model by flags, or of whatever --json says."""
    with reported(as_json=output.is_json):
        flags = EntityFlags(model, version, workload_size, scale_to_zero, min_throughput, max_throughput, units)
        details = {"tags": tags_of(tag or ()), "description": description}
        content = creation_body(name, body, flags, details)
        route = "" if units is None else "/pt"
        ending = _Ending(wait, timeout, output)
        _changed(
            Given(url, token, home),
            ending,
            str(content["name"]),
            lambda endpoints: endpoints.create(content, route=route),
        )


def update_config(
    name: NameArgument,
    body: JsonOption = None,
    model: ModelOption = None,
    version: VersionOption = None,
    workload_size: SizeOption = None,
    scale_to_zero: ZeroOption = None,
    min_throughput: MinOption = None,
    max_throughput: MaxOption = None,
    wait: WaitOption = False,
    timeout: TimeoutOption = _TIMEOUT,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Serve something else; what is served now answers until then."""
    with reported(as_json=output.is_json):
        flags = EntityFlags(model, version, workload_size, scale_to_zero, min_throughput, max_throughput)
        content = flags.config(body)
        ending = _Ending(wait, timeout, output)
        _changed(Given(url, token, home), ending, name, lambda endpoints: endpoints.update_config(name, content))


def create_provisioned_throughput_endpoint(
    body: JsonNeeded,
    name: OptionalName = None,
    wait: WaitOption = False,
    timeout: TimeoutOption = _TIMEOUT,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Create an endpoint with throughput in model units."""
    with reported(as_json=output.is_json):
        content = creation_body(name, body, EntityFlags(), {})
        ending = _Ending(wait, timeout, output)
        _changed(
            Given(url, token, home),
            ending,
            str(content["name"]),
            lambda endpoints: endpoints.create(content, route="/pt"),
        )


def update_provisioned_throughput_endpoint_config(
    name: NameArgument,
    body: JsonNeeded,
    wait: WaitOption = False,
    timeout: TimeoutOption = _TIMEOUT,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Change the config of an endpoint with throughput in model units."""
    with reported(as_json=output.is_json):
        content = read_body(body)
        ending = _Ending(wait, timeout, output)
        _changed(Given(url, token, home), ending, name, lambda endpoints: endpoints.update_provisioned(name, content))


def delete(
    name: NameArgument,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Delete an endpoint; requests that run may end."""
    with reported(as_json=output.is_json):
        ask(Given(url, token, home), lambda endpoints: endpoints.delete(name))


def stop(
    name: NameArgument,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Let go of what an endpoint runs on, and keep its config."""
    with reported(as_json=output.is_json):
        _changed(Given(url, token, home), _Ending(False, _TIMEOUT, output), name, lambda e: e.act(name, "stop"))


def start(
    name: NameArgument,
    wait: WaitOption = False,
    timeout: TimeoutOption = _TIMEOUT,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Run a stopped endpoint again."""
    with reported(as_json=output.is_json):
        _changed(Given(url, token, home), _Ending(wait, timeout, output), name, lambda e: e.act(name, "start"))


def cancel_update(
    name: NameArgument,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Give an update up that is under way."""
    with reported(as_json=output.is_json):
        _changed(Given(url, token, home), _Ending(False, _TIMEOUT, output), name, lambda e: e.act(name, "cancel"))


def patch(
    name: NameArgument,
    body: JsonOption = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="Add key=value; again for more.")] = None,
    delete_tag: Annotated[list[str] | None, typer.Option("--delete-tag", help="A key; again for more.")] = None,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Add and delete tags."""
    with reported(as_json=output.is_json):
        if (body is None) == (not tag and not delete_tag):
            raise CliError("Give either --json, or --tag and --delete-tag.", ExitCode.USAGE)
        flags: Body = {"add_tags": tags_of(tag or ()), "delete_tags": list(delete_tag or ())}
        content = flags if body is None else read_body(body)
        print_json(ask(Given(url, token, home), lambda e: e.change("PATCH", name, "tags", content)))


def put(
    name: NameArgument,
    body: JsonNeeded,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Replace the rate limits."""
    with reported(as_json=output.is_json):
        content = read_body(body)
        print_json(ask(Given(url, token, home), lambda e: e.change("PUT", name, "rate-limits", content)))


def put_ai_gateway(
    name: NameArgument,
    body: JsonNeeded,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Replace the AI gateway's configuration: limits, guardrails, fallbacks, usage tracking."""
    with reported(as_json=output.is_json):
        content = read_body(body)
        print_json(ask(Given(url, token, home), lambda e: e.change("PUT", name, "ai-gateway", content)))
