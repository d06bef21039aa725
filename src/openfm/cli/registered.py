"""`openfm models register|get|versions|alias|delete`: models of your own in the server's registry."""

import asyncio
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from openfm.cli.client import connected
from openfm.cli.errors import reported
from openfm.cli.output import Output, OutputOption, print_facts, print_json, print_table
from openfm.cli.profile import Given, HomeOption, Server, TokenOption, UrlOption, environment, find_server
from openfm.cli.registration import BASE_TAG, KIND_TAG, QUANTIZATION_TAG, Order, register_version
from openfm.cli.registry import Facts, Registry, levels

NameArgument = Annotated[str, typer.Argument(help="catalog.schema.model")]
VersionOption = Annotated[int | None, typer.Option("--version", min=1, help="One version instead of the model.")]

aliases = typer.Typer(help="Set and delete aliases.", no_args_is_help=True, rich_markup_mode=None)


class Quantization(StrEnum):
    """How Hugging Face weights are kept for serving."""

    F16 = "f16"
    Q8_0 = "q8_0"


def add_to(app: typer.Typer) -> None:
    """Make these verbs of `openfm models`."""
    for verb in (register, get, versions, delete):
        app.command()(verb)
    app.add_typer(aliases, name="alias")


def register(
    name: NameArgument,
    source: Annotated[str, typer.Argument(help="A GGUF file, a folder, hf://org/name or https://huggingface.co/….")],
    comment: Annotated[str, typer.Option(help="What is new in this version.")] = "",
    quantization: Annotated[Quantization | None, typer.Option(help="Of Hugging Face weights, when served.")] = None,
    base: Annotated[
        str | None, typer.Option(help="Of a LoRA adapter: its base model, as catalog.schema.model/version.")
    ] = None,
    alias: Annotated[str | None, typer.Option(help="Point this alias to the new version.")] = None,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Register a model version, and the model if it is new. Run it again to go on with an upload that was cut."""
    with reported(as_json=output.is_json):
        levels(name)
        tags = {KIND_TAG: "local"} | ({QUANTIZATION_TAG: quantization.value} if quantization else {})
        tags |= {BASE_TAG: base} if base else {}
        order = Order(name, source, comment, tags, alias)
        version = asyncio.run(register_version(find_server(Given(url, token, home), environment()), order))
        _show(version, output)


def get(
    name: NameArgument,
    version: VersionOption = None,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Show a registered model, or one version of it."""

    async def ask(server: Server) -> Facts:
        async with connected(server) as client:
            registry = Registry(client)
            return await (registry.model(name) if version is None else registry.version(name, version))

    with reported(as_json=output.is_json):
        _show(asyncio.run(ask(find_server(Given(url, token, home), environment()))), output)


def versions(
    name: NameArgument,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """List the versions of a registered model, newest first."""

    async def ask(server: Server) -> list[Facts]:
        async with connected(server) as client:
            return await Registry(client).versions(name)

    with reported(as_json=output.is_json):
        found = asyncio.run(ask(find_server(Given(url, token, home), environment())))
        if output.is_json:
            print_json(found)
            return
        print_table(("VERSION", "STATUS", "ALIASES", "CREATED", "COMMENT"), [_row(version) for version in found])


def delete(
    name: NameArgument,
    version: VersionOption = None,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Delete a registered model with all its versions, or one version. Refused while an endpoint serves it."""

    async def ask(server: Server) -> None:
        async with connected(server) as client:
            await Registry(client).delete(name, version)

    with reported(as_json=output.is_json):
        asyncio.run(ask(find_server(Given(url, token, home), environment())))


@aliases.command("set")
def set_alias(
    name: NameArgument,
    alias: Annotated[str, typer.Argument(help="The alias, like champion.")],
    version: Annotated[int, typer.Argument(min=1, help="The version it points to.")],
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Point an alias to a version."""

    async def ask(server: Server) -> None:
        async with connected(server) as client:
            await Registry(client).set_alias(name, alias, version)

    with reported(as_json=output.is_json):
        asyncio.run(ask(find_server(Given(url, token, home), environment())))


@aliases.command("delete")
def delete_alias(
    name: NameArgument,
    alias: Annotated[str, typer.Argument(help="The alias.")],
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Delete an alias; the version stays."""

    async def ask(server: Server) -> None:
        async with connected(server) as client:
            await Registry(client).delete_alias(name, alias)

    with reported(as_json=output.is_json):
        asyncio.run(ask(find_server(Given(url, token, home), environment())))


def list_registered(server: Server, output: Output) -> None:
    """Write the registered models."""

    async def ask() -> list[Facts]:
        async with connected(server) as client:
            return await Registry(client).models()

    models = asyncio.run(ask())
    if output.is_json:
        print_json(models)
        return
    print_table(
        ("NAME", "OWNER", "ALIASES", "UPDATED", "COMMENT"),
        [
            (
                str(model["full_name"]),
                str(model.get("owner", "")),
                ", ".join(f"{a['alias_name']}={a['version_num']}" for a in model.get("aliases", [])),
                _time(model.get("updated_at")),
                str(model.get("comment", "")),
            )
            for model in models
        ],
    )


def _show(facts: Facts, output: Output) -> None:
    if output.is_json:
        print_json(facts)
        return
    print_facts((key.replace("_", " "), _as_text(key, value)) for key, value in facts.items())


def _as_text(key: str, value: object) -> str:
    if key.endswith("_at"):
        return _time(value)
    if key == "aliases" and isinstance(value, list):
        return ", ".join(f"{alias['alias_name']}={alias['version_num']}" for alias in value)
    if key == "tags" and isinstance(value, list):
        return ", ".join(f"{tag['key']}={tag['value']}" for tag in value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {fact}" for name, fact in value.items() if fact is not None)
    return "" if value is None else str(value)


def _row(version: Facts) -> tuple[str, ...]:
    told = version.get("comment") or version.get("status_message") or version.get("unservable_reason") or ""
    names = ", ".join(alias["alias_name"] for alias in version.get("aliases", []))
    return str(version["version"]), str(version["status"]), names, _time(version.get("created_at")), str(told)


def _time(milliseconds: object) -> str:
    if not isinstance(milliseconds, int):
        return ""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")
