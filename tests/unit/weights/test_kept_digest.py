"""A converted file is known by what it was when it was made, and a lost note of it is written again."""

import hashlib
from pathlib import Path

import pytest

from openfm.weights.kept_digest import digest_file, keep_digest, kept_digest

SHA256 = hashlib.sha256(b"weights").hexdigest()


@pytest.fixture
def converted(tmp_path: Path) -> Path:
    file = tmp_path / "model-f16.gguf"
    file.write_bytes(b"weights")
    return file


def test_a_file_that_changes_later_keeps_the_digest_it_was_made_with(converted: Path) -> None:
    assert keep_digest(converted) == SHA256
    converted.write_bytes(b"damaged")
    assert kept_digest(converted) == SHA256


@pytest.mark.parametrize("left", [b"", SHA256[:40].encode(), b"\xff" * 64, (SHA256 + "\n").encode()])
def test_what_a_crash_left_of_a_digest_is_written_anew(converted: Path, left: bytes) -> None:
    digest_file(converted).write_bytes(left)
    assert kept_digest(converted) == SHA256
    assert digest_file(converted).read_text(encoding="utf-8") == SHA256


def test_a_digest_that_was_never_kept_is_kept_now(converted: Path) -> None:
    assert kept_digest(converted) == SHA256
    assert sorted(file.name for file in converted.parent.iterdir()) == ["model-f16.gguf", "model-f16.gguf.sha256"]
