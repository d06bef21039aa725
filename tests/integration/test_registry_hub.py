"""A repository of the hub becomes a version: fetched by the hub's own library, here from a hub on loopback."""

import asyncio
from pathlib import Path

import pytest

from openfm.catalog.catalog import load_catalog
from openfm.control.registry.setup import Neighbours, Registry
from openfm.control.registry.versions import NewVersion
from openfm.core.registry import ModelVersion, VersionStatus
from openfm.server.fetcher import HubFetcher
from openfm.store.blobs import BlobStore
from openfm.store.database import Database
from tests.integration.test_pull_hub import SHA256, Hub, running_hub
from tests.unit.control.registry.conftest import NAME, OWNER, World


async def registered(hub: Hub, source: str, home: Path) -> tuple[Registry, ModelVersion]:
    """The registry, and its first version once the fetch is over."""
    database, world = Database(f"sqlite:///{home / 'openfm.db'}"), World()
    database.migrate()
    neighbours = Neighbours(world, world, world.inspect, HubFetcher(hub.environ(home)), world)
    registry = Registry(database, BlobStore(home / "blobs"), load_catalog(), neighbours)
    registry.prepare()
    await registry.imports.start(NAME, OWNER, NewVersion(source=source))
    async with asyncio.timeout(60):
        await registry.imports.settled()
    return registry, registry.versions.get(NAME, OWNER, 1)


@pytest.mark.parametrize(
    ("source", "path"),
    [("https://huggingface.co/acme/tiny", "model.safetensors"), ("hf://acme/tiny/deep/tiny.gguf", "tiny.gguf")],
)
async def test_a_repository_or_one_file_of_it_is_registered(tmp_path: Path, source: str, path: str) -> None:
    async with running_hub() as hub:
        registry, version = await registered(hub, source, tmp_path)
    assert version.status is VersionStatus.READY, version.status_message
    assert {name: entry.digest for name, entry in registry.versions.manifest(NAME, OWNER, 1).items()} == {path: SHA256}
    registry.resources.blobs.verify_all(registry.versions.manifest(NAME, OWNER, 1))
    assert list((tmp_path / "blobs" / "fetched").iterdir()) == []
    registry.resources.database.close()


async def test_a_repository_that_is_not_there_fails_the_version(tmp_path: Path) -> None:
    async with running_hub() as hub:
        hub.status, hub.code = 404, "EntryNotFound"
        registry, version = await registered(hub, "hf://acme/tiny/tiny.gguf", tmp_path)
    assert version.status is VersionStatus.FAILED
    assert "has no file 'tiny.gguf'" in version.status_message
    registry.resources.database.close()
