"""Paths that stay in their folder, and files that arrive once, whole, and only while a version is open."""

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from openfm.control.files.paths import checked_file, parse_path
from openfm.control.files.service import Files, check_places
from openfm.control.registry import repository
from openfm.control.registry.setup import Registry
from openfm.control.registry.versions import NewVersion
from openfm.core.errors import ApiError, Conflict, InvalidParameterValue, NotFound, PermissionDenied
from openfm.core.registry import VersionStatus
from openfm.store.database import Database, TakeOver
from openfm.store.uploads import Part
from tests.unit.control.registry.conftest import ADMIN, NAME, OTHER, OWNER, World, put
from tests.unit.control.registry.conftest import registry as registry  # noqa: PLC0414  # a fixture
from tests.unit.control.registry.conftest import world as world  # noqa: PLC0414  # a fixture

ROOT = "/Models/main/default/m/1"
WEIGHTS = parse_path(f"{ROOT}/weights.bin")


@pytest.fixture
def opened(registry: Registry) -> Registry:
    registry.models.create(NAME, OWNER)
    registry.versions.create(NAME, OWNER, NewVersion())
    return registry


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "a/../b",
        "/a",
        "a//b",
        "./a",
        "a\\b",
        "a\0b",
        "a\nb",
        "x" * 256,
        "a/" * 40 + "a",
        "é" * 200,
        "\ud800",
        "🙂" * 64,
        "/".join(["🙂" * 50] * 6),
        "/".join(["🙂" * 32] * 8) + "/a",
    ],
)
def test_a_path_that_could_leave_its_folder_is_refused(path: str) -> None:
    with pytest.raises(InvalidParameterValue):
        checked_file(path)


def test_the_longest_path_can_be_laid_out(opened: Registry) -> None:
    path = "/".join(["🙂" * 42, "🙂" * 42, "🙂" * 42, "🙂" * 42, "🙂" * 42, "x" * 179])
    assert len(path.encode()) == 1024
    put(opened, path, b"weights")
    assert opened.versions.finalize(NAME, OWNER, 1).status is VersionStatus.READY


@given(st.text())
def test_every_path_is_refused_or_stays_in_its_folder(path: str) -> None:
    try:
        parsed = parse_path(f"{ROOT}/{path}")
    except ApiError:
        return
    assert parsed.absolute.startswith(ROOT)
    assert not {"..", "."} & set(parsed.path.split("/"))


@pytest.mark.parametrize("path", ["", "/", "/Volumes/a/b/c/d", "/Models", "/Models/a/b/c"])
def test_there_is_nothing_but_versions(path: str) -> None:
    with pytest.raises(NotFound):
        parse_path(path)


def test_folders_are_what_files_are_in(opened: Registry) -> None:
    for path in ("a/b/c.txt", "a/d.txt", "e.txt"):
        put(opened, path, path.encode())
    listed = opened.files.list(parse_path(ROOT), OWNER)
    assert [(item.name, item.entry and item.entry.size) for item in listed] == [("a", None), ("e.txt", 5)]
    assert [item.name for item in opened.files.list(parse_path(f"{ROOT}/a"), OWNER)] == ["b", "d.txt"]
    for path in ("e.txt", "nothing", "a/b/c"):
        with pytest.raises(NotFound):
            opened.files.list(parse_path(f"{ROOT}/{path}"), OWNER)


def test_nothing_is_a_file_and_a_folder_at_once(opened: Registry) -> None:
    put(opened, "a/b", b"x")
    for path in ("a", "a/b/c"):
        with pytest.raises(InvalidParameterValue, match="a file and a folder"):
            put(opened, path, b"x")
    check_places({"a", "ab", "a-b/c"})


def test_files_are_their_readers_and_owners(opened: Registry, world: World) -> None:
    put(opened, "weights.bin", b"weights")
    with pytest.raises(PermissionDenied):
        opened.files.find(WEIGHTS, OTHER)
    world.executors.add(OTHER.name)
    assert opened.files.find(WEIGHTS, OTHER).content.read_bytes() == b"weights"
    with pytest.raises(PermissionDenied):
        opened.files.remove(WEIGHTS, OTHER)
    opened.files.remove(WEIGHTS, OWNER)
    with pytest.raises(NotFound):
        opened.files.find(WEIGHTS, OWNER)


def test_a_final_version_does_not_change(opened: Registry) -> None:
    put(opened, "weights.bin", b"weights")
    opened.versions.finalize(NAME, OWNER, 1)
    for change in (
        lambda: put(opened, "weights.bin", b"other"),
        lambda: opened.files.remove(WEIGHTS, OWNER),
        lambda: opened.files.begin(WEIGHTS, OWNER, overwrite=True),
        lambda: opened.files.link(NAME, 1, OWNER, {}),
    ):
        with pytest.raises(Conflict, match="do not change"):
            change()


