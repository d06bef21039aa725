"""Registrations from the hub: in the background, told about, cancelled with their version, resumed after a restart."""

import asyncio
import errno
from pathlib import Path

import pytest

from openfm.control.registry.imports import Imports, hub_source
from openfm.control.registry.service import ModelChanges
from openfm.control.registry.setup import Registry
from openfm.control.registry.versions import NewVersion, Versions
from openfm.core.errors import Conflict, InvalidParameterValue, Unavailable
from openfm.core.principal import Principal
from openfm.core.registry import ModelName, ModelVersion, VersionStatus
from tests.unit.control.registry.conftest import NAME, OWNER, World, contents, put

HUB = NewVersion(source="hf://org/name")


async def ended(registry: Registry) -> ModelVersion:
    """The version, once its fetch is over."""
    async with asyncio.timeout(10):
        await registry.imports.settled()
    return registry.versions.get(NAME, OWNER, 1)


def fetched(registry: Registry) -> list[Path]:
    return list((registry.resources.blobs.root / "fetched").iterdir())


async def test_a_fetched_model_is_ready_and_its_progress_was_told(registry: Registry, world: World) -> None:
    world.hub = {"config.json": b"{}", "deep/model.safetensors": b"weights"}
    version = await registry.imports.start(NAME, OWNER, HUB)
    assert (version.source, version.status) == ("hf://org/name", VersionStatus.PENDING)
    await world.fetching.wait()
    assert "1 of 2 bytes" in registry.versions.get(NAME, OWNER, 1).status_message
    world.released.set()
    assert (await ended(registry)).status is VersionStatus.READY
    assert set(registry.versions.manifest(NAME, OWNER, 1)) == set(world.hub)
    assert fetched(registry) == []


async def test_a_failed_fetch_says_why(registry: Registry, world: World) -> None:
    world.hub = Unavailable("The hub cannot be reached.")
    world.released.set()
    await registry.imports.start(NAME, OWNER, HUB)
    done = await ended(registry)
    assert (done.status, done.status_message) == (VersionStatus.FAILED, "The hub cannot be reached.")
    assert fetched(registry) == []


async def test_a_disk_that_fails_ends_the_registration_with_a_sentence(registry: Registry, world: World) -> None:
    world.hub = OSError(errno.EACCES, "Permission denied")
    world.released.set()
    await registry.imports.start(NAME, OWNER, HUB)
    done = await ended(registry)
    assert done.status is VersionStatus.FAILED
    assert "Permission denied" in done.status_message
    assert "register the model again" in done.status_message
    assert fetched(registry) == []


class BusyOnce(Versions):
    """The database has no turn for the first failure that is to be kept."""

    num_asked = 0

    def fail(self, version_id: str, caller: Principal, reason: str) -> None:
        self.num_asked += 1
        if self.num_asked == 1:
            raise Unavailable("The database is busy.", retry_after_s=0.001)
        super().fail(version_id, caller, reason)


async def test_a_failure_that_could_not_be_kept_is_kept_later(registry: Registry, world: World) -> None:
    world.hub = Unavailable("The hub cannot be reached.")
    world.released.set()
    versions = BusyOnce(registry.resources, world.inspect)
    imports = Imports(registry.resources, registry.models, versions, world)
    await imports.start(NAME, OWNER, HUB)
    async with asyncio.timeout(10):
        await imports.settled()
    done = registry.versions.get(NAME, OWNER, 1)
    assert (done.status, done.status_message) == (VersionStatus.FAILED, "The hub cannot be reached.")


async def test_a_folder_that_cannot_be_made_ends_the_registration_too(registry: Registry) -> None:
    (registry.resources.blobs.root / "fetched").write_bytes(b"in the way")
    await registry.imports.start(NAME, OWNER, HUB)
    assert (await ended(registry)).status is VersionStatus.FAILED


