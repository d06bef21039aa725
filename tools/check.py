"""`./dev check`: every static check, two at a time, each with its time. Exit status 1 when one of them fails."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
_TYPED = ("src", "tools", "tests", "benchmarks", "examples")


@dataclass(frozen=True)
class Result:
    """How a step went: `seconds` it took and what it printed."""

    name: str
    is_good: bool
    seconds: float
    output: str


def steps() -> dict[str, list[str]]:
    """Name and command of each step, the longest first."""
    python = str(BIN / "python")
    typed = [folder for folder in _TYPED if any((ROOT / folder).rglob("*.py"))]
    return {
        "types (mypy)": [str(BIN / "mypy"), *typed],
        "web: types and lint (tools/web)": [python, "-m", "tools.web", "check"],
        "imports (import-linter)": [str(BIN / "lint-imports"), "--no-cache", "--no-logo"],
        "lint (ruff)": [str(BIN / "ruff"), "check", "--quiet", "."],
        "house rules (tools/lint)": [python, "-m", "tools.lint"],
        "format (ruff)": [str(BIN / "ruff"), "format", "--check", "--quiet", "--diff", "."],
        "locks (tools/lock)": [python, "-m", "tools.lock", "--check"],
    }


def run(name: str, command: list[str]) -> Result:
    """Run one step and keep what it says."""
    began = time.monotonic()
    done = subprocess.run(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )
    return Result(name, done.returncode == 0, time.monotonic() - began, done.stdout)


def main() -> int:
    """Run the steps; print failures in full and successes in one line."""
    began = time.monotonic()
    all_good = True
    with ThreadPoolExecutor(2) as pool:
        for result in pool.map(lambda step: run(*step), steps().items()):
            all_good &= result.is_good
            print(f"{'ok  ' if result.is_good else 'FAIL'} {result.seconds:6.1f} s  {result.name}", flush=True)
            if not result.is_good:
                print(result.output.rstrip(), end="\n\n", flush=True)
    print(f"{'ok  ' if all_good else 'FAIL'} {time.monotonic() - began:6.1f} s  all checks")
    return 0 if all_good else 1


if __name__ == "__main__":
    sys.exit(main())
