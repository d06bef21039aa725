"""The folder of the server's state: one server at a time, and where its clients find it."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

SERVER_FILE = "server.json"


class HomeInUse(Exception):  # the message is for people
    """Another server runs on the same HOME."""


@contextmanager
def locked_home(home: Path) -> Iterator[None]:
    """Own HOME: make it if missing, and keep others out. Raises `HomeInUse`."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with FileLock(home / "server.lock", timeout=0):
            yield
    except Timeout:
        raise HomeInUse(
            f"Another openfm server uses {home}. Stop it, or start this one with another --home and --port."
        ) from None


@contextmanager
def announced(home: Path, url: str, version: str) -> Iterator[None]:
    """Write HOME/server.json, by which the command line finds the server; remove it at the end."""
    path, draft = home / SERVER_FILE, home / f"{SERVER_FILE}.draft"
    draft.write_text(json.dumps({"url": url, "pid": os.getpid(), "version": version}) + "\n", encoding="utf-8")
    draft.replace(path)  # whoever reads it meanwhile sees a whole file or none
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
