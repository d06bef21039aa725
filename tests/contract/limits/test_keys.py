"""Both stores of `Idempotency-Key`s; and gateways that share one."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from openfm.core.errors import Unavailable
from openfm.core.ledger import Attempt, KnownAttempt
from openfm.limits.key_store import REMEMBERED_S, InProcessKeys, KeyStore
from openfm.limits.redis import RedisOptions, redis_counts
from tests.contract.limits.conftest import Clock
from tests.contract.limits.redis_server import RedisServer

ONE = Attempt("key", "body")
OTHER = Attempt("other key", "body")


@pytest.fixture(params=["in_process", "redis"])
async def keys(request: pytest.FixtureRequest, clock: Clock, prefix: str) -> AsyncIterator[KeyStore]:
    if request.param == "in_process":
        yield InProcessKeys(clock, [KnownAttempt(OTHER, "r0", clock.now - 10)])
        return
    known = [KnownAttempt(OTHER, "r0", time.time() - 10)]
    server: RedisServer = request.getfixturevalue("redis_server")
    async with redis_counts(server.url, RedisOptions(prefix), known) as counts:
        yield counts.keys


@pytest.fixture
async def gateways(redis_server: RedisServer, prefix: str) -> AsyncIterator[list[KeyStore]]:
    async with AsyncExitStack() as stack:
        opening = [redis_counts(redis_server.url, RedisOptions(prefix)) for _ in range(4)]
        yield [(await stack.enter_async_context(one)).keys for one in opening]


async def test_a_key_is_taken_once_and_then_who_has_it_is_told(keys: KeyStore) -> None:
    assert await keys.take(ONE, "r1") is None
    holder = await keys.take(Attempt(ONE.key, "another body"), "r2")
    assert holder is not None
    assert (holder.attempt, holder.request_id) == (ONE, "r1")


async def test_a_released_key_may_be_taken_again(keys: KeyStore) -> None:
    await keys.take(ONE, "r1")
    await keys.release(ONE)
    assert await keys.take(ONE, "r2") is None


async def test_what_the_ledger_knew_at_the_start_is_taken(keys: KeyStore) -> None:
    holder = await keys.take(OTHER, "r1")
    assert holder is not None
    assert holder.request_id == "r0"


async def test_keys_are_forgotten_after_a_day(clock: Clock) -> None:
    keys = InProcessKeys(clock)
    await keys.take(ONE, "r1")
    clock.now += REMEMBERED_S - 1
    assert await keys.take(ONE, "r2") is not None
    clock.now += 2
    assert await keys.take(ONE, "r3") is None


async def test_of_many_gateways_that_are_asked_at_once_one_takes_the_key(gateways: list[KeyStore]) -> None:
    asked = [gateway.take(ONE, f"r{number}") for number, gateway in enumerate(gateways * 8)]
    found = await asyncio.gather(*asked)
    assert found.count(None) == 1
    first = f"r{found.index(None)}"
    assert {holder.request_id for holder in found if holder is not None} == {first}


async def test_a_key_that_one_gateway_released_is_free_for_the_others(gateways: list[KeyStore]) -> None:
    await gateways[0].take(ONE, "r1")
    assert await gateways[1].take(ONE, "r2") is not None
    await gateways[0].release(ONE)
    assert await gateways[1].take(ONE, "r3") is None
    assert await gateways[0].take(ONE, "r4") is not None


async def test_without_redis_no_key_is_taken_and_its_request_refused(prefix: str) -> None:
    async with redis_counts("redis://127.0.0.1:1/0", RedisOptions(prefix)) as counts:
        for _ in range(2):  # and nothing stays behind that would call the second one a repetition
            with pytest.raises(Unavailable, match="Idempotency"):
                await counts.keys.take(ONE, "r1")
