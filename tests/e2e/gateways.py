"""Gateways beside a control server, started as a user would."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from tests.conftest import Server, clean_environment

_LISTENS = "gateway listens on "


@contextmanager
def gateway_of(control: Server, **settings: str) -> Iterator[Server]:
    """One more gateway on the control server's home folder, once it has joined."""
    command = [sys.executable, "-m", "openfm", "serve", "--role", "gateway", "--home", str(control.home), "--port", "0"]
    process = subprocess.Popen(
        command, env=clean_environment(settings), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
    )
    server = Server("", control.token, control.home, process)
    try:
        yield replace(server, url=_address(process))
    finally:
        server.end()
        if process.stdout is not None:
            process.stdout.close()


def _address(process: subprocess.Popen[bytes]) -> str:
    for line in process.stdout or ():
        _, found, url = line.decode().partition(_LISTENS)
        if found:
            return url.strip()
    raise AssertionError(f"the gateway ended with {process.wait()}")
