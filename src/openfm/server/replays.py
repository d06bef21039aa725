"""HOME/replays: answers for those who repeat a request with its `Idempotency-Key`, encrypted, for a day."""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec
import structlog

from openfm.core.errors import InvalidParameterValue
from openfm.core.ledger import Attempt
from openfm.gateway.idempotency import KeptAnswer
from openfm.limits.key_store import REMEMBERED_S

log = structlog.get_logger(__name__)


class Cipher(Protocol):
    """Encrypts and decrypts (`control.secrets.cipher`)."""

    def encrypt(self, plain: bytes) -> str:
        """What is stored of `plain`."""
        ...

    def decrypt(self, ciphertext: str) -> bytes:
        """What was encrypted. Raises `InvalidParameterValue`."""
        ...


class FileReplays:
    """Fulfils the gateway's `Replays`: a file a key. `clock` gives epoch seconds."""

    def __init__(self, folder: Path, cipher: Cipher, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._cipher = cipher
        self._clock = clock

    async def keep(self, one: Attempt, answer: KeptAnswer) -> None:
        """See `Replays.keep`."""
        await asyncio.to_thread(self._write, one, answer)

    async def find(self, one: Attempt) -> KeptAnswer | None:
        """See `Replays.find`."""
        return await asyncio.to_thread(self._read, one)

    def tidy(self) -> None:
        """Remove what is remembered no longer. Blocks."""
        for file in self._folder.glob("*"):
            if self._clock() - file.stat().st_mtime > REMEMBERED_S:
                file.unlink(missing_ok=True)

    def _write(self, one: Attempt, answer: KeptAnswer) -> None:
        path, draft = self._path(one), self._path(one).with_suffix(f".{os.urandom(4).hex()}")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft.write_text(self._cipher.encrypt(msgspec.json.encode(answer)), encoding="ascii")
            draft.replace(path)
        except OSError as error:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            log.warning("replay.not_kept", request_id=answer.request_id, reason=str(error))

    def _read(self, one: Attempt) -> KeptAnswer | None:
        path = self._path(one)
        try:
            if self._clock() - path.stat().st_mtime > REMEMBERED_S:
                return None
            return msgspec.json.decode(self._cipher.decrypt(path.read_text(encoding="ascii")), type=KeptAnswer)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, InvalidParameterValue, msgspec.MsgspecError) as error:
            log.warning("replay.not_read", reason=str(error))
            return None

    def _path(self, one: Attempt) -> Path:
        """Both are hashes; the body's is in it, so that another body never finds it."""
        return self._folder / f"{one.key}-{one.body[:16]}"
