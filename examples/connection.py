"""Which server an example talks to, as a client of the package `openai`.

In this order: `--url` and `--token`; OPENAI_BASE_URL and OPENAI_API_KEY; OPENFM_URL and OPENFM_TOKEN; the server that
was started on this machine (HOME/server.json, HOME/admin-token).
"""

import argparse
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from openai import OpenAI

CHAT = "openfm-smollm2-135m-instruct"
EMBEDDING = "openfm-minilm-l6-v2"
_TIMEOUT_S = 120.0
_VARIABLES = (("OPENAI_BASE_URL", "OPENAI_API_KEY"), ("OPENFM_URL", "OPENFM_TOKEN"))


class UsageError(Exception):
    """The example cannot do what it was asked; the message says what to do."""


@dataclass(frozen=True)
class Connection:
    """A server's URL as the user knows it, and the bearer token for it."""

    url: str
    token: str

    @property
    def base_url(self) -> str:
        """The URL under which the OpenAI routes are found."""
        url = self.url.rstrip("/")
        return url if url.endswith(("/v1", "/serving-endpoints")) else f"{url}/v1"

    def client(self) -> OpenAI:
        """A client for it."""
        return OpenAI(base_url=self.base_url, api_key=self.token, timeout=_TIMEOUT_S)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Let `parser` take `--url` and `--token`."""
    parser.add_argument("--url", help="the server, if not the one started here (or OPENAI_BASE_URL)")
    parser.add_argument("--token", help="its bearer token (safer in OPENAI_API_KEY)")


def find_connection(arguments: argparse.Namespace) -> Connection:
    """The server that the command line or the environment names, else the one started here.

    A token from the environment goes only to a server that was named. Raises `UsageError` when there is no server or no
    token for it.
    """
    environ = dict(os.environ)
    home = Path(environ.get("OPENFM_HOME") or platformdirs.user_data_path("openfm"))
    local_url = _local_url(home)
    url, token = _named(arguments, environ)
    url = url or local_url
    if not url:
        raise UsageError(f"No server runs here ({home} has no server.json). Start one with ./dev serve, or give --url.")
    if not token and local_url and url.startswith(local_url):
        token = _read(home / "admin-token")
    if not token:
        raise UsageError(f"There is no token for {url}. Give one with OPENAI_API_KEY or --token.")
    return Connection(url, token)


def _named(arguments: argparse.Namespace, environ: Mapping[str, str]) -> tuple[str | None, str | None]:
    if arguments.url:
        return arguments.url, arguments.token or environ.get("OPENAI_API_KEY")
    for url_name, token_name in _VARIABLES:
        if url := environ.get(url_name):
            return url, arguments.token or environ.get(token_name)
    return None, arguments.token


def _local_url(home: Path) -> str | None:
    text = _read(home / "server.json")
    url = json.loads(text).get("url") if text else None
    return url.rstrip("/") if isinstance(url, str) else None


def _read(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None
