"""`Idempotency-Key`s that several gateways share, in Redis 7 or Valkey."""

import asyncio
import time
from collections.abc import Iterable

import structlog
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import RedisError

from openfm.core.errors import Unavailable
from openfm.core.ledger import Attempt, KnownAttempt
from openfm.limits.key_store import REMEMBERED_S

log = structlog.get_logger(__name__)

_RETRY_S = 1.0


class RedisKeys:
    """Fulfils `KeyStore`. `known` are attempts that the ledger knew at the start, should Redis have lost them.

    A key is taken for a day at once, and released when its request came to nothing: what a crashed gateway had taken
    stays taken, for its request may have been billed.
    """

    def __init__(self, client: Redis, prefix: str, known: Iterable[KnownAttempt]) -> None:
        self._client = client
        self._prefix = f"{{{prefix}:limits}}:idempotency/"
        self._known = {one.attempt.key: one for one in known}

    async def take(self, one: Attempt, request_id: str) -> KnownAttempt | None:
        """See `KeyStore`. Raises `Unavailable` when Redis does not answer: nothing is done twice for want of it."""
        known = self._known.get(one.key)
        if known is not None and time.time() - known.at_s < REMEMBERED_S:
            return known
        found = await self._set(one, request_id)
        if found is None or found.request_id == request_id:  # our own: the first try had arrived all the same
            return None
        return found

    async def release(self, one: Attempt) -> None:
        """See `KeyStore`. Happens even if its caller is cancelled. Where Redis does not answer, the key stays taken."""
        try:
            await asyncio.shield(self._client.delete(self._prefix + one.key))
        except (RedisError, OSError) as error:
            log.warning("idempotency.not_released", error=str(error))

    async def _set(self, one: Attempt, request_id: str) -> KnownAttempt | None:
        try:
            try:
                return await self._set_once(one, request_id)
            except NotConnected:  # an idle connection that the server closed
                return await self._set_once(one, request_id)
        except (RedisError, OSError) as error:
            log.warning("idempotency.not_taken", error=str(error))
            raise Unavailable(
                "The store of the Idempotency-Keys does not answer, and no request is taken twice. Try again; if it "
                "lasts, tell an admin to look at the Redis server.",
                retry_after_s=_RETRY_S,
            ) from error

    async def _set_once(self, one: Attempt, request_id: str) -> KnownAttempt | None:
        """What was there; if nothing, it is ours now."""
        value = f"{one.body} {request_id}"
        found = await self._client.set(self._prefix + one.key, value, nx=True, get=True, ex=int(REMEMBERED_S))
        if found is None:
            return None
        body, holder = (found.decode() if isinstance(found, bytes) else str(found)).split(" ", 1)
        return KnownAttempt(Attempt(one.key, body), holder, time.time())
