import os
from pathlib import Path

from cryptography.fernet import Fernet

from openfm.control.secrets.cipher import Cipher
from openfm.core.ledger import Attempt
from openfm.gateway.idempotency import KeptAnswer
from openfm.limits.key_store import REMEMBERED_S
from openfm.server.replays import FileReplays

ONE = Attempt("a" * 64, "b" * 64)
ANSWER = KeptAnswer("r1", "chat-1", b'{"choices":[{"text":"secret words"}]}')
NOW_S = 1_800_000_000.0


def replays(folder: Path, now_s: float = NOW_S, key: bytes | None = None) -> FileReplays:
    return FileReplays(folder / "replays", Cipher(key or Fernet.generate_key()), lambda: now_s)


def file_of(folder: Path) -> Path:
    (found,) = (folder / "replays").iterdir()
    return found


async def test_an_answer_is_found_by_its_key_and_body_alone(tmp_path: Path) -> None:
    kept = replays(tmp_path)
    assert await kept.find(ONE) is None
    await kept.keep(ONE, ANSWER)
    os.utime(file_of(tmp_path), (NOW_S, NOW_S))
    assert await kept.find(ONE) == ANSWER
    assert await kept.find(Attempt(ONE.key, "c" * 64)) is None
    assert await kept.find(Attempt("d" * 64, ONE.body)) is None


async def test_nobody_reads_it_from_the_disk(tmp_path: Path) -> None:
    await replays(tmp_path).keep(ONE, ANSWER)
    assert b"secret" not in file_of(tmp_path).read_bytes()
    assert await replays(tmp_path).find(ONE) is None  # another key


async def test_it_is_kept_for_as_long_as_its_key(tmp_path: Path) -> None:
    key = Fernet.generate_key()
    await replays(tmp_path, key=key).keep(ONE, ANSWER)
    os.utime(file_of(tmp_path), (NOW_S, NOW_S))
    replays(tmp_path, NOW_S + REMEMBERED_S - 1, key).tidy()
    assert await replays(tmp_path, NOW_S + REMEMBERED_S - 1, key).find(ONE) == ANSWER
    assert await replays(tmp_path, NOW_S + REMEMBERED_S + 1, key).find(ONE) is None
    replays(tmp_path, NOW_S + REMEMBERED_S + 1, key).tidy()
    assert list((tmp_path / "replays").iterdir()) == []


async def test_what_cannot_be_kept_or_read_is_not_there(tmp_path: Path) -> None:
    key = Fernet.generate_key()
    await replays(tmp_path, key=key).keep(ONE, ANSWER)
    file_of(tmp_path).write_text("no ciphertext")
    assert await replays(tmp_path, key=key).find(ONE) is None
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    (blocked / "replays").write_text("in the way")
    await replays(blocked, key=key).keep(ONE, ANSWER)
    assert await replays(blocked, key=key).find(ONE) is None