def test_a_known_content_needs_no_second_upload_but_opens_nobody_elses_files(opened: Registry, world: World) -> None:
    put(opened, "weights.bin", b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    theirs = NAME.parse("main.default.theirs")
    opened.models.create(theirs, OTHER)
    opened.versions.create(theirs, OTHER, NewVersion())
    assert opened.files.link(theirs, 1, OTHER, {"a": digest}) == frozenset()
    world.executors.add(OTHER.name)
    assert opened.files.link(theirs, 1, OTHER, {"a": digest, "b": "0" * 64}) == {"a"}
    assert set(opened.versions.manifest(theirs, OTHER, 1)) == {"a"}


@pytest.mark.parametrize("digest", ["", "..", "../" * 30, "x" * 300, "\0", "\ud800", "A" * 64])
def test_what_is_no_digest_is_not_here(opened: Registry, digest: str) -> None:
    assert opened.files.link(NAME, 1, OWNER, {"a": digest}) == frozenset()


class CountingDatabase(Database):
    """Notes how many files each transaction adds."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.added: list[int] = []

    @contextlib.contextmanager
    def transaction(self, take_over: TakeOver | None = None) -> Iterator[Connection]:
        with super().transaction(take_over) as connection:
            before = len(repository.paths(connection, NAME, 1))
            yield connection
            self.added.append(len(repository.paths(connection, NAME, 1)) - before)


def test_many_files_are_linked_in_pieces_between_which_others_get_their_turn(opened: Registry, tmp_path: Path) -> None:
    put(opened, "weights.bin", b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    offered = {f"folder/{number}.bin": digest for number in range(1200)}
    database = CountingDatabase(f"sqlite:///{tmp_path / 'openfm.db'}")
    assert Files(replace(opened.resources, database=database)).link(NAME, 1, OWNER, offered) == offered.keys()
    assert sum(database.added) == 1200
    assert max(database.added) <= 500
    database.close()


def test_a_piece_does_not_lie_below_a_file_of_another(opened: Registry) -> None:
    put(opened, "weights.bin", b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    offered = {f"{number:05d}": digest for number in range(1000)} | {"00001/below": digest}
    with pytest.raises(InvalidParameterValue, match="a file and a folder"):
        opened.files.link(NAME, 1, OWNER, offered)
    assert set(opened.versions.manifest(NAME, OWNER, 1)) == {"weights.bin"}


def send(registry: Registry, token: str, number: int, content: bytes) -> Part:
    with registry.files.receive_part(token, number) as writer:
        writer.write(content)
        return Part(number, writer.commit())


def test_an_upload_in_parts_is_completed_once_however_often_it_is_asked(opened: Registry) -> None:
    token = opened.files.begin(WEIGHTS, OWNER, overwrite=True).token
    parts = [send(opened, token, number, content) for number, content in ((2, b"ghts"), (1, b"wei"))]
    assert opened.files.begun(NAME, 1, OWNER)[0][1] == sorted(parts, key=lambda part: part.number)
    for _ in range(2):
        opened.files.complete(WEIGHTS, OWNER, token, parts)
    assert opened.files.find(WEIGHTS, OWNER).content.read_bytes() == b"weights"
    assert opened.files.begun(NAME, 1, OWNER) == []


def test_an_upload_is_for_one_path_and_one_person(opened: Registry, world: World) -> None:
    token = opened.files.begin(WEIGHTS, OWNER, overwrite=True).token
    world.executors.add(OTHER.name)
    with pytest.raises(PermissionDenied):
        opened.files.complete(WEIGHTS, OTHER, token, [])
    with pytest.raises(NotFound, match="not for"):
        opened.files.complete(parse_path(f"{ROOT}/other.bin"), OWNER, token, [])
    with pytest.raises(InvalidParameterValue, match="has not arrived"):
        opened.files.complete(WEIGHTS, OWNER, token, [Part(1, "0" * 64)])
    assert opened.files.session(token, WEIGHTS, ADMIN).owner == OWNER.name
    opened.files.abort(token)
    with pytest.raises(NotFound):
        opened.files.receive_part(token, 1)


def test_a_version_takes_its_uploads_along(opened: Registry) -> None:
    token = opened.files.begin(WEIGHTS, OWNER, overwrite=True).token
    opened.versions.delete(NAME, OWNER, 1)
    with pytest.raises(NotFound):
        opened.files.session(token, WEIGHTS, OWNER)
