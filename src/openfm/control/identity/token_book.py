"""Bearer tokens in memory, by their SHA-256: what the gateway's `TokenVerifier` reads on every request."""

import hashlib
from collections.abc import Mapping

from openfm.core.principal import Principal

ADMIN = Principal(id="1", name="admin", is_admin=True)


class TokenBook:
    """Token hash -> principal. Tokens are 256-bit random, so a plain hash neither leaks nor can be guessed."""

    def __init__(self, owners: Mapping[str, Principal]) -> None:
        self._owners = {hash_token(token): principal for token, principal in owners.items()}

    def verify(self, token: str) -> Principal | None:
        """The token's owner, or None."""
        return self._owners.get(hash_token(token))


def hash_token(token: str) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).digest()
