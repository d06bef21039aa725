"""`openfm models`: the catalogue, and what of it is on this machine; the registry's verbs are in `registered.py`."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from openfm.catalog.catalog import CatalogModel, load_catalog
from openfm.catalog.fit import Machine, size_words, why_not
from openfm.cli.errors import reported
from openfm.cli.local import LocalSettings, load_settings
from openfm.cli.output import Output, OutputOption, print_facts, print_json, print_table
from openfm.cli.profile import Given, HomeOption, TokenOption, UrlOption, environment, find_server
from openfm.cli.registered import add_to, list_registered
from openfm.ops.index_config import index_config
from openfm.ops.machine import survey
from openfm.ops.progress import shown
from openfm.ops.pull import PullTools, present_bytes, pull

app = typer.Typer(
    help="List, show and download the models openfm knows; register your own.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
)
add_to(app)

ModelsDirOption = Annotated[
    Path | None, typer.Option("--models-dir", help="Folder of the weights.", show_default="HOME/models")
]


@app.command("list")
def list_models(
    registered: Annotated[bool, typer.Option("--registered", help="The server's registered models instead.")] = False,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
    models_dir: ModelsDirOption = None,
) -> None:
    """List every model, whether it is here, and the reason where it cannot run."""
    with reported(as_json=output.is_json):
        if registered:
            list_registered(find_server(Given(url, token, home), environment()), output)
            return
        settings = load_settings({"home": home, "models_dir": models_dir})
        machine = survey(settings.weights_dir)
        models = load_catalog().models
        if output.is_json:
            print_json([_as_json(model, machine, settings) for model in models])
            return
        print_table(
            ("NAME", "TASK", "CONTEXT", "SIZE", "HERE", "RUNS ON THIS MACHINE"),
            [_row(model, machine, settings) for model in models],
        )


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Short, endpoint or entity name.")],
    output: OutputOption = Output.TEXT,
    home: HomeOption = None,
    models_dir: ModelsDirOption = None,
) -> None:
    """Show one model: task, limits, source, licence, needs."""
    with reported(as_json=output.is_json):
        settings = load_settings({"home": home, "models_dir": models_dir})
        facts = _as_json(load_catalog().find(name), survey(settings.weights_dir), settings)
        if output.is_json:
            print_json(facts)
        else:
            print_facts((key.replace("_", " "), _as_text(key, value)) for key, value in facts.items())


@app.command("pull")
def pull_models(
    names: Annotated[
        list[str] | None, typer.Argument(help="Models to download.", show_default="the default models")
    ] = None,
    output: OutputOption = Output.TEXT,
    home: HomeOption = None,
    models_dir: ModelsDirOption = None,
) -> None:
    """Download models. Goes on where an earlier run stopped; checks size and SHA-256."""
    with reported(as_json=output.is_json):
        settings = load_settings({"home": home, "models_dir": models_dir})
        catalog = load_catalog()
        models = [catalog.find(name) for name in names] if names else list(catalog.defaults)
        files = asyncio.run(_pull_all(models, settings))
        if output.is_json:
            print_json(files)
        else:
            for paths in files.values():
                sys.stdout.writelines(f"{path}\n" for path in paths.values())


async def _pull_all(models: list[CatalogModel], settings: LocalSettings) -> dict[str, dict[str, str]]:
    tools = PullTools(index_config(environment(), settings.package_index))
    with shown(sys.stderr) as on_progress:
        return {
            model.name: {
                role: str(path) for role, path in (await pull(model, settings.weights_dir, on_progress, tools)).items()
            }
            for model in models
        }


def _row(model: CatalogModel, machine: Machine, settings: LocalSettings) -> tuple[str, ...]:
    here = present_bytes(model, settings.weights_dir)
    is_whole = here == model.size_bytes
    return (
        model.endpoint_name,
        model.profile.task.value,
        f"{model.profile.context_length:,}",
        size_words(model.size_bytes),
        "yes" if is_whole else ("partly" if here else "no"),
        why_not(model, machine, here) or "yes",
    )


def _as_json(model: CatalogModel, machine: Machine, settings: LocalSettings) -> dict[str, object]:
    """The model as programs get it; the keys are documented in docs/reference/cli.md and stay."""
    profile = model.profile
    here = present_bytes(model, settings.weights_dir)
    reason = why_not(model, machine, here)
    return {
        "name": model.name,
        "endpoint_name": model.endpoint_name,
        "entity_name": model.entity_name,
        "entity_version": model.entity_version,
        "display_name": profile.display_name,
        "description": profile.description,
        "task": profile.task.value,
        "context_length": profile.context_length,
        "max_output_tokens": profile.max_output_tokens,
        "default_system_prompt": profile.default_system_prompt,
        "license": model.license,
        "license_url": model.license_url,
        "sources": [str(source) for source in model.sources],
        "size_bytes": model.size_bytes,
        "memory_bytes": model.memory_bytes,
        "hardware": model.hardware,
        "engine": model.engine.value,
        "standing": model.standing.value,
        "present_bytes": here,
        "can_run": reason is None,
        "reason": reason,
    }


def _as_text(key: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if key.endswith("_bytes") and isinstance(value, int):
        return size_words(value)
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return "" if value is None else str(value)
