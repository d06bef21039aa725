"""Counts that several gateways share, in Redis 7 or Valkey: one atomic script for each reservation and each settling.

Time is the server's own. A place for a concurrent request is a lease that is renewed: what a crashed gateway held is
free again when it ends. All keys are in one slot, as a script wants it: of a cluster, one shard holds them.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import RedisError

from openfm.core.errors import InvalidParameterValue, Unavailable
from openfm.core.ledger import KnownAttempt
from openfm.core.limits import Claim, Limit, Measure
from openfm.limits.budget_redis import RedisBudgets
from openfm.limits.key_redis import RedisKeys
from openfm.limits.redis_scripts import Argument, Scripts
from openfm.limits.store import PLACE_WAIT_S, Reservation, Verdict, refusal

log = structlog.get_logger(__name__)

_US = 1_000_000
_CONNECTIONS = 2
_TIMEOUT_S = 2.0
_RETRY_S = 1.0
_FIELDS = 4
_NOTHING = {Measure.INPUT_TOKENS: 0, Measure.OUTPUT_TOKENS: 0, Measure.TOKENS: 0}


@dataclass(frozen=True, slots=True)
class RedisOptions:
    """`prefix`: gateways with the same one share counts. `clock_us`: instead of the server's time, for simulations."""

    prefix: str = "openfm"
    lease_s: float = 30.0
    clock_us: Callable[[], int] | None = None


@asynccontextmanager
async def redis_limits(url: str, options: RedisOptions | None = None) -> AsyncIterator["RedisLimits"]:
    """The limits of `redis_counts` alone."""
    async with redis_counts(url, options) as counts:
        yield counts.limits


@asynccontextmanager
async def redis_counts(
    url: str, options: RedisOptions | None = None, known: Iterable[KnownAttempt] = ()
) -> AsyncIterator["RedisCounts"]:
    """Counts in the server at a URL as redis://host:6379/0 (rediss:// with TLS, unix:// for a socket).

    `known` are keys that were used before. Raises `InvalidParameterValue` for a URL of another kind.
    """
    options = options or RedisOptions()
    async with Redis(connection_pool=_pool(url)) as client:
        scripts = Scripts(client)
        limits = RedisLimits(scripts, options)
        keeping = asyncio.create_task(limits.keep())
        try:
            budgets = RedisBudgets(client, scripts, options.prefix)
            yield RedisCounts(limits, budgets, RedisKeys(client, options.prefix, known))
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping
            await limits.drain()
            await client.connection_pool.aclose()


def _pool(url: str) -> BlockingConnectionPool:
    # Tried again, a settling could give back twice; so the client must try nothing again by itself.
    try:
        return BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=_TIMEOUT_S,
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError:  # its text may show a part of the password
        raise InvalidParameterValue(
            "The URL of the limits cannot be read. Use redis://user:password@host:6379/0, rediss:// with TLS, or "
            "unix:///path/to/socket; write special characters of a password as %2F."
        ) from None


