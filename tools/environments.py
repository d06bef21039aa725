"""Makes the project's environments: `.venv`, and `.dev/environments/NAME` for the clients that judge the server.

    python3 tools/environments.py runtime     .venv with what `./dev serve` needs
    python3 tools/environments.py dev         .venv with the tools as well
    python3 tools/environments.py NAME        .dev/environments/NAME from requirements/NAME.lock

Standard library only, for it runs before anything is installed. An environment is built once, and again when what it
was built from changed: a stamp in it holds the hash. Two set-ups at once wait for one another.
"""

import fcntl
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".dev"
REQUIREMENTS = ROOT / "requirements"
_STAMP = ".openfm-stamp"


class SetUpError(Exception):
    """An environment could not be made; the message says why and what to do."""


@dataclass(frozen=True)
class Environment:
    """A folder, the locked requirements in it, and whether the package itself is in it too."""

    name: str
    folder: Path
    lock: Path
    has_package: bool

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def recipe(self) -> str:
        """The hash of everything the environment is built from."""
        files = [self.lock, Path(__file__)]
        if self.has_package:
            files.append(ROOT / "pyproject.toml")
        digest = hashlib.sha256(str(self.folder).encode())
        for file in files:
            digest.update(file.read_bytes())
        return digest.hexdigest()

    @property
    def stamp(self) -> Path:
        """Where the recipe is kept that the environment was built from."""
        return self.folder / f"{_STAMP}-{self.name}"

    def is_current(self) -> bool:
        """Whether nothing needs to be done."""
        return self.python.exists() and self.stamp.is_file() and self.stamp.read_text() == self.recipe()


DEV = Environment("dev", ROOT / ".venv", REQUIREMENTS / "dev.lock", has_package=True)
RUNTIME = Environment("runtime", ROOT / ".venv", REQUIREMENTS / "runtime.lock", has_package=True)
_UV = Environment("uv", WORK / "uv", REQUIREMENTS / "uv.lock", has_package=False)


def named(name: str) -> Environment:
    """The environment called `name`. Raises `SetUpError` when there is no lock for it."""
    for environment in (DEV, RUNTIME):
        if environment.name == name:
            return environment
    lock = REQUIREMENTS / f"{name}.lock"
    if not lock.is_file():
        raise SetUpError(f"There is no environment '{name}': requirements/{name}.lock does not exist.")
    return Environment(name, WORK / "environments" / name, lock, has_package=False)


def ensure(environment: Environment) -> Path:
    """Build `environment` if needed; return its interpreter. Raises `SetUpError`.

    A developer's `.venv` stays one: starting the server must not take the tools away from who is testing beside it.
    """
    if environment is RUNTIME and DEV.stamp.exists():
        environment = DEV
    if environment.is_current():
        return environment.python
    with alone():
        if not environment.is_current():
            _build(environment)
    return environment.python


def ensure_uv() -> Path:
    """The installer, itself installed by hash with the interpreter's own pip. Call it from within `ensure` only."""
    uv = _UV.folder / "bin" / "uv"
    if _UV.is_current() and uv.exists():
        return uv
    _say("fetching the installer")
    shutil.rmtree(_UV.folder, ignore_errors=True)
    _run(sys.executable, "-m", "venv", _UV.folder)
    _run(_UV.python, "-m", "pip", "install", "-qq", "--no-deps", "--require-hashes", "--requirement", _UV.lock)
    _UV.stamp.write_text(_UV.recipe())
    return uv


def _build(environment: Environment) -> None:
    began = time.monotonic()
    uv = ensure_uv()
    _say(f"setting up {environment.folder.relative_to(ROOT)} ({environment.name})")
    variables = _variables()
    quiet = [] if sys.stderr.isatty() else ["--quiet"]
    for stamp in environment.folder.glob(f"{_STAMP}-*"):
        stamp.unlink()
    if not environment.python.exists():
        shutil.rmtree(environment.folder, ignore_errors=True)
        _run(uv, "venv", "--quiet", "--python", sys.executable, environment.folder, variables=variables)
    python = ("--python", environment.python)
    _run(uv, "pip", "sync", *quiet, *python, "--require-hashes", environment.lock, variables=variables)
    if environment.has_package:
        editable = ("--no-deps", "--no-build-isolation", "--offline", "--editable", ROOT)
        _run(uv, "pip", "install", "--quiet", *python, *editable, variables=variables)
    environment.stamp.write_text(environment.recipe())
    _say(f"done in {time.monotonic() - began:.0f} s")


def _variables() -> dict[str, str]:
    """The process's environment, with pip's index and certificate, which uv does not read, said in uv's words."""
    variables = dict(os.environ)
    listed = subprocess.run([_UV.python, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    settings = dict(line.split("=", 1) for line in listed.stdout.splitlines() if "=" in line)
    for key, variable in (("index-url", "UV_DEFAULT_INDEX"), ("cert", "SSL_CERT_FILE")):
        for scope in ("global", "user", "install", ":env:"):
            value = shlex.split(settings.get(f"{scope}.{key}", ""))
            if value and not variables.get(variable):
                variables[variable] = value[0]
    # An environment that happens to be active, or a project's uv settings, must not be what we install into.
    for variable in ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT", "PYTHONPATH", "PYTHONHOME"):
        variables.pop(variable, None)
    return variables


def _run(*command: str | Path, variables: dict[str, str] | None = None) -> None:
    result = subprocess.run([str(part) for part in command], env=variables, stdout=sys.stderr, check=False, cwd=ROOT)
    if result.returncode != 0:
        shown = " ".join(str(part) for part in command[:4])
        raise SetUpError(
            f"`{shown} …` failed (exit {result.returncode}); its own words are above. "
            "A package index must be reachable; run the same command again to go on where it stopped."
        )


@contextmanager
def alone() -> Iterator[None]:
    """One set-up at a time; the operating system lets go of the lock when a process dies."""
    WORK.mkdir(exist_ok=True)
    with (WORK / "set-up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("waiting for another set-up to finish")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _say(message: str) -> None:
    print(f"dev: {message}", file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    """Make the environments named; print where their interpreters are, if there is more than one."""
    try:
        for name in arguments:
            ensure(named(name))
    except SetUpError as error:
        _say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
