"""The command `openfm`: one table of verbs, each loaded when it is asked for, so that help appears at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from openfm import __version__


@dataclass(frozen=True, slots=True)
class Verb:
    """A first word: the module whose `app` it runs, and its line in the help."""

    module: str
    help: str


VERBS: Mapping[str, Verb] = MappingProxyType(
    {
        "serve": Verb("openfm.cli.serve", "Start the server: endpoints, API and web pages."),
        "endpoints": Verb("openfm.cli.endpoints", "Create, show, query, update and watch serving endpoints."),
        "serving-endpoints": Verb("openfm.cli.endpoints", "The same under Databricks' name."),
        "models": Verb("openfm.cli.models", "List, show and download the models openfm knows; register your own."),
        "convert": Verb("openfm.cli.convert", "Install what converts models of Hugging Face folders."),
        "permissions": Verb("openfm.cli.permissions", "Show and change who may do what with an endpoint."),
        "tokens": Verb("openfm.cli.tokens", "Create, list and delete access tokens."),
        "users": Verb("openfm.cli.users", "Create, list and delete users; let them out and in."),
        "groups": Verb("openfm.cli.groups", "Create, list and delete groups; add and remove members."),
        "service-principals": Verb("openfm.cli.service_principals", "Identities of programs, and their secrets."),
        "secrets": Verb("openfm.cli.secrets", "Keep keys of other providers, encrypted, in scopes."),
        "limits": Verb("openfm.cli.limits", "List and set limits: how much callers may use."),
        "budgets": Verb("openfm.cli.budgets", "List and set budgets: how much money may be spent."),
        "prices": Verb("openfm.cli.prices", "Show and set prices."),
        "sql": Verb("openfm.cli.sql", "Ask about usage in SQL."),
        "batch": Verb("openfm.cli.batch", "Ask endpoints about every row of a file, with ai_query in SQL."),
        "usage": Verb("openfm.cli.usage", "Show what was used and what it costs."),
        "chat": Verb("openfm.cli.chat", "Talk with a chat endpoint."),
        "bench": Verb("openfm.cli.bench.command", "Load an endpoint, or any OpenAI-compatible URL, and measure it."),
        "calibrate": Verb("openfm.cli.throughput.calibrate", "Measure what a model can do on the server's machine."),
        "capacity": Verb("openfm.cli.throughput.capacity", "Show what the fleet has, has promised, and has left."),
        "plan": Verb("openfm.cli.throughput.plan", "Tell how much throughput a load needs, and what that costs."),
        "doctor": Verb("openfm.cli.doctor", "Check this machine and say what to do."),
        "version": Verb("openfm.cli.version", "Show the versions of openfm, Python and the engines."),
    }
)

_EPILOG = "Every verb has --help. Exit codes and variables: docs/reference/cli.md."


class VerbGroup(TyperGroup):
    """Shows every verb by its line in the table and loads only the one that runs."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, verb in VERBS.items():
            self.commands[name] = TyperCommand(name=name, help=verb.help)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The real command behind the first word; typer's own error for a word that is none."""
        name = args[0] if args else ""
        if name in VERBS:
            return name, load(name), args[1:]
        return super().resolve_command(ctx, args)


def load(name: str) -> Any:
    """The verb's command, imported."""
    command = get_command(import_module(VERBS[name].module).app)
    command.name = name
    return command


app = typer.Typer(
    name="openfm",
    cls=VerbGroup,
    help="The Databricks Foundation Model APIs on your own hardware.",
    epilog=_EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # boxes cost 0.25 s of imports
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"openfm {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    del version


def main() -> None:
    """Run the command line of this process."""
    app(prog_name="openfm")
