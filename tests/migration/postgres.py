"""A PostgreSQL server of the tests' own, from the system's package: a temporary folder, a Unix socket, no network."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_DEBIAN = Path("/usr/lib/postgresql")
_ROLE = "openfm"
_LIMIT_S = 600


class NoPostgres(Exception):
    """There is none, and it cannot be installed; the message says why."""


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server: where its socket is."""

    folder: Path

    def url(self, database: str) -> str:
        """Of one of its databases."""
        return f"postgresql://{_ROLE}@/{database}?host={self.folder}"


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Start a server; nothing is left of it afterwards. Raises `NoPostgres`."""
    programs = _programs()
    with tempfile.TemporaryDirectory(prefix="ofm-pg") as name:
        folder = Path(name)
        user = _owner()
        if user is not None:
            shutil.chown(folder, user)
        data = folder / "data"
        run = _Runner(folder, user)
        run(
            [programs / "initdb", "-D", data, "-U", _ROLE, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        )
        options = f"-k {folder} -c listen_addresses= -c fsync=off"
        run([programs / "pg_ctl", "-D", data, "-w", "-s", "-l", folder / "log", "-o", options, "start"])
        try:
            yield PostgresServer(folder)
        finally:
            run([programs / "pg_ctl", "-D", data, "-w", "-s", "-m", "immediate", "stop"])


@dataclass(frozen=True, slots=True)
class _Runner:
    folder: Path
    user: str | None

    def __call__(self, command: Sequence[str | Path]) -> None:
        # To a file: the server inherits the output, and would keep a pipe open.
        with (self.folder / "output").open("w+b") as output:
            done = subprocess.run(
                command, cwd=self.folder, user=self.user, stdout=output, stderr=output, check=False, timeout=_LIMIT_S
            )
            output.seek(0)
            if done.returncode:
                raise NoPostgres(f"{command[0]} failed: {output.read().decode(errors='replace')}")


def _owner() -> str | None:
    """initdb refuses root; Debian's package brings a user."""
    return "postgres" if os.geteuid() == 0 else None


def _programs() -> Path:
    found = _found()
    if found is None:
        _install()
        found = _found()
    if found is None:
        raise NoPostgres("The package postgresql is installed, but initdb is in none of its usual places.")
    return found


def _found() -> Path | None:
    on_path = shutil.which("initdb")
    if on_path is not None and shutil.which("pg_ctl") is not None:
        return Path(on_path).resolve().parent
    versions = [path.parent for path in _DEBIAN.glob("*/bin/initdb")]
    return max(versions, key=lambda path: int(re.sub(r"\D", "", path.parent.name) or 0), default=None)


def _install() -> None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise NoPostgres("PostgreSQL is not here. Install it: apt install postgresql")
    environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "-q", "update"],
        ["apt-get", "-qy", "install", "--no-install-recommends", "postgresql"],
    ):
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=_LIMIT_S)
        if done.returncode:
            raise NoPostgres(f"{' '.join(command)} failed: {done.stderr[-1000:]}")
