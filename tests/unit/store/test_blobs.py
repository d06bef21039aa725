"""Contents by their SHA-256: whole or not at all, once each, and never another content than was asked for."""

import hashlib
from pathlib import Path

import pytest

from openfm.core.errors import InvalidParameterValue, NotFound, Unavailable
from openfm.core.registry import FileEntry
from openfm.store.blobs import Blob, BlobDamaged, BlobStore
from openfm.store.uploads import Part, Uploads
from tests.unit.store.full_disk import no_file_over


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    store = BlobStore(tmp_path / "blobs")
    store.prepare()
    return store


def stored(blobs: BlobStore, content: bytes) -> Blob:
    with blobs.receive() as writer:
        writer.write(content)
        return writer.commit()


def files(blobs: BlobStore) -> list[Path]:
    return [file for file in blobs.root.rglob("*") if file.is_file()]


def test_a_content_is_kept_under_its_digest_once(blobs: BlobStore) -> None:
    one, two = stored(blobs, b"weights"), stored(blobs, b"weights")
    assert one == two == Blob(hashlib.sha256(b"weights").hexdigest(), 7)
    assert files(blobs) == [blobs.path(one.digest)]
    assert blobs.path(one.digest).read_bytes() == b"weights"
    assert not blobs.path(one.digest).stat().st_mode & 0o222


def test_a_content_that_was_not_committed_leaves_nothing(blobs: BlobStore) -> None:
    with blobs.receive() as writer:
        writer.write(b"half")
    assert files(blobs) == []


def test_what_a_crash_left_half_written_is_removed_at_the_next_start(blobs: BlobStore) -> None:
    (blobs.root / "incoming" / "1").write_bytes(b"half")
    BlobStore(blobs.root).prepare()
    assert files(blobs) == []


def test_a_changed_content_is_found_when_it_is_verified(blobs: BlobStore) -> None:
    blob = stored(blobs, b"weights")
    blobs.verify(blob.digest)
    blobs.path(blob.digest).chmod(0o644)
    blobs.path(blob.digest).write_bytes(b"weightz")
    with pytest.raises(BlobDamaged, match="register the model again"):
        blobs.verify_all({"model.gguf": FileEntry(blob.digest, blob.size, 0)})


def test_a_content_of_another_size_is_not_handed_out(blobs: BlobStore) -> None:
    blob = stored(blobs, b"weights")
    blobs.path(blob.digest).chmod(0o644)
    blobs.path(blob.digest).write_bytes(b"weight")
    with pytest.raises(BlobDamaged, match="6 bytes, not 7"):
        blobs.check(blob)
    blobs.path(blob.digest).unlink()
    with pytest.raises(BlobDamaged, match="missing"):
        blobs.verify(blob.digest)


def test_the_same_content_heals_a_file_that_was_cut(blobs: BlobStore) -> None:
    blob = stored(blobs, b"weights")
    blobs.path(blob.digest).chmod(0o644)
    blobs.path(blob.digest).write_bytes(b"w")
    stored(blobs, b"weights")
    blobs.verify(blob.digest)


def test_the_same_content_heals_a_file_that_was_changed_and_is_asked_for_until_then(blobs: BlobStore) -> None:
    blob = stored(blobs, b"weights")
    blobs.path(blob.digest).chmod(0o644)
    blobs.path(blob.digest).write_bytes(b"weightz")
    with pytest.raises(BlobDamaged):
        blobs.verify(blob.digest)
    assert not blobs.has(blob.digest)
    with blobs.holding(frozenset({blob.digest})) as here:
        assert here == frozenset()
    stored(blobs, b"weights")
    blobs.verify(blob.digest)
    assert blobs.has(blob.digest)
    assert files(blobs) == [blobs.path(blob.digest)]


def test_a_file_that_is_a_contents_own_link_can_be_added_again(blobs: BlobStore, tmp_path: Path) -> None:
    (tmp_path / "fetched").write_bytes(b"weights")
    with blobs.add(tmp_path / "fetched") as one, blobs.add(tmp_path / "fetched") as two:
        blobs.verify(one.digest)
    assert one == two
    assert files(blobs) == [blobs.path(one.digest)]


def test_a_version_is_laid_out_without_copying(blobs: BlobStore, tmp_path: Path) -> None:
    blob = stored(blobs, b"weights")
    manifest = {"model/a.bin": FileEntry(blob.digest, 7, 0), "b.bin": FileEntry(blob.digest, 7, 0)}
    for _ in range(2):
        blobs.materialize(manifest, tmp_path / "out")
    assert (tmp_path / "out/model/a.bin").read_bytes() == b"weights"
    assert (tmp_path / "out/b.bin").samefile(blobs.path(blob.digest))


