"""The SHA-256 that a converted file had when it was made, kept in a file beside it. Every call blocks."""

import hashlib
import re
from pathlib import Path

_DIGEST = re.compile("[0-9a-f]{64}")


def digest_file(file: Path) -> Path:
    """Where the digest of a file is kept."""
    return file.with_name(file.name + ".sha256")


def keep_digest(file: Path) -> str:
    """Read the whole file and keep its digest, all or nothing."""
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    kept = digest_file(file)
    draft = kept.with_name(kept.name + ".tmp")
    draft.write_text(digest, encoding="utf-8")
    draft.replace(kept)
    return digest


def kept_digest(file: Path) -> str:
    """The file's digest as it was kept. One that a crash lost, or left half written, is kept anew."""
    try:
        digest = digest_file(file).read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        digest = ""
    return digest if _DIGEST.fullmatch(digest) else keep_digest(file)