class RedisLimits:
    """Fulfils `LimitStore`. The scripts' client must try nothing again by itself. While requests run, `keep` must."""

    def __init__(self, scripts: Scripts, options: RedisOptions) -> None:
        self._options = options
        self._lease_us = int(options.lease_s * _US)
        self._scripts = scripts
        self._leases: set[tuple[str, str]] = set()

    async def reserve(self, claims: Sequence[Claim]) -> Reservation:
        """See `LimitStore`. Raises `Unavailable` when Redis does not answer: nothing is served unlimited."""
        try:
            try:
                return await self._reserve_once(claims)
            except NotConnected:  # an idle connection that the server closed; at worst both tries are taken
                return await self._reserve_once(claims)
        except (RedisError, OSError) as error:
            log.warning("limits.not_reserved", error=str(error))
            raise Unavailable(
                "The store of the limits does not answer, and nothing is served without them. Try again; if it lasts, "
                "tell an admin to look at the Redis server.",
                retry_after_s=_RETRY_S,
            ) from error

    async def settle(self, reservation: Reservation, used: Mapping[Measure, int]) -> None:
        """See `LimitStore`. Happens even if its caller is cancelled. Where Redis does not answer, all stays taken."""
        settling = self._settling(reservation, used)
        if settling is not None:
            await self._told(settling)

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
        arguments = [self._now(), self._lease_us, *leases]
        await self._told(self._scripts.call("renew", [self._key("clock"), *keys], arguments))

    async def drain(self) -> None:
        """Wait until everything that was settled has arrived."""
        await self._scripts.drain()

    async def _reserve_once(self, claims: Sequence[Claim]) -> Reservation:
        lease, keys = uuid.uuid4().hex, self._keys(claims)
        arguments: list[Argument] = [self._now(), lease, self._lease_us]
        for claim in claims:
            arguments += [_kind(claim.limit), claim.limit.amount, claim.amount, _span_us(claim.limit)]
        asked = self._scripts.call("reserve", keys, arguments)
        try:
            answer = await asyncio.shield(asked)
        except asyncio.CancelledError:
            asked.add_done_callback(partial(self._undo, claims, lease))
            raise
        return self._admitted(claims, lease, answer)

    def _admitted(self, claims: Sequence[Claim], lease: str, answer: Sequence[int]) -> Reservation:
        parts = [answer[n : n + _FIELDS] for n in range(1, len(answer), _FIELDS)]
        verdicts = [_verdict(claim, part) for claim, part in zip(claims, parts, strict=True)]
        if not answer[0]:
            raise refusal(verdicts)
        self._leases.update((self._count(claim), lease) for claim in claims if _is_place(claim.limit))
        marks = [lease if _is_place(claim.limit) else part[-1] for claim, part in zip(claims, parts, strict=True)]
        return Reservation(claims, marks, [verdict.standing(verdict.claim.amount) for verdict in verdicts])

    def _undo(self, claims: Sequence[Claim], lease: str, asked: asyncio.Future[list[int]]) -> None:
        """The client left while we asked; nothing else knows of what was taken."""
        if not asked.cancelled() and asked.exception() is None and asked.result()[0]:
            self._settling(self._admitted(claims, lease, asked.result()), _NOTHING)

    def _settling(self, reservation: Reservation, used: Mapping[Measure, int]) -> asyncio.Future[list[int]] | None:
        """Under way; None where there is nothing to do."""
        arguments: list[Argument] = [self._now(), ""]
        is_due = False
        for claim, mark in zip(reservation.claims, reservation.marks, strict=True):
            limit = claim.limit
            if _is_place(limit):
                arguments[1] = mark
                self._leases.discard((self._count(claim), str(mark)))
                arguments += ["c", 0, 0, 0]
                is_due = True
                continue
            rest = claim.amount - used.get(limit.measure, claim.amount)
            is_due = is_due or rest != 0
            arguments += ["w", mark, rest, _span_us(limit)]
        keys = self._keys(reservation.claims)
        return self._scripts.call("settle", keys, arguments) if is_due else None

    async def _told(self, telling: asyncio.Future[list[int]]) -> None:
        try:
            await asyncio.shield(telling)
        except (RedisError, OSError) as error:
            log.warning("limits.not_told", error=str(error))

    def _keys(self, claims: Sequence[Claim]) -> list[str]:
        return [self._key("clock"), *(self._count(claim) for claim in claims)]

    def _count(self, claim: Claim) -> str:
        return self._key(f"count/{claim.key}")

    def _key(self, name: str) -> str:
        return f"{{{self._options.prefix}:limits}}:{name}"

    def _now(self) -> str | int:
        return "" if self._options.clock_us is None else self._options.clock_us()


@dataclass(frozen=True, slots=True)
class RedisCounts:
    """All that gateways count together."""

    limits: RedisLimits
    budgets: RedisBudgets
    keys: RedisKeys


def _is_place(limit: Limit) -> bool:
    return limit.measure is Measure.CONCURRENCY


def _kind(limit: Limit) -> str:
    return "c" if _is_place(limit) else "w"


def _span_us(limit: Limit) -> int:
    return (limit.window_s or 0) * _US


def _verdict(claim: Claim, answer: Sequence[int]) -> Verdict:
    used, wait_us, reset_us, _ = answer
    return Verdict(claim, used, PLACE_WAIT_S if _is_place(claim.limit) else wait_us / _US, reset_us / _US)
