"""Signing in to the pages: an access token becomes a cookie, and the cookie a bearer that lives for minutes.

The cookie opens nothing but `/ui/session`: what a browser sends by itself, for whatever page, can do nothing. It holds
no token, only the token's hash, sealed; revoking the token ends it, and every bearer made from it, at once.
"""

from dataclasses import dataclass

import msgspec

from openfm.control.identity.token_book import TokenBook, hash_token
from openfm.control.secrets.cipher import Cipher
from openfm.core.errors import InvalidParameterValue
from openfm.core.principal import Principal
from openfm.wire.bearer import unknown_token

COOKIE_LIFETIME_S = 12 * 3600
BEARER_LIFETIME_S = 15 * 60
_PURPOSE = "ui-session"  # the cipher's other messages are secrets: one must never pass for the other


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser: what it keeps (`cookie`), and what its page sends (`bearer`), which ends in `lifetime_s`."""

    principal: Principal
    cookie: str
    bearer: str
    lifetime_s: int


class _Sealed(msgspec.Struct, frozen=True):
    purpose: str
    digest: str
    ends_at: int  # ms since the epoch


class Sessions:
    """Makes and renews sessions. All of it is in memory; nothing here waits."""

    def __init__(self, tokens: TokenBook, cipher: Cipher) -> None:
        self._tokens = tokens
        self._cipher = cipher

    def sign_in(self, token: str) -> Session:
        """A session for the owner of an access token. Raises `Unauthenticated`, for a session's own bearer too."""
        session = self._opened(hash_token(token))
        if session is None:
            raise unknown_token()
        return session

    def renewed(self, cookie: str) -> Session | None:
        """A fresh bearer, and the cookie for another while; None when the cookie is no good, or its token has ended."""
        try:
            sealed = msgspec.json.decode(self._cipher.decrypt(cookie), type=_Sealed)
            digest = bytes.fromhex(sealed.digest)
        except (InvalidParameterValue, msgspec.DecodeError, ValueError):
            return None
        if sealed.purpose != _PURPOSE or sealed.ends_at <= self._tokens.now_ms():
            return None
        return self._opened(digest)

    def end(self, bearer: str) -> None:
        """Let a bearer open nothing any more; one that is unknown already opens nothing."""
        self._tokens.close_session(bearer)

    def _opened(self, digest: bytes) -> Session | None:
        opened = self._tokens.open_session(digest, BEARER_LIFETIME_S)
        if opened is None:
            return None
        principal, bearer = opened
        sealed = _Sealed(_PURPOSE, digest.hex(), self._tokens.now_ms() + COOKIE_LIFETIME_S * 1000)
        return Session(principal, self._cipher.encrypt(msgspec.json.encode(sealed)), bearer, BEARER_LIFETIME_S)
