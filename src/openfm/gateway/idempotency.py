"""`Idempotency-Key`: one generation and one charge for each key, however often its request is sent."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from openfm.core.errors import Conflict, InvalidRequest, Unprocessable
from openfm.core.ledger import Attempt
from openfm.gateway.asgi import Header
from openfm.limits.key_store import KeyStore

_LONGEST = 255


def key_in(headers: Iterable[Header]) -> str | None:
    """The key that a client sent, if it did. Raises `InvalidRequest` for one that is none."""
    given = [value for name, value in headers if name == b"idempotency-key"]
    if not given:
        return None
    key = given[0].decode("latin-1")
    if len(given) > 1 or not 0 < len(key) <= _LONGEST or not (key.isascii() and key.isprintable()):
        raise InvalidRequest(
            f"Idempotency-Key must be sent once, and be 1 to {_LONGEST} printable ASCII characters, such as a UUID."
        )
    return key


def attempt(principal_id: str, endpoint_id: str, key: str, body: bytes) -> Attempt:
    """What is remembered of a request with that key: hashes, for a key may say more than it should."""
    scope = f"{principal_id}\0{endpoint_id}\0{key}".encode()
    return Attempt(hashlib.sha256(scope).hexdigest(), hashlib.sha256(body).hexdigest())


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """A JSON answer as it was sent. `served_entity` gave it."""

    request_id: str
    served_entity: str
    body: bytes


class Replays(Protocol):
    """Keeps answers for those who send a request again. What cannot be kept or read is not there: no errors."""

    async def keep(self, one: Attempt, answer: KeptAnswer) -> None:
        """Keep it for as long as its key is remembered."""
        ...

    async def find(self, one: Attempt) -> KeptAnswer | None:
        """What was kept for the same key and body."""
        ...


class NoReplays:
    """Nothing is kept."""

    async def keep(self, one: Attempt, answer: KeptAnswer) -> None:
        """See `Replays.keep`."""

    async def find(self, one: Attempt) -> KeptAnswer | None:
        """See `Replays.find`."""


class AlreadyTaken(Conflict):
    """The same request, with the same key, was taken before."""

    def __init__(self, message: str, one: Attempt) -> None:
        super().__init__(message)
        self.one = one


_NO_REPLAYS = NoReplays()


class Attempts:
    """Requests by key. `replays` keeps the answers of endpoints that want it."""

    def __init__(self, keys: KeyStore, replays: Replays = _NO_REPLAYS) -> None:
        self.replays = replays
        self._keys = keys

    async def begin(self, one: Attempt, request_id: str) -> None:
        """Remember the request.

        Raises `AlreadyTaken` for one that was sent before, `Unprocessable` if that was another, and what the store
        does.
        """
        known = await self._keys.take(one, request_id)
        if known is None:
            return
        if known.attempt.body != one.body:
            raise Unprocessable(
                f"This Idempotency-Key was sent with another body before (request id {known.request_id}). Send a new "
                "key with a new request."
            )
        raise AlreadyTaken(
            f"The request with this Idempotency-Key was taken before (request id {known.request_id}): it runs, or was "
            "answered and billed. For another answer send another key.",
            one,
        )

    async def forget(self, one: Attempt) -> None:
        """The request came to nothing, and cost nothing: it may be sent again."""
        await self._keys.release(one)
