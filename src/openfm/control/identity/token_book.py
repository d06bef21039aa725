"""Bearer tokens in memory, by their SHA-256: what the gateway's `TokenVerifier` reads on every request."""

import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from openfm.control.identity.well_known import ADMIN_ID, ADMIN_NAME, ADMINS, USERS
from openfm.core.principal import Principal

ADMIN = Principal(id=ADMIN_ID, name=ADMIN_NAME, is_admin=True, groups=frozenset({ADMINS, USERS}))
"""The bootstrap admin, whose token is in HOME/admin-token."""


_SESSION_PREFIX = "ofmui"


@dataclass(frozen=True, slots=True)
class KnownToken:
    """A token's owner, and when it ends: ms since the epoch, None for never."""

    owner: Principal
    expires_at: int | None


@dataclass(frozen=True, slots=True)
class _Session:
    """Stands for a token, by its hash, until it ends: ms since the epoch."""

    digest: bytes
    ends_at: int


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


class TokenBook:
    """Token hash -> owner. Tokens are 256-bit random, so a plain hash neither leaks nor can be guessed.

    `fixed` are tokens that are in no database, by themselves. Nothing here waits; `verify` may be called in any thread.
    """

    def __init__(self, fixed: Mapping[str, Principal], now_ms: Callable[[], int] = _wall_ms) -> None:
        self._fixed = {hash_token(token): KnownToken(owner, None) for token, owner in fixed.items()}
        self._now_ms = now_ms
        self._known: dict[bytes, KnownToken] = dict(self._fixed)
        self._used: dict[str, int] = {}
        self._sessions: dict[bytes, _Session] = {}

    def verify(self, token: str) -> Principal | None:
        """The token's owner, or None for a token that is unknown, revoked or expired."""
        digest, now_ms = hash_token(token), self._now_ms()
        session = self._sessions.get(digest)
        if session is None:
            return self._owner(digest, now_ms)
        return self._owner(session.digest, now_ms) if now_ms < session.ends_at else None

    def now_ms(self) -> int:
        """The time by which tokens end: ms since the epoch."""
        return self._now_ms()

    def open_session(self, digest: bytes, lifetime_s: int) -> tuple[Principal, str] | None:
        """A token that stands for the one of this hash for a while, and its owner; None where that one has ended.

        Only this process knows it, and it ends with the one it stands for.
        """
        now_ms = self._now_ms()
        owner = self._owner(digest, now_ms)
        if owner is None:
            return None
        for past in [key for key, session in tuple(self._sessions.items()) if session.ends_at <= now_ms]:
            self._sessions.pop(past, None)
        value = _SESSION_PREFIX + secrets.token_hex(32)
        self._sessions[hash_token(value)] = _Session(digest, now_ms + lifetime_s * 1000)
        return owner, value

    def close_session(self, value: str) -> None:
        """End a session's token; any other is left alone."""
        self._sessions.pop(hash_token(value), None)

    def _owner(self, digest: bytes, now_ms: int) -> Principal | None:
        known = self._known.get(digest)
        if known is None or (known.expires_at is not None and now_ms >= known.expires_at):
            return None
        if known.owner.token_id is not None:
            self._used[known.owner.token_id] = now_ms
        return known.owner

    def put(self, stored: Mapping[bytes, KnownToken]) -> None:
        """These are the database's tokens now, by their hash."""
        self._known = {**stored, **self._fixed}

    def add(self, tokens: Mapping[bytes, KnownToken]) -> None:
        """Know these too, by their hash, without reading all the others again."""
        self._known.update(tokens)

    def note_used(self, used: Mapping[str, int]) -> None:
        """Tokens were used elsewhere: id -> ms since the epoch."""
        for token_id, used_ms in used.items():
            self._used[token_id] = max(used_ms, self._used.get(token_id, 0))

    def take_used(self) -> Mapping[str, int]:
        """When tokens were used since the last call: id -> ms since the epoch."""
        return {token_id: self._used.pop(token_id) for token_id in tuple(self._used)}


def hash_token(token: str) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).digest()
