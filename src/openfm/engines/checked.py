"""Weights are what they were: hashed before each load, for a bit that flips on a disk changes answers silently."""

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path

from openfm.core.errors import EngineFailed
from openfm.engines.base import EngineSpec, Launcher, LoadProgress, RunningEngine


class CheckedLauncher:
    """A launcher that starts nothing from a file whose SHA-256 is not the one in `EngineSpec.digests`."""

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher

    async def launch(self, spec: EngineSpec, on_progress: Callable[[LoadProgress], None]) -> RunningEngine:
        """See `Launcher.launch`. Raises `EngineFailed` too for a file that changed or went."""
        on_progress(LoadProgress(0.0, "checking the weights"))
        for role, digest in spec.digests.items():
            await asyncio.to_thread(_check, spec.files[role], digest)
        return await self._launcher.launch(spec, on_progress)


def _check(file: Path, digest: str) -> None:
    try:
        with file.open("rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise EngineFailed(f"{file.name} cannot be read ({error.strerror}). Register the model again.") from error
    if found != digest:
        raise EngineFailed(
            f"{file.name} is damaged: its SHA-256 is {found}, not {digest}. Check the disk; register the model again."
        )
