"""Registered models: their files out of the store, checked, and converted where no engine reads them as they are."""

import asyncio
from pathlib import Path

from openfm.control.endpoints.models import KnownModels
from openfm.core.errors import EngineFailed
from openfm.server.depot import ReadyModel, Tell
from openfm.store.blobs import BlobStore
from openfm.weights.facts import ModelFacts, ModelFormat


class RegistrySource:
    """Fulfils `ModelSource` for all models but the catalogue's. `folder` takes laid-out and converted models."""

    def __init__(self, models: KnownModels, blobs: BlobStore, folder: Path) -> None:
        self._models = models
        self._blobs = blobs
        self._folder = folder

    async def bring(self, entity_name: str, entity_version: str, tell: Tell) -> ReadyModel | None:
        """See `ModelSource.bring`."""
        version = await asyncio.to_thread(self._models.version, entity_name, entity_version)
        if version.digest is None:
            return None
        facts = ModelFacts.from_json(version.facts)
        tell("Checking its files.")
        await asyncio.to_thread(self._blobs.verify_all, version.manifest)
        folder = self._folder / version.digest
        await asyncio.to_thread(self._blobs.materialize, version.manifest, folder)
        files = _files(folder, facts)
        return ReadyModel(
            "llama_cpp" if facts.format is ModelFormat.GGUF else "onnx",
            files,
            facts.weight_bytes,
            version.profile.context_length * facts.kv_bytes_per_token,
        )


def _files(folder: Path, facts: ModelFacts) -> dict[str, Path]:
    if facts.format is ModelFormat.GGUF:
        return {"model": next(folder.rglob("*.gguf"))}
    if facts.format is ModelFormat.ONNX:
        return {"model": next(folder.rglob("*.onnx")), "tokenizer": next(folder.rglob("tokenizer.json"))}
    raise EngineFailed("This format is not served yet.")
