"""Downloads from the Hugging Face hub, in the hub's own cache layout, by a child process (`hub_worker.py`)."""

import asyncio
import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from openfm.catalog.source import HubSource
from openfm.core.errors import ApiError, NotFound, PermissionDenied, Unavailable

_ERRORS: Mapping[str, type[ApiError]] = {
    "NotFound": NotFound,
    "PermissionDenied": PermissionDenied,
    "Unavailable": Unavailable,
}
_LINE_LIMIT = 1 << 20


async def fetch_from_hub(
    source: HubSource, cache_dir: Path, report: Callable[[int, int], None], environ: Mapping[str, str] | None = None
) -> Path:
    """The file, or the folder of the whole repository, in `cache_dir`.

    `report` gets bytes done and in all. `environ` replaces the child's environment, None hands down ours. Raises
    `NotFound`, `PermissionDenied` or `Unavailable`; cancelling ends the child.
    """
    arguments = [source.repo, source.revision, str(cache_dir), *([source.path] if source.path else [])]
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "openfm.ops.hub_worker",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=None if environ is None else dict(environ),
        limit=_LINE_LIMIT,
    )
    if child.stdout is None:
        raise AssertionError("stdout was asked for")
    try:
        return await _result(child.stdout, report)
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


async def _result(lines: asyncio.StreamReader, report: Callable[[int, int], None]) -> Path:
    async for line in lines:
        if not line.startswith(b"{"):
            continue
        event = json.loads(line)
        if "path" in event:
            return Path(event["path"])
        if "error" in event:
            raise _ERRORS[event["error"]](event["message"])
        report(event["done"], event["total"])
    raise Unavailable("The download process ended without a word; run `openfm doctor`.")


def blob_sha256(file: Path) -> str | None:
    """The SHA-256 the hub states for a file of its cache: large files are stored under it; None for small ones."""
    name = file.resolve().name
    return name if re.fullmatch("[0-9a-f]{64}", name) else None
