"""A Redis server of the tests' own, from the system's package: a temporary folder, a Unix socket, no network."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_INSTALL_LIMIT_S = 600


class NoRedis(Exception):
    """There is none, and it cannot be installed; the message says why."""


@dataclass(frozen=True, slots=True)
class RedisServer:
    """A running server: where its socket is."""

    folder: Path

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.folder / "redis.sock"

    @property
    def url(self) -> str:
        """As clients write it."""
        return f"unix://{self.socket}"


@contextmanager
def running_redis() -> Iterator[RedisServer]:
    """Start a server; nothing is left of it afterwards. Raises `NoRedis`."""
    program = shutil.which("redis-server") or shutil.which("valkey-server") or _installed()
    with tempfile.TemporaryDirectory(prefix="ofm-redis") as name:
        server = RedisServer(Path(name))
        options = {"port": "0", "unixsocket": server.socket, "dir": name, "save": "", "appendonly": "no"}
        flags = [part for option, value in options.items() for part in (f"--{option}", str(value))]
        with subprocess.Popen(
            [program, *flags], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            try:
                _wait_for(process)
                yield server
            finally:
                process.kill()


def _wait_for(process: subprocess.Popen[str]) -> None:
    said = []
    for line in process.stdout or ():
        if "ready to accept connections" in line.lower():
            return
        said.append(line)
    raise NoRedis(f"redis-server does not start: {''.join(said)[-1000:]}")


def _installed() -> str:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise NoRedis("Redis is not here. Install it: apt install redis-server")
    environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "-q", "update"],
        ["apt-get", "-qy", "install", "--no-install-recommends", "redis-server"],
    ):
        done = subprocess.run(
            command, env=environ, capture_output=True, text=True, check=False, timeout=_INSTALL_LIMIT_S
        )
        if done.returncode:
            raise NoRedis(f"{' '.join(command)} failed: {done.stderr[-1000:]}")
    found = shutil.which("redis-server")
    if found is None:
        raise NoRedis("The package redis-server is installed, but its program is not on the PATH.")
    return found
