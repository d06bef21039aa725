"""Run the house rules over the project: `python -m tools.lint [PATH …]`; exit status 1 when one is broken."""

import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from tools.lint.rules import RULES, Finding, parse

ROOT = Path(__file__).resolve().parent.parent.parent
_FOLDERS = ("src", "tests", "tools", "benchmarks", "examples")


def find(paths: list[Path]) -> Iterator[Finding]:
    """What is wrong in `paths`, folders searched."""
    for path in paths:
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            module = parse(PurePosixPath(file.resolve().relative_to(ROOT)), file.read_text())
            for rule in RULES:
                yield from rule.check(module)


def main(arguments: list[str]) -> int:
    """Print every finding."""
    paths = [Path(argument) for argument in arguments] or [ROOT / name for name in _FOLDERS if (ROOT / name).is_dir()]
    found = list(find(paths))
    for finding in found:
        print(finding)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
