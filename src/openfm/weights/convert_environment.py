"""Makes the environment that the converter runs in: a virtual environment of its own, for torch is large."""

import asyncio
import hashlib
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from openfm.core.errors import Conflict, Unavailable
from openfm.weights.child import log_tail

# By pip, outside the lock: which build of it fits the machine is the index's to say.
TORCH = "torch==2.13.0"

_LOCK = Path(__file__).with_name("convert.lock")
_STAMP = ".openfm-stamp"
_TORCH_SHARE = 0.4
_WAIT_S = 3600


async def ensure(home: Path, on_progress: Callable[[float, str], None]) -> Path:
    """The interpreter of HOME/convert, which is made first if it is missing or was made from other versions.

    Needs a package index once, the one that pip is configured for, and 1.2 GB. Two at once wait for one another.
    Raises `Unavailable` with pip's last words when it cannot be made. Cancelling ends pip; call it again to start over.
    """
    folder = home / "convert"
    if python := installed(home):
        return python
    await asyncio.to_thread(home.mkdir, parents=True, exist_ok=True)
    lock = FileLock(home / "convert.lock", thread_local=False)
    try:
        await asyncio.to_thread(lock.acquire, timeout=_WAIT_S)
    except Timeout as error:
        raise Conflict(f"Another process has been making {folder} for an hour. End it and try again.") from error
    try:
        python = installed(home)
        if python is None:
            python = await _make(folder, on_progress)
    finally:
        lock.release()
    on_progress(1.0, "ready")
    return python


def installed(home: Path) -> Path | None:
    """The interpreter of HOME/convert, or None where there is none, or an outdated one."""
    folder = home / "convert"
    python = folder / "bin" / "python"
    stamp = folder / _STAMP
    return python if python.exists() and stamp.is_file() and stamp.read_text() == _recipe() else None


def _recipe() -> str:
    return hashlib.sha256(_LOCK.read_bytes() + TORCH.encode() + sys.version.encode()).hexdigest()


async def _make(folder: Path, on_progress: Callable[[float, str], None]) -> Path:
    python = folder / "bin" / "python"
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    log = folder.with_name("convert.log")
    log.unlink(missing_ok=True)
    on_progress(0.0, "making a virtual environment")
    await _run(log, lambda: None, sys.executable, "-m", "venv", folder)
    pip = (python, "-I", "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off")
    num_packages = sum(not line.startswith((" ", "#")) for line in _LOCK.read_text().splitlines() if line.strip())
    # pip tells of each package twice: when it finds it and, in one line, when all are installed.
    done = 0

    def count() -> None:
        nonlocal done
        done = min(done + 1, num_packages)
        on_progress((1 - _TORCH_SHARE) * done / num_packages, "installing the converter")

    await _run(log, count, *pip, "--no-deps", "--require-hashes", "--requirement", _LOCK)
    on_progress(1 - _TORCH_SHARE, "installing torch")
    await _run(log, lambda: None, *pip, TORCH)
    (folder / _STAMP).write_text(_recipe())
    log.unlink(missing_ok=True)
    return python


async def _run(log: Path, on_package: Callable[[], None], *command: str | Path) -> None:
    """Run to the end; `on_package` is called for each that pip collects. Raises `Unavailable`."""
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *(str(part) for part in command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            if process.stdout is None:
                raise AssertionError("spawned with a pipe")
            async for line in process.stdout:
                output.write(line)
                if line.startswith(b"Collecting "):
                    on_package()
            code = await process.wait()
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await asyncio.shield(process.wait())
    if code != 0:
        raise Unavailable(
            f"The converter's environment could not be made: {log_tail(log)}. A package index must be reachable, "
            f"the one that pip is configured for. All that pip said is in {log}.",
            retry_after_s=60,
        )