def test_only_what_nobody_needs_is_collected(blobs: BlobStore) -> None:
    needed, unneeded = stored(blobs, b"needed"), stored(blobs, b"unneeded")
    with blobs.receive() as writer:
        writer.write(b"arriving")
        arriving = writer.commit()
        assert blobs.collect(lambda: frozenset({needed.digest})) == len(b"unneeded")
        assert blobs.has(arriving.digest)
    assert not blobs.has(unneeded.digest)
    assert blobs.has(needed.digest)
    assert blobs.collect(lambda: frozenset({needed.digest})) == len(b"arriving")


def test_a_content_that_is_held_is_not_collected(blobs: BlobStore) -> None:
    blob = stored(blobs, b"weights")
    with blobs.holding(frozenset({blob.digest, "0" * 64})) as here:
        assert here == {blob.digest}
        assert blobs.collect(frozenset) == 0
    assert blobs.collect(frozenset) == 7


def test_a_full_disk_is_told_with_numbers_and_leaves_nothing(blobs: BlobStore) -> None:
    with (
        no_file_over(1_000_000),
        pytest.raises(Unavailable, match=r"[\d,]+ more bytes are needed and [\d,]+ bytes are free"),
        blobs.receive() as one,
    ):
        one.write(bytes(3_000_000))
    assert files(blobs) == []


def test_what_cannot_fit_is_refused_before_it_is_sent(blobs: BlobStore) -> None:
    blobs.reserve(1)
    with pytest.raises(Unavailable, match="1,000,000,000,000,000,000 more bytes"):
        blobs.reserve(10**18)


# ------------------------------------------------------------------------------------------------------------ uploads


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    made = Uploads(tmp_path / "uploads")
    made.prepare()
    return made


def send(uploads: Uploads, token: str, number: int, content: bytes) -> Part:
    with uploads.receive(token, number) as writer:
        writer.write(content)
        return Part(number, writer.commit())


def test_parts_are_put_together_by_number_and_may_be_sent_again(uploads: Uploads, tmp_path: Path) -> None:
    token = uploads.begin("a.b.c", 1, "w.bin", "me", overwrite=True).token
    parts = [send(uploads, token, 2, b"b"), send(uploads, token, 1, b"wrong"), send(uploads, token, 1, b"a")]
    after_restart = Uploads(tmp_path / "uploads")
    after_restart.prepare()
    assert b"".join(after_restart.chunks(token, [parts[0], parts[2]])) == b"ab"
    assert after_restart.size(token, [parts[0], parts[2]]) == 2
    with pytest.raises(InvalidParameterValue, match="Part 1 with that ETag"):
        list(after_restart.chunks(token, parts[:2]))


@pytest.mark.parametrize("token", ["", "..", "../../etc", "0" * 32, "0" * 31 + "\n"])
def test_an_unknown_upload_is_refused(uploads: Uploads, token: str) -> None:
    with pytest.raises(NotFound):
        uploads.find(token)
    with pytest.raises(NotFound):
        uploads.receive(token, 1)


@pytest.mark.parametrize("number", [0, -1, 10_001])
def test_part_numbers_are_bounded(uploads: Uploads, number: int) -> None:
    token = uploads.begin("a.b.c", 1, "w.bin", "me", overwrite=True).token
    with pytest.raises(InvalidParameterValue):
        uploads.receive(token, number)


def test_a_part_that_breaks_off_is_not_kept(uploads: Uploads) -> None:
    token = uploads.begin("a.b.c", 1, "w.bin", "me", overwrite=True).token
    with uploads.receive(token, 1) as writer:
        writer.write(b"half")
    with pytest.raises(InvalidParameterValue):
        list(uploads.chunks(token, [Part(1, hashlib.sha256(b"half").hexdigest())]))


def test_uploads_end_with_their_version(uploads: Uploads) -> None:
    gone = uploads.begin("a.b.c", 1, "w.bin", "me", overwrite=True).token
    stays = uploads.begin("a.b.c", 2, "w.bin", "me", overwrite=True).token
    uploads.end_all("a.b.c", 1)
    assert uploads.find(stays).version == 2
    with pytest.raises(NotFound):
        uploads.find(gone)
