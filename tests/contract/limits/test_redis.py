"""What a shared store must do beyond any store's duty: leases, servers that go and come back, clients that leave."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import pytest
from redis.asyncio import Redis

from openfm.core.errors import RateLimited, Unavailable
from openfm.core.limits import Claim, Limit, Measure
from openfm.limits.redis import RedisLimits, RedisOptions, redis_limits
from tests.contract.limits.conftest import Clock
from tests.contract.limits.redis_server import RedisServer, running_redis

TOKENS = Limit("ann", Measure.TOKENS, 100, 60)
PLACES = Limit("ann", Measure.CONCURRENCY, 1, None)


def claim(limit: Limit, amount: int = 1) -> Claim:
    return Claim(f"ann/{limit.measure}", limit, amount)


@pytest.fixture
async def two(redis_server: RedisServer, prefix: str, clock: Clock) -> AsyncIterator[Sequence[RedisLimits]]:
    """Two gateways on one server."""
    options = RedisOptions(prefix, lease_s=30, clock_us=lambda: clock.us)
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(redis_limits(redis_server.url, options)) for _ in range(2)]


async def test_gateways_share_what_they_count(two: Sequence[RedisLimits]) -> None:
    reservation = await two[0].reserve([claim(TOKENS, 60), claim(PLACES)])
    with pytest.raises(RateLimited, match="60 are used"):
        await two[1].reserve([claim(TOKENS, 41)])
    await two[0].settle(reservation, {Measure.TOKENS: 10})
    await two[1].reserve([claim(TOKENS, 90), claim(PLACES)])


async def test_a_crashed_gateways_places_are_free_when_its_leases_end(two: Sequence[RedisLimits], clock: Clock) -> None:
    await two[0].reserve([claim(PLACES)])
    clock.now += 29
    with pytest.raises(RateLimited):
        await two[1].reserve([claim(PLACES)])
    clock.now += 1
    await two[1].reserve([claim(PLACES)])


async def test_a_long_request_keeps_its_place_while_its_gateway_lives(two: Sequence[RedisLimits], clock: Clock) -> None:
    reservation = await two[0].reserve([claim(PLACES)])
    for _ in range(10):
        clock.now += 10
        await two[0].renew()
        with pytest.raises(RateLimited):
            await two[1].reserve([claim(PLACES)])
    await two[0].settle(reservation, {})
    await two[0].renew()
    await two[1].reserve([claim(PLACES)])


async def test_a_client_that_leaves_while_we_ask_takes_nothing(two: Sequence[RedisLimits]) -> None:
    asking = [asyncio.create_task(two[0].reserve([claim(TOKENS, 50), claim(PLACES)])) for _ in range(3)]
    await asyncio.sleep(0)
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    await two[0].drain()
    await two[1].reserve([claim(TOKENS, 100), claim(PLACES)])


async def test_what_was_not_used_comes_back_though_the_request_is_cancelled(two: Sequence[RedisLimits]) -> None:
    reservation = await two[0].reserve([claim(TOKENS, 100)])
    settling = asyncio.create_task(two[0].settle(reservation, {Measure.TOKENS: 0}))
    await asyncio.sleep(0)
    settling.cancel()
    await asyncio.gather(settling, return_exceptions=True)
    await two[0].drain()
    await two[1].reserve([claim(TOKENS, 100)])


async def test_a_server_that_forgot_the_scripts_is_taught_again(
    two: Sequence[RedisLimits], redis_server: RedisServer
) -> None:
    reservation = await two[0].reserve([claim(TOKENS, 100)])
    async with Redis.from_url(redis_server.url) as client:
        await client.script_flush()
    await two[0].settle(reservation, {Measure.TOKENS: 0})
    await two[0].reserve([claim(TOKENS, 100)])


async def test_idle_counts_are_forgotten(redis_server: RedisServer, prefix: str) -> None:
    each = Limit("ann", Measure.REQUESTS, 5, 1)
    async with redis_limits(redis_server.url, RedisOptions(prefix, lease_s=1)) as limits:
        await limits.reserve([claim(each), claim(TOKENS), claim(PLACES)])
        async with Redis.from_url(redis_server.url) as client:
            keys = [key async for key in client.scan_iter(f"*{prefix}:limits*") if b"clock" not in key]
            lives = sorted([await client.pttl(key) for key in keys])
    assert len(lives) == 3
    assert 0 < lives[0] <= lives[1] <= 2020
    assert 2020 < lives[2] <= 62_000


async def test_a_lost_connection_is_made_anew_and_without_the_server_nothing_is_admitted() -> None:
    with running_redis() as server:
        url = server.url
        async with redis_limits(url) as limits:
            reservation = await limits.reserve([claim(TOKENS, 10)])
            async with Redis.from_url(url) as client:
                await client.client_kill_filter(_type="normal", skipme=True)
            await limits.reserve([claim(TOKENS, 10)])
            async with Redis.from_url(url) as client:
                await client.shutdown(nosave=True)
            with pytest.raises(Unavailable, match="tell an admin"):
                await limits.reserve([claim(TOKENS, 10)])
            await limits.settle(reservation, {Measure.TOKENS: 0})
