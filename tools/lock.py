"""Pins every dependency: names, versions and hashes, and no address, so that any mirror serves.

    python -m tools.lock              make requirements/*.lock anew from pyproject.toml and requirements/*.in
    python -m tools.lock NAME …       only those
    python -m tools.lock --upgrade …  to the newest versions allowed, not the least change
    python -m tools.lock --check      say what is wrong with them, without any network

Needs `./dev check` to have run once: what it uses is in `.venv`.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from tools.environments import REQUIREMENTS, ROOT, ensure_uv

_PYPROJECT = ROOT / "pyproject.toml"
_OPTIONS = ("--universal", "--python-version=3.11", "--generate-hashes", "--no-header", "--no-annotate", "--quiet")
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Lock:
    """A lock and the files it is made from."""

    path: Path
    sources: tuple[Path, ...]


def all_locks() -> Iterator[Lock]:
    """Every lock, those first that others build on."""
    build, dev = REQUIREMENTS / "build.in", REQUIREMENTS / "dev.in"
    yield Lock(REQUIREMENTS / "runtime.lock", (_PYPROJECT, build))
    yield Lock(REQUIREMENTS / "dev.lock", (_PYPROJECT, build, dev))
    for source in sorted(REQUIREMENTS.glob("*.in")):
        if source not in (build, dev):
            yield Lock(source.with_suffix(".lock"), (source,))


def make(lock: Lock, options: Sequence[str]) -> None:
    """Resolve `lock` anew. Needs the package index."""
    files = [str(source.relative_to(ROOT)) for source in lock.sources]
    command = [str(ensure_uv()), "pip", "compile", *_OPTIONS, *options, *files, "--output-file", str(lock.path)]
    overrides = lock.path.with_suffix(".overrides")
    if overrides.is_file():
        command += ["--override", str(overrides)]
    subprocess.run(command, cwd=ROOT, check=True)


def problems(lock: Lock) -> Iterator[str]:
    """What is wrong with `lock`, by reading alone: a name left out, another version than asked, no hash, an address."""
    if not lock.path.is_file():
        yield f"{lock.path.name} does not exist"
        return
    text = lock.path.read_text()
    if "://" in text or "-index-url" in text:
        yield f"{lock.path.name} holds an address"
    pinned: dict[str, list[str]] = {}
    for block in re.split(r"\n(?=\S)", text.strip()):
        line = block.replace("\\\n", " ").split("--hash", 1)[0]
        if line.startswith(("#", "-")):
            continue
        pin = Requirement(line.strip())
        pinned.setdefault(canonicalize_name(pin.name), []).extend(spec.version for spec in pin.specifier)
        if not _HASH.search(block):
            yield f"{lock.path.name}: {pin.name} has no hash"
    for source in lock.sources:
        for wanted in _wanted(source):
            versions = pinned.get(canonicalize_name(wanted.name), [])
            if not any(wanted.specifier.contains(version, prereleases=True) for version in versions):
                yield f"{lock.path.name}: {wanted} of {source.name} is not in it"


def _wanted(source: Path) -> Iterator[Requirement]:
    if source == _PYPROJECT:
        lines = tomllib.loads(source.read_text())["project"]["dependencies"]
    else:
        lines = [line.split("#", 1)[0].strip() for line in source.read_text().splitlines()]
    for line in lines:
        if line and not line.startswith("-"):
            try:
                yield Requirement(line)
            except InvalidRequirement as error:
                raise SystemExit(f"{source.name}: {error}") from None


def main(arguments: list[str]) -> int:
    """Make or check the locks that `arguments` name."""
    names = {argument for argument in arguments if not argument.startswith("-")}
    chosen = [lock for lock in all_locks() if not names or lock.path.stem in names]
    if "--check" in arguments:
        found = [problem for lock in chosen for problem in problems(lock)]
        print("\n".join([*found, *(["run: .venv/bin/python -m tools.lock"] if found else [])]), end="\n" * bool(found))
        return bool(found)
    for lock in chosen:
        print(f"{lock.path.name} …", flush=True)
        make(lock, [argument for argument in arguments if argument == "--upgrade"])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
