"""Reservations of budgets that several gateways share, in Redis 7 or Valkey: one hash, one atomic script a step."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager

import structlog
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import RedisError

from openfm.core.budget import BudgetAction, BudgetClaim
from openfm.core.errors import Unavailable
from openfm.core.price import MICRO
from openfm.limits.budget_store import Booked, start_of
from openfm.limits.redis_scripts import Argument, Scripts

log = structlog.get_logger(__name__)

_RETRY_S = 1.0
_MOST_AT_ONCE = 500
_PAGE = 1000


class RedisBudgets:
    """Fulfils `BudgetStore`. `client` must try nothing again by itself."""

    def __init__(self, client: Redis, scripts: Scripts, prefix: str) -> None:
        self._client = client
        self._scripts = scripts
        self._key = f"{{{prefix}:limits}}:budgets"

    async def take(self, request_id: str, claims: Sequence[BudgetClaim], now_us: int) -> None:
        """See `BudgetStore`. Raises `Unavailable` when Redis does not answer: nothing is spent uncounted."""
        arguments: list[Argument] = [request_id, now_us]
        for claim in claims:
            is_stop = claim.budget.action is BudgetAction.STOP
            arguments += [claim.key, int(is_stop), *_parts(claim.budget.amount_pico), *_parts(claim.amount_pico)]
            arguments += [claim.spent.number, *_parts(claim.spent.pico)]
        try:
            try:
                answer = await self._call("budget_take", arguments)
            except NotConnected:  # an idle connection that the server closed; taken twice it is taken once
                answer = await self._call("budget_take", arguments)
        except asyncio.CancelledError:  # the client left while we asked; nothing else knows of what is held
            self._scripts.call("budget_settle", [self._key], [request_id])
            raise
        except (RedisError, OSError) as error:
            log.warning("budgets.not_reserved", error=str(error))
            raise _unavailable() from error
        if not answer[0]:
            _, which, high, low = answer
            raise claims[which].refusal(high * MICRO + low, now_us)

    async def settle(self, request_id: str, costs: Mapping[str, int]) -> None:
        """See `BudgetStore`. Where Redis does not answer all stays held, until the ledger's row is counted."""
        arguments: list[Argument] = [request_id]
        for key, cost in costs.items():
            arguments += [key, *_parts(cost)]
        try:
            await self._call("budget_settle", arguments)
        except (RedisError, OSError) as error:
            log.warning("budgets.not_told", error=str(error))

    async def book(self, booked: Booked) -> None:
        """See `BudgetStore`. Raises `Unavailable`; done again it changes nothing."""
        spent: list[Argument] = []
        for key, one in booked.spent.items():
            spent += [key, one.number, *_parts(one.pico)]
        ids = list(booked.request_ids)
        with _explained():
            await self._call("budget_book", [len(booked.spent), *spent])
            for start in range(0, len(ids), _MOST_AT_ONCE):
                await self._call("budget_book", [0, *ids[start : start + _MOST_AT_ONCE]])

    async def held_since(self, before_us: int) -> Sequence[str]:
        """See `BudgetStore`. Raises as `book`."""
        with _explained():
            return [name async for name, value in self._fields("r/") if int(value.split(maxsplit=1)[0]) < before_us]

    async def forget(self, before_us: int) -> None:
        """See `BudgetStore`. Raises as `book`."""
        with _explained():
            held = {key async for key, _ in self._fields("h/")}
            old = [f"s/{key}" async for key, _ in self._fields("s/") if start_of(key) < before_us and key not in held]
            if old:
                await self._client.hdel(self._key, *old)

    async def held_pico(self, key: str) -> int:
        """What is held of it."""
        found = {name: value async for name, value in self._fields("h/")}.get(key, "0 0")
        high, low = found.split()
        return int(high) * MICRO + int(low)

    async def _call(self, name: str, arguments: Sequence[Argument]) -> list[int]:
        """Happens even if its caller is cancelled."""
        return await asyncio.shield(self._scripts.call(name, [self._key], arguments))

    async def _fields(self, kind: str) -> AsyncIterator[tuple[str, str]]:
        async for name, value in self._client.hscan_iter(self._key, match=f"{kind}*", count=_PAGE):
            yield _text(name).removeprefix(kind), _text(value)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        raise _unavailable() from error


def _unavailable() -> Unavailable:
    return Unavailable(
        "The store of the budgets does not answer, and nothing is served without them. Try again; if it lasts, tell an "
        "admin to look at the Redis server.",
        retry_after_s=_RETRY_S,
    )


def _parts(pico: int) -> tuple[int, int]:
    return divmod(pico, MICRO)


def _text(raw: bytes | str) -> str:
    return raw.decode() if isinstance(raw, bytes) else raw
