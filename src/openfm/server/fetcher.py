"""Fetches models for the registry from the Hugging Face hub (`ops/hub.py`)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from openfm.catalog.source import HubSource, parse_source
from openfm.core.errors import InvalidParameterValue
from openfm.ops.hub import fetch_from_hub


@dataclass(frozen=True, slots=True)
class HubFetcher:
    """Fulfils the registry's `Fetcher`. `environ` replaces the environment that the hub's library sees."""

    environ: Mapping[str, str] | None = None

    async def fetch(self, source: str, folder: Path, on_progress: Callable[[int, int], None]) -> Path:
        """See `Fetcher.fetch`; `folder` becomes the hub library's cache, so that it goes on where it was."""
        parsed = parse_source(source)
        if not isinstance(parsed, HubSource):
            raise InvalidParameterValue(f"'{source}' is not on the hub; write hf://org/name[@revision][/file].")
        found = await fetch_from_hub(parsed, folder, on_progress, self.environ)
        if found.is_dir():
            return found
        alone = folder / "alone"
        alone.mkdir(exist_ok=True)
        link = alone / found.name
        link.unlink(missing_ok=True)
        link.symlink_to(found.resolve())
        return alone
