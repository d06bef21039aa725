"""Which server to talk to, and as whom. The command line's only reader of the environment.

In this order: `--url`/`--token`, OPENFM_URL/OPENFM_TOKEN, DATABRICKS_HOST/DATABRICKS_TOKEN, then the server that was
started on this machine (HOME/server.json, HOME/admin-token). A token goes only to the server it belongs to.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import platformdirs
import typer

from openfm.cli.errors import CliError, ExitCode

_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")

UrlOption = Annotated[str | None, typer.Option("--url", help="The server, if not the one started here.")]
TokenOption = Annotated[str | None, typer.Option("--token", help="The bearer token; safer in OPENFM_TOKEN.")]
HomeOption = Annotated[
    Path | None, typer.Option("--home", help="Folder of the server's state.", show_default="the platform's data folder")
]


@dataclass(frozen=True, slots=True)
class Server:
    """A server and the token for it."""

    url: str
    token: str | None


@dataclass(frozen=True, slots=True)
class Given:
    """What the command line says about the server."""

    url: str | None = None
    token: str | None = None
    home: Path | None = None


def environment() -> Mapping[str, str]:
    """The process's environment."""
    return dict(os.environ)


def find_server(given: Given, environ: Mapping[str, str]) -> Server:
    """The server to talk to. Raises `CliError` when none is known."""
    home = given.home or home_dir(environ)
    local_url = _local_url(home)
    token = given.token or environ.get("OPENFM_TOKEN")
    if url := given.url or environ.get("OPENFM_URL"):
        url = _with_scheme(url)
        return Server(url, token or (_admin_token(home) if url == local_url else None))
    if host := environ.get("DATABRICKS_HOST"):
        return Server(_with_scheme(host), token or environ.get("DATABRICKS_TOKEN"))
    if local_url:
        return Server(local_url, token or _admin_token(home))
    raise CliError(
        f"No server is known: {home / 'server.json'} does not exist.",
        ExitCode.UNREACHABLE,
        hint="Start one with `openfm serve`, or say where it is with --url and --token (or OPENFM_URL, OPENFM_TOKEN).",
    )


def home_dir(environ: Mapping[str, str]) -> Path:
    """OPENFM_HOME, or the platform's data folder."""
    named = environ.get("OPENFM_HOME")
    return Path(named) if named else platformdirs.user_data_path("openfm")


def _with_scheme(url: str) -> str:
    """A bare host gets https, as databricks clients do; this machine gets http, as `openfm serve` speaks there."""
    is_bare = "://" not in url
    full = f"http://{url}" if is_bare else url
    host = _host_of(full)
    if host is None:
        raise CliError(
            f"'{url}' is no server's URL.",
            ExitCode.USAGE,
            hint="Write it like https://models.example or 127.0.0.1:8080.",
        )
    if is_bare and host not in _THIS_MACHINE:
        full = f"https://{url}"
    return full.rstrip("/")


def _host_of(url: str) -> str | None:
    """The host, or None where it is no URL of a server."""
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in ("http", "https") and not parts.netloc.endswith(":") and parts.port != 0
    except ValueError:
        return None
    return parts.hostname if is_one else None


def _local_url(home: Path) -> str | None:
    try:
        url = json.loads((home / "server.json").read_text(encoding="utf-8"))["url"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return url.rstrip("/") if isinstance(url, str) else None


def _admin_token(home: Path) -> str | None:
    try:
        return (home / "admin-token").read_text(encoding="utf-8").strip() or None
    except OSError:
        return None
