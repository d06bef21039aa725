"""The catalogue's models: pulled from where it says they are."""

from dataclasses import dataclass
from pathlib import Path

from openfm.catalog.catalog import Catalog
from openfm.core.errors import NotFound
from openfm.ops.pull import OnProgress, PullProgress, PullTools, Stage, pull
from openfm.server.depot import ReadyModel, Tell
from openfm.server.footprint import sequence_bytes


@dataclass(frozen=True, slots=True)
class Warehouse:
    """Where weights come from and where they are kept."""

    models_dir: Path
    tools: PullTools
    on_progress: OnProgress


class CatalogueSource:
    """Fulfils `ModelSource` for `system.ai`."""

    def __init__(self, catalog: Catalog, warehouse: Warehouse) -> None:
        self._catalog = catalog
        self._warehouse = warehouse

    async def bring(self, entity_name: str, entity_version: str, tell: Tell) -> ReadyModel | None:
        """See `ModelSource.bring`."""
        try:
            model = self._catalog.find(entity_name)
        except NotFound:
            return None
        if model.entity_version != entity_version:
            return None

        def note(progress: PullProgress) -> None:
            tell(_sentence(progress))
            self._warehouse.on_progress(progress)

        files = await pull(model, self._warehouse.models_dir, note, self._warehouse.tools)
        digests = {file.role: file.sha256 for file in model.files if file.sha256 is not None}
        return ReadyModel(model.engine, files, digests, model.size_bytes, sequence_bytes(model))

    def forget(self, entity_name: str, entity_version: str) -> None:
        """See `ModelSource.forget`: the catalogue's files stay, they are the same for everybody."""


def _sentence(progress: PullProgress) -> str:
    if progress.stage is Stage.DOWNLOADING and progress.total_bytes:
        return f"Downloading {progress.filename} ({progress.done_bytes / progress.total_bytes:.0%})."
    return f"{progress.filename}: {progress.stage.value}."
