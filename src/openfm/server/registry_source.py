"""Registered models: their files out of the store, checked, and converted where no engine reads them as they are."""

import asyncio
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from openfm.control.endpoints.models import KnownModels
from openfm.control.registry.models import ServableVersion
from openfm.core.errors import InvalidParameterValue
from openfm.core.registry import QUANTIZATION_TAG
from openfm.server.depot import ReadyModel, Tell
from openfm.store.blobs import BlobStore
from openfm.weights.convert_environment import installed
from openfm.weights.converter import Converter
from openfm.weights.facts import ModelFacts
from openfm.weights.kept_digest import kept_digest
from openfm.weights.preparation import (
    QUANTIZATIONS,
    SCRATCH_PREFIX,
    PreparedModel,
    PrepareOptions,
    Quantization,
    prepare,
)


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where models are laid out and converted, and the HOME whose `convert` environment does it."""

    folder: Path
    home: Path

    @property
    def files(self) -> Path:
        """Versions laid out as folders, each under its digest: links to the store's contents."""
        return self.folder / "files"

    @property
    def converted(self) -> Path:
        """What was made of them, each under its digest."""
        return self.folder / "converted"


class RegistrySource:
    """Fulfils `ModelSource` for all models but the catalogue's."""

    def __init__(self, models: KnownModels, blobs: BlobStore, workplace: Workplace) -> None:
        self._models = models
        self._blobs = blobs
        self._workplace = workplace
        self._brought: Mapping[tuple[str, str], frozenset[str]] = {}
        self._laying = threading.Lock()

    def sweep(self) -> None:
        """Remove what an earlier run left, conversions of what is registered apart. Blocks; nothing may run yet."""
        self.tidy()
        for scratch in self._workplace.converted.glob(f"*/{SCRATCH_PREFIX}*"):
            shutil.rmtree(scratch, ignore_errors=True)

    def tidy(self) -> None:
        """Remove what was laid out but is not served any more, and conversions of versions that are gone. Blocks."""
        with self._laying:
            _remove_all_but(frozenset().union(*self._brought.values()), self._workplace.files)
        registered = self._models.digests()
        _remove_all_but(registered.union(*self._brought.values()), self._workplace.converted)

    def forget(self, entity_name: str, entity_version: str) -> None:
        """See `ModelSource.forget`: they are links to the store's contents, which they would keep on disk."""
        key = (entity_name, entity_version)
        self._brought = {known: digests for known, digests in self._brought.items() if known != key}

    async def bring(self, entity_name: str, entity_version: str, tell: Tell) -> ReadyModel | None:
        """See `ModelSource.bring`."""
        version = await asyncio.to_thread(self._models.version, entity_name, entity_version)
        if version.digest is None:
            return None
        facts = ModelFacts.from_json(version.facts)
        base = await asyncio.to_thread(self._models.base_of, version)
        digests = frozenset(str(model.digest) for model in (version, base) if model is not None)
        self._brought = {**self._brought, (entity_name, entity_version): digests}
        folder = await self._laid_out(version, tell)
        base_folder = None if base is None else await self._laid_out(base, tell)
        converter = await asyncio.to_thread(installed, self._workplace.home)
        options = PrepareOptions(
            quantization=_quantization(version),
            base=base_folder,
            base_out_dir=None if base is None else self._converted(base),
            converter=None if converter is None else Converter(converter),
            links_into=self._blobs.root,
        )

        def note(fraction: float, stage: str) -> None:
            tell(f"{stage.capitalize()} ({fraction:.0%}).")

        prepared = await prepare(folder, facts, options, self._converted(version), note)
        known = {folder / path: entry.digest for path, entry in version.manifest.items()}
        if base is not None and base_folder is not None:
            known |= {base_folder / path: entry.digest for path, entry in base.manifest.items()}
            facts = ModelFacts.from_json(base.facts)
        return await asyncio.to_thread(_ready, prepared, known, facts, version.profile.context_length)

    async def _laid_out(self, version: ServableVersion, tell: Tell) -> Path:
        tell("Checking its files.")
        await asyncio.to_thread(self._blobs.verify_all, version.manifest)
        folder = self._workplace.files / str(version.digest)
        await asyncio.to_thread(self._lay_out, version, folder)
        return folder

    def _lay_out(self, version: ServableVersion, folder: Path) -> None:
        """One at a time: another version with the same files may be looking."""
        with self._laying:
            if not self._is_laid_out(version, folder):
                self._blobs.materialize(version.manifest, folder)

    def _is_laid_out(self, version: ServableVersion, folder: Path) -> bool:
        """Whether the folder's files are the store's, which were replaced if they were damaged."""
        try:
            return all(
                (folder / path).samefile(self._blobs.path(entry.digest)) for path, entry in version.manifest.items()
            )
        except FileNotFoundError:
            return False

    def _converted(self, version: ServableVersion) -> Path:
        return self._workplace.converted / str(version.digest)


def _remove_all_but(digests: frozenset[str], folder: Path) -> None:
    for known in folder.glob("*"):
        if known.name not in digests:
            shutil.rmtree(known, ignore_errors=True)


def _quantization(version: ServableVersion) -> Quantization:
    asked = version.tags.get(QUANTIZATION_TAG, "f16")
    if asked not in QUANTIZATIONS:  # of an older openfm, which took any
        raise InvalidParameterValue(
            f"The tag {QUANTIZATION_TAG} is '{asked}'; use one of: {', '.join(QUANTIZATIONS)}. "
            "Register the model again as a new version.",
            param=QUANTIZATION_TAG,
        )
    return QUANTIZATIONS[asked]


def _ready(prepared: PreparedModel, known: Mapping[Path, str], facts: ModelFacts, context_length: int) -> ReadyModel:
    return ReadyModel(
        engine=prepared.engine,
        files=prepared.files,
        digests={role: known.get(file) or kept_digest(file) for role, file in prepared.files.items()},
        weight_bytes=sum(file.stat().st_size for file in prepared.files.values()),
        sequence_bytes=context_length * facts.kv_bytes_per_token,
    )
