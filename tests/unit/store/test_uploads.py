"""Uploads in parts under trouble: damaged on disk, sent twice at once, given up while somebody works with them."""

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from openfm.core.errors import InvalidParameterValue, NotFound, Unavailable
from openfm.store.uploads import Part, PartWriter, Uploads
from tests.unit.store.full_disk import no_file_over


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    made = Uploads(tmp_path / "uploads")
    made.prepare()
    return made


def begun(uploads: Uploads) -> str:
    return uploads.begin("a.b.c", 1, "w.bin", "me", overwrite=True).token


def send(uploads: Uploads, token: str, number: int, content: bytes) -> Part:
    with uploads.receive(token, number) as writer:
        writer.write(content)
        return Part(number, writer.commit())


def left(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "uploads").iterdir())


@pytest.mark.parametrize("damage", [b"", b'{"token": "', b"\xff\xfe", b"[]", b"{}", b"\0" * 64])
def test_a_damaged_upload_is_unknown_hinders_no_other_and_is_removed_at_the_next_start(
    uploads: Uploads, tmp_path: Path, damage: bytes
) -> None:
    damaged, whole = begun(uploads), begun(uploads)
    (tmp_path / "uploads" / damaged / "session.json").write_bytes(damage)
    with pytest.raises(NotFound):
        uploads.find(damaged)
    assert [session.token for session in uploads.of_version("a.b.c", 1)] == [whole]
    uploads.end_all("a.b.c")
    assert [folder.name for folder in left(tmp_path)] == [damaged]
    Uploads(tmp_path / "uploads").prepare()
    assert left(tmp_path) == []


def test_what_a_crash_left_of_a_part_or_an_ended_upload_is_removed_at_the_next_start(
    uploads: Uploads, tmp_path: Path
) -> None:
    token = begun(uploads)
    kept = send(uploads, token, 1, b"kept")
    (tmp_path / "uploads" / token / "0123456789abcdef.tmp").write_bytes(b"half")
    (tmp_path / "uploads" / f"{'0' * 32}.ended").mkdir()
    Uploads(tmp_path / "uploads").prepare()
    assert {file.name for file in left(tmp_path)} == {token}
    assert {file.name for file in left(tmp_path)[0].iterdir()} == {"session.json", f"00001.{kept.etag}"}


def test_a_description_is_whole_when_it_appears(uploads: Uploads, tmp_path: Path) -> None:
    token = begun(uploads)
    assert [file.name for file in (tmp_path / "uploads" / token).iterdir()] == ["session.json"]
    assert json.loads((tmp_path / "uploads" / token / "session.json").read_text())["token"] == token


def test_the_same_part_sent_many_times_at_once_is_kept_once(uploads: Uploads) -> None:
    for contents in ([b"same"] * 16, [bytes([number]) for number in range(16)]):
        token = begun(uploads)
        with ThreadPoolExecutor(16) as pool:
            sent = list(pool.map(lambda content, at=token: send(uploads, at, 1, content), contents))
        (kept,) = uploads.parts(token)
        assert kept in sent
        assert hashlib.sha256(b"".join(uploads.chunks(token, [kept]))).hexdigest() == kept.etag


def commit(uploads: Uploads, token: str, writer: PartWriter) -> None:
    del uploads, token
    writer.commit()


def begin_another(uploads: Uploads, token: str, writer: PartWriter) -> None:
    del writer
    uploads.receive(token, 2)


@pytest.mark.parametrize("act", [commit, begin_another])
@pytest.mark.parametrize("end", [Uploads.end, Uploads.complete])
def test_a_part_of_an_upload_that_ended_meanwhile_is_refused_and_leaves_nothing(
    uploads: Uploads,
    tmp_path: Path,
    act: Callable[[Uploads, str, PartWriter], None],
    end: Callable[[Uploads, str], None],
) -> None:
    token = begun(uploads)
    with uploads.receive(token, 1) as writer:
        writer.write(b"late")
        end(uploads, token)
        with pytest.raises(NotFound):
            act(uploads, token, writer)
    assert [file.name for file in (tmp_path / "uploads").rglob("[0-9]*.*")] == []


def test_an_upload_that_is_given_up_while_it_is_put_together_is_unknown(uploads: Uploads, tmp_path: Path) -> None:
    token = begun(uploads)
    parts = [send(uploads, token, number, b"x") for number in (1, 2)]
    chunks = uploads.chunks(token, parts)
    next(chunks)
    uploads.end(token)
    with pytest.raises(NotFound):
        next(chunks)
    with pytest.raises(NotFound):
        uploads.size(token, parts)
    uploads.complete(token)
    assert left(tmp_path) == []


def test_a_part_that_is_replaced_while_the_upload_is_put_together_must_be_named_anew(uploads: Uploads) -> None:
    token = begun(uploads)
    parts = [send(uploads, token, number, b"x") for number in (1, 2)]
    chunks = uploads.chunks(token, parts)
    next(chunks)
    send(uploads, token, 2, b"y")
    with pytest.raises(InvalidParameterValue, match="Part 2"):
        next(chunks)


def test_ending_an_upload_twice_at_once_is_harmless(uploads: Uploads, tmp_path: Path) -> None:
    token = begun(uploads)
    send(uploads, token, 1, b"x")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(uploads.end, [token] * 8))
    assert left(tmp_path) == []


def test_an_upload_that_a_full_disk_cannot_begin_leaves_nothing(uploads: Uploads, tmp_path: Path) -> None:
    with no_file_over(100), pytest.raises(Unavailable, match="disk of the models folder is full"):
        uploads.begin("a.b.c", 1, "w" * 100, "me", overwrite=True)
    assert left(tmp_path) == []


def test_a_part_that_does_not_fit_leaves_nothing_and_the_upload_goes_on(uploads: Uploads, tmp_path: Path) -> None:
    token = begun(uploads)
    for size in (101, 3_000_000):  # the first is found at the end only, when the buffer is written
        with no_file_over(100), pytest.raises(Unavailable, match="disk of the models folder is full"):
            send(uploads, token, 1, bytes(size))
    assert [file.name for file in (tmp_path / "uploads" / token).iterdir()] == ["session.json"]
    assert uploads.parts(token) == []
    part = send(uploads, token, 1, b"fits")
    assert list(uploads.chunks(token, [part])) == [b"fits"]