async def test_a_link_out_of_the_fetched_folder_is_not_followed(
    registry: Registry, world: World, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    world.hub = {"model.gguf": b"weights"}
    await registry.imports.start(NAME, OWNER, HUB)
    await world.fetching.wait()
    (fetched(registry)[0] / "stolen.txt").symlink_to(secret)
    world.released.set()
    done = await ended(registry)
    assert (done.status, "stolen.txt" in done.status_message) == (VersionStatus.FAILED, True)
    assert contents(registry) == 0


async def test_deleting_the_version_ends_its_fetch(registry: Registry, world: World) -> None:
    await registry.imports.start(NAME, OWNER, HUB)
    await world.fetching.wait()
    registry.versions.delete(NAME, OWNER, 1)
    await asyncio.to_thread(registry.imports.end_orphans)
    async with asyncio.timeout(10):
        await registry.imports.settled()
    assert fetched(registry) == []
    assert contents(registry) == 0


async def test_a_model_that_is_renamed_while_it_is_fetched_becomes_ready(registry: Registry, world: World) -> None:
    world.hub = {"model.gguf": b"weights"}
    await registry.imports.start(NAME, OWNER, HUB)
    await world.fetching.wait()
    renamed = ModelName.parse("main.default.other")
    world.owners[renamed.full_name] = OWNER.name
    registry.models.update(NAME, OWNER, ModelChanges(new_name=renamed))
    assert "1 of 2 bytes" in registry.versions.get(renamed, OWNER, 1).status_message
    world.released.set()
    async with asyncio.timeout(10):
        await registry.imports.settled()
    assert registry.versions.get(renamed, OWNER, 1).status is VersionStatus.READY
    assert set(registry.versions.manifest(renamed, OWNER, 1)) == {"model.gguf"}


async def test_a_failure_is_kept_for_a_model_that_was_renamed_meanwhile(registry: Registry, world: World) -> None:
    world.hub = Unavailable("The hub cannot be reached.")
    await registry.imports.start(NAME, OWNER, HUB)
    await world.fetching.wait()
    renamed = ModelName.parse("main.default.other")
    world.owners[renamed.full_name] = OWNER.name
    registry.models.update(NAME, OWNER, ModelChanges(new_name=renamed))
    world.released.set()
    async with asyncio.timeout(10):
        await registry.imports.settled()
    assert registry.versions.get(renamed, OWNER, 1).status is VersionStatus.FAILED


async def test_nobody_adds_files_to_a_version_that_is_being_fetched_or_finalizes_it(
    registry: Registry, world: World
) -> None:
    world.hub = {"model.gguf": b"weights"}
    await registry.imports.start(NAME, OWNER, HUB)
    await world.fetching.wait()
    with pytest.raises(Conflict, match="The server is fetching version 1"):
        registry.versions.finalize(NAME, OWNER, 1)
    with pytest.raises(Conflict, match="The server is fetching version 1"):
        put(registry, "config.json", b"{}")
    world.released.set()
    assert (await ended(registry)).status is VersionStatus.READY
    assert registry.versions.finalize(NAME, OWNER, 1).status is VersionStatus.READY


async def test_what_was_fetched_for_a_deleted_version_does_not_go_into_the_new_one_of_its_number(
    registry: Registry, world: World
) -> None:
    world.hub = {"model.gguf": b"weights"}
    await registry.imports.start(NAME, OWNER, HUB)
    await world.fetching.wait()
    registry.models.delete(NAME, OWNER)
    registry.models.create(NAME, OWNER)
    assert registry.versions.create(NAME, OWNER, NewVersion()).version == 1
    world.released.set()
    assert (await ended(registry)).status is VersionStatus.PENDING
    assert registry.versions.manifest(NAME, OWNER, 1) == {}
    assert contents(registry) == 0


async def test_a_bug_of_ours_ends_the_registration_with_a_sentence(registry: Registry, world: World) -> None:
    world.released.set()
    await registry.imports.start(NAME, OWNER, HUB)
    done = await ended(registry)
    assert (done.status, "nothing to fetch" in done.status_message) == (VersionStatus.FAILED, True)


async def test_a_fetch_goes_on_after_a_restart(registry: Registry, world: World) -> None:
    world.hub = {"model.gguf": b"weights"}
    await registry.imports.start(NAME, OWNER, HUB)
    await world.fetching.wait()
    await registry.imports.stop()
    assert registry.versions.get(NAME, OWNER, 1).status is VersionStatus.PENDING
    assert len(fetched(registry)) == 1
    world.released.set()
    await registry.imports.resume()
    assert (await ended(registry)).status is VersionStatus.READY


async def test_what_was_fetched_for_a_version_that_is_gone_is_removed_at_start(
    registry: Registry, world: World
) -> None:
    await registry.imports.start(NAME, OWNER, HUB)
    await world.fetching.wait()
    await registry.imports.stop()
    registry.models.delete(NAME, OWNER)
    await registry.imports.resume()
    assert fetched(registry) == []


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("hf://org/name@main", "hf://org/name@main"),
        ("https://huggingface.co/org/name", "hf://org/name"),
        ("https://huggingface.co/org/name/tree/v2", "hf://org/name@v2"),
        ("huggingface.co/org/name/", "hf://org/name"),
    ],
)
def test_the_hubs_addresses_are_understood(text: str, source: str) -> None:
    assert hub_source(text) == source


@pytest.mark.parametrize("text", ["file:///etc/passwd", "/etc/passwd", "https://example.com/a/b", "pypi://a==1/b", ""])
def test_the_server_fetches_from_nowhere_else(text: str) -> None:
    with pytest.raises(InvalidParameterValue, match="hub only"):
        hub_source(text)
