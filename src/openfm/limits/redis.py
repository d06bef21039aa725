"""Counts that several gateways share, in Redis 7 or Valkey: one atomic script for each reservation and each settling.

Time is the server's own. A place for a concurrent request is a lease that is renewed: what a crashed gateway held is
free again when it ends. All keys are in one slot, as a script wants it: of a cluster, one shard holds them.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib import resources
from typing import cast

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import RedisError

from openfm.core.errors import Unavailable
from openfm.core.limits import Claim, Limit, Measure
from openfm.limits.store import PLACE_WAIT_S, Reservation, Taken, Verdict, refusal

log = structlog.get_logger(__name__)

_US = 1_000_000
_CONNECTIONS = 32
_TIMEOUT_S = 2.0
_RETRY_S = 1.0


@dataclass(frozen=True, slots=True)
class RedisOptions:
    """`prefix`: gateways with the same one share counts. `clock_us`: instead of the server's time, for simulations."""

    prefix: str = "openfm"
    lease_s: float = 30.0
    clock_us: Callable[[], int] | None = None


@asynccontextmanager
async def redis_limits(url: str, options: RedisOptions | None = None) -> AsyncIterator["RedisLimits"]:
    """Counts in the server at a URL as redis://host:6379/0 (rediss:// with TLS, unix:// for a socket)."""
    # Tried again, a settling could give back twice; so the client must try nothing again by itself.
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=_CONNECTIONS,
        timeout=_TIMEOUT_S,
        socket_timeout=_TIMEOUT_S,
        socket_connect_timeout=_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )
    async with Redis(connection_pool=pool) as client:
        limits = RedisLimits(client, options or RedisOptions())
        keeping = asyncio.create_task(limits.keep())
        try:
            yield limits
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping
            await limits.drain()
    await pool.aclose()


class RedisLimits:
    """Fulfils `LimitStore`. `client` must try nothing again by itself. While requests run, `keep` must."""

    def __init__(self, client: Redis, options: RedisOptions) -> None:
        self._options = options
        self._lease_us = int(options.lease_s * _US)
        self._reserve, self._settle, self._renew = (_script(client, name) for name in ("reserve", "settle", "renew"))
        self._leases: set[tuple[str, str]] = set()
        self._settling: set[asyncio.Task[None]] = set()

    async def reserve(self, claims: Sequence[Claim]) -> Reservation:
        """See `LimitStore`. Raises `Unavailable` when Redis does not answer: nothing is served unlimited."""
        lease = uuid.uuid4().hex
        keys = self._keys(claims)
        arguments: list[str | int] = [self._now(), lease, self._lease_us]
        for claim in claims:
            arguments += [_kind(claim.limit), claim.limit.amount, claim.amount, _span_us(claim.limit)]
        answer = await self._asked(self._reserve, keys, arguments)
        verdicts = [_verdict(claim, answer[1 + 4 * n : 5 + 4 * n]) for n, claim in enumerate(claims)]
        if not answer[0]:
            raise refusal(verdicts)
        for claim, key in zip(claims, keys[1:], strict=True):
            if claim.limit.measure is Measure.CONCURRENCY:
                self._leases.add((key, lease))
        taken = tuple(
            Taken(claim, lease if claim.limit.measure is Measure.CONCURRENCY else answer[4 + 4 * n])
            for n, claim in enumerate(claims)
        )
        return Reservation(taken, tuple(verdict.standing(verdict.claim.amount) for verdict in verdicts))

    async def settle(self, reservation: Reservation, used: Mapping[Measure, int]) -> None:
        """See `LimitStore`. Ends also where its caller is cancelled. Where Redis does not answer, all stays taken."""
        settling = asyncio.create_task(self._give_back(reservation, used))
        self._settling.add(settling)
        settling.add_done_callback(self._settling.discard)
        await asyncio.shield(settling)

    async def keep(self) -> None:
        """Renew the leases of requests under way, until cancelled."""
        while True:
            await asyncio.sleep(self._options.lease_s / 3)
            await self.renew()

    async def renew(self) -> None:
        """Renew them now."""
        if not self._leases:
            return
        keys, leases = zip(*self._leases, strict=True)
        try:
            await _run(self._renew, [self._key("clock"), *keys], [self._now(), self._lease_us, *leases])
        except (RedisError, OSError) as error:
            log.warning("limits.not_renewed", error=str(error))

    async def drain(self) -> None:
        """Wait until everything that was settled has arrived."""
        await asyncio.gather(*self._settling)

    async def _give_back(self, reservation: Reservation, used: Mapping[Measure, int]) -> None:
        claims = [one.claim for one in reservation.taken]
        keys = self._keys(claims)
        arguments: list[str | int] = [self._now(), ""]
        is_due = False
        for one, key in zip(reservation.taken, keys[1:], strict=True):
            limit = one.claim.limit
            if limit.measure is Measure.CONCURRENCY:
                arguments[1] = one.mark
                self._leases.discard((key, str(one.mark)))
                arguments += ["c", 0, 0, 0]
                is_due = True
                continue
            rest = one.claim.amount - used.get(limit.measure, one.claim.amount)
            is_due = is_due or rest != 0
            arguments += ["w", one.mark, rest, _span_us(limit)]
        if not is_due:
            return
        try:
            await _run(self._settle, keys, arguments)
        except (RedisError, OSError) as error:
            log.warning("limits.not_settled", error=str(error))

    async def _asked(self, script: AsyncScript, keys: Sequence[str], arguments: Sequence[str | int]) -> list[int]:
        try:
            try:
                answer = await _run(script, keys, arguments)
            except NotConnected:  # an idle connection that the server closed; at worst the first try is taken twice
                answer = await _run(script, keys, arguments)
        except (RedisError, OSError) as error:
            log.warning("limits.not_reserved", error=str(error))
            raise Unavailable(
                "The store of the limits does not answer, and nothing is served without them. Try again; if it lasts, "
                "tell an admin to look at the Redis server.",
                retry_after_s=_RETRY_S,
            ) from error
        return answer

    def _keys(self, claims: Sequence[Claim]) -> list[str]:
        return [self._key("clock"), *(self._key(f"count/{claim.key}") for claim in claims)]

    def _key(self, name: str) -> str:
        return f"{{{self._options.prefix}:limits}}:{name}"

    def _now(self) -> str | int:
        return "" if self._options.clock_us is None else self._options.clock_us()


async def _run(script: AsyncScript, keys: Sequence[str], arguments: Sequence[str | int]) -> list[int]:
    answer = cast("Awaitable[list[int]]", script(keys, arguments))
    return await answer


def _script(client: Redis, name: str) -> AsyncScript:
    folder = resources.files("openfm.limits")
    text = "".join((folder / f"{part}.lua").read_text() for part in ("windows", name))
    return client.register_script(text)


def _kind(limit: Limit) -> str:
    return "c" if limit.measure is Measure.CONCURRENCY else "w"


def _span_us(limit: Limit) -> int:
    return (limit.window_s or 0) * _US


def _verdict(claim: Claim, answer: Sequence[int]) -> Verdict:
    used, wait_us, reset_us, _ = answer
    wait_s = PLACE_WAIT_S if claim.limit.measure is Measure.CONCURRENCY else wait_us / _US
    return Verdict(claim, used, wait_s, reset_us / _US)
