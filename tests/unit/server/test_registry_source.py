"""Registered models on disk: laid out while they are served, and nothing of them is left when they are gone."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from openfm.control.endpoints.models import KnownModels
from openfm.control.registry.models import ServableVersion
from openfm.core.errors import NotFound
from openfm.core.model import ModelProfile, Task
from openfm.core.principal import Principal
from openfm.core.registry import FileEntry, manifest_digest
from openfm.scheduling.work import Throughput
from openfm.server.depot import ReadyModel
from openfm.server.registry_source import RegistrySource, Workplace
from openfm.store.blobs import BlobStore
from openfm.weights.inspection import inspect
from tests.unit.weights.files import gguf

NAME = "main.default.m"
PROFILE = ModelProfile(NAME, "m-1", "m-1", "", "", Task.CHAT, context_length=128)


@dataclass
class Registered:
    """The registry, as far as serving goes."""

    versions: dict[tuple[str, str], ServableVersion] = field(default_factory=dict)

    def find(self, entity_name: str, entity_version: str | int, caller: Principal) -> ServableVersion:
        del caller
        try:
            return self.versions[entity_name, str(entity_version)]
        except KeyError:
            raise NotFound("no such version") from None

    def digests(self) -> frozenset[str]:
        return frozenset(str(version.digest) for version in self.versions.values())

    def throughput(self, version: ServableVersion) -> Throughput:
        raise NotImplementedError

    def are_registered(self, version_ids: frozenset[str]) -> bool:
        raise NotImplementedError


@pytest.fixture
def registry() -> Registered:
    return Registered()


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    store = BlobStore(tmp_path / "blobs")
    store.prepare()
    return store


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path / "served", tmp_path / "home")


@pytest.fixture
def source(registry: Registered, blobs: BlobStore, place: Workplace) -> RegistrySource:
    return RegistrySource(KnownModels(registry, None), blobs, place)


def register(registry: Registered, blobs: BlobStore, number: str = "1") -> ServableVersion:
    """A version with the GGUF file that all versions here have."""
    with blobs.receive() as writer:
        writer.write(gguf())
        blob = writer.commit()
        manifest = {f"m{number}.gguf": FileEntry(blob.digest, blob.size, 0)}
        blobs.materialize(manifest, blobs.root / "layouts")
    facts = inspect(blobs.root / "layouts").to_json()
    version = ServableVersion(
        frozenset({number}), NAME, number, PROFILE, facts, manifest_digest(manifest), manifest, tags={}
    )
    registry.versions[NAME, number] = version
    return version


async def brought(source: RegistrySource, number: str = "1") -> ReadyModel:
    model = await source.bring(NAME, number, lambda _: None)
    assert model is not None
    return model


async def test_what_is_served_stays_laid_out_and_goes_when_it_is_forgotten(
    registry: Registered, blobs: BlobStore, place: Workplace, source: RegistrySource
) -> None:
    one, two = register(registry, blobs, "1"), register(registry, blobs, "2")
    await brought(source, "1")
    model = await brought(source, "2")
    source.tidy()
    assert {folder.name for folder in place.files.iterdir()} == {one.digest, two.digest}
    source.forget(NAME, "1")
    source.tidy()
    assert {folder.name for folder in place.files.iterdir()} == {two.digest}
    assert model.files["model"].read_bytes() == gguf()


async def test_a_model_that_is_wanted_again_is_laid_out_again(
    registry: Registered, blobs: BlobStore, source: RegistrySource
) -> None:
    register(registry, blobs)
    await brought(source)
    source.forget(NAME, "1")
    source.tidy()
    assert (await brought(source)).files["model"].is_file()


async def test_a_content_that_was_replaced_is_laid_out_anew(
    registry: Registered, blobs: BlobStore, source: RegistrySource
) -> None:
    register(registry, blobs)
    file = (await brought(source)).files["model"]
    file.chmod(0o644)
    file.write_bytes(b"damaged")
    register(registry, blobs)
    assert (await brought(source)).files["model"].read_bytes() == gguf()


async def test_a_conversion_goes_with_its_version_while_the_server_runs(
    registry: Registered, blobs: BlobStore, place: Workplace, source: RegistrySource
) -> None:
    version = register(registry, blobs)
    for name in (str(version.digest), "of a version that is gone"):
        (place.converted / name).mkdir(parents=True)
    source.tidy()
    assert [folder.name for folder in place.converted.iterdir()] == [version.digest]
    registry.versions.clear()
    source.tidy()
    assert list(place.converted.iterdir()) == []


async def test_what_a_killed_server_left_goes_at_the_next_start(
    registry: Registered, blobs: BlobStore, place: Workplace, source: RegistrySource
) -> None:
    finished = place.converted / str(register(registry, blobs).digest)
    (finished / ".convert-abc").mkdir(parents=True)
    (finished / "model-f16.gguf").write_bytes(b"converted")
    (place.files / "laid out").mkdir(parents=True)
    source.sweep()
    assert list(place.files.iterdir()) == []
    assert [file.name for file in finished.iterdir()] == ["model-f16.gguf"]
