"""`openfm serve`."""

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from openfm.cli.errors import reported
from openfm.cli.local import load_settings
from openfm.cli.profile import HomeOption

_OF_ROLE = {"gateway": "openfm.gateway_app"}

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on; 0 takes a free one.", show_default="8080")
    ] = None,
    home: HomeOption = None,
    role: Annotated[
        str | None,
        typer.Option(help="all, control, or gateway: queries only, beside a control.", show_default="all"),
    ] = None,
    models_dir: Annotated[Path | None, typer.Option(help="Folder of the weights.", show_default="HOME/models")] = None,
    alias_missing: Annotated[
        bool | None,
        typer.Option(
            "--alias-missing/--no-alias-missing",
            help="Answer the names of models that cannot run here with a default model.",
        ),
    ] = None,
    insecure: Annotated[
        bool | None,
        typer.Option("--insecure/--no-insecure", help="Allow plain HTTP on an address that is not loopback."),
    ] = None,
    strict: Annotated[
        bool | None,
        typer.Option("--strict/--no-strict", help="Refuse unknown request fields, as old Databricks endpoints did."),
    ] = None,
) -> None:
    """Start the server: pulls the default models, serves them, and prints where.

    Every flag is also a setting (OPENFM_PORT, or `port` in openfm.toml); a flag wins.
    """
    flags = {
        "host": host,
        "port": port,
        "home": home,
        "role": role,
        "models_dir": models_dir,
        "alias_missing": alias_missing,
        "insecure": insecure,
        "strict": strict,
    }
    with reported(as_json=False):
        settings = load_settings(flags)
        # By name: the server's modules take longer to import than any other verb to run.
        code = import_module(_OF_ROLE.get(settings.role, "openfm.app")).serve(settings)
    raise typer.Exit(code or 0)
