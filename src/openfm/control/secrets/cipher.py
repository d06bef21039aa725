"""Encryption at rest: Fernet (AES-128-CBC with HMAC-SHA256) with a key in HOME/secret-key."""

import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from openfm.core.errors import InvalidParameterValue

SECRET_KEY_FILE = "secret-key"


def ensure_secret_key(home: Path) -> bytes:
    """The key; made, readable by its owner alone, where there is none. Blocks."""
    path = home / SECRET_KEY_FILE
    if not path.exists():
        # Whole or not at all: a key that a crash cut short would lock every later secret away.
        draft = path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(Fernet.generate_key())
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    return path.read_bytes().strip()


class Cipher:
    """Encrypts and decrypts with one key."""

    def __init__(self, key: bytes) -> None:
        self._fernet = Fernet(key)

    def encrypt(self, plain: bytes) -> str:
        """What is stored of `plain`."""
        return self._fernet.encrypt(plain).decode("ascii")

    def decrypt(self, ciphertext: str) -> bytes:
        """What was encrypted. Raises `InvalidParameterValue` for what another key encrypted."""
        try:
            return self._fernet.decrypt(ciphertext.encode())
        except InvalidToken:
            raise InvalidParameterValue(
                f"This secret was encrypted with another key than the one in HOME/{SECRET_KEY_FILE}. "
                "Bring that file back, or put the secret again."
            ) from None
