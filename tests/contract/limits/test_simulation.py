"""Arrivals, endings, crashes, clock steps at random: no window above its limit, true waits, little left unused."""

import asyncio
import itertools
import random
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from openfm.core.errors import RateLimited
from openfm.core.limits import Claim, Limit, Measure
from openfm.limits.in_process import InProcessLimits
from openfm.limits.redis import RedisLimits, RedisOptions, redis_limits
from openfm.limits.store import LimitStore
from tests.contract.limits.conftest import Clock
from tests.contract.limits.redis_server import RedisServer
from tests.contract.limits.simulation import LEASE_S, LIMITS, Crowd, World, amounts_of, operate

_NUMBERS = itertools.count()


async def nothing(_store: LimitStore) -> None:
    """Counts in a process hold no leases."""


async def renewed(store: LimitStore) -> None:
    assert isinstance(store, RedisLimits)
    await store.renew()


class Machine(RuleBasedStateMachine):
    """One gateway that counts by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()

    @initialize()
    def begin(self) -> None:
        clock = Clock()
        self.world = World(clock, [InProcessLimits(clock)], nothing)

    @rule(
        gateway=st.integers(0, 7),
        names=st.lists(st.sampled_from(list(LIMITS)), min_size=1, unique=True),
        tokens=st.integers(0, 700),
        is_patient=st.booleans(),
    )
    def ask(self, gateway: int, names: list[str], tokens: int, is_patient: bool) -> None:  # noqa: FBT001  # drawn
        amounts = amounts_of(names, tokens)
        wait_s = self.runner.run(self.world.ask(gateway, amounts))
        if wait_s is None or not is_patient or "places" in names:
            return
        assert wait_s > 0
        self.runner.run(self.world.advance(wait_s))
        assert self.runner.run(self.world.ask(gateway, amounts)) is None, "the wait was not true"

    @rule(which=st.integers(0, 100), share=st.sampled_from([0.0, 0.3, 1.0, 1.0, 1.2]))
    def end(self, which: int, share: float) -> None:
        self.runner.run(self.world.end(which, share))

    @rule(seconds=st.one_of(st.floats(0, 2), st.floats(0, 120), st.just(0.5), st.just(60.0)))
    def advance(self, seconds: float) -> None:
        self.runner.run(self.world.advance(seconds))

    @rule(seconds=st.floats(0, 7200))
    def step_back(self, seconds: float) -> None:
        self.world.step_back(seconds)

    def teardown(self) -> None:
        self.runner.close()


class SharedMachine(Machine):
    """Up to eight gateways that count in one Redis, and crash."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.stack = AsyncExitStack()

    @initialize(gateways=st.sampled_from([1, 2, 8]))
    def begin_shared(self, gateways: int) -> None:
        self.prefix = f"simulated{next(_NUMBERS)}"
        self.clock = Clock()
        stores: list[LimitStore] = [self.new_gateway() for _ in range(gateways)]
        self.world = World(self.clock, stores, renewed)

    def begin(self) -> None:
        """Begun by the other."""

    def new_gateway(self) -> RedisLimits:
        options = RedisOptions(self.prefix, LEASE_S, lambda: self.clock.us)
        return self.runner.run(self.stack.enter_async_context(redis_limits(self.url, options)))

    @rule(gateway=st.integers(0, 7))
    def crash(self, gateway: int) -> None:
        self.runner.run(self.world.crash(gateway, self.new_gateway()))

    def teardown(self) -> None:
        self.runner.run(self.stack.aclose())
        super().teardown()


def test_one_gateway_keeps_its_limits_whatever_happens() -> None:
    run_state_machine_as_test(Machine, settings=settings(max_examples=60, stateful_step_count=60))


def test_gateways_together_keep_their_limits_whatever_happens(redis_server: RedisServer) -> None:
    SharedMachine.url = redis_server.url
    run_state_machine_as_test(SharedMachine, settings=settings(max_examples=15, stateful_step_count=50))


@pytest.mark.parametrize("seeds", [range(4), pytest.param(range(4, 40), marks=pytest.mark.slow)])
async def test_a_million_operations_keep_the_limits(seeds: range) -> None:
    for seed in seeds:
        chance, clock = random.Random(seed), Clock()  # noqa: S311  # a simulation, as below
        world = World(clock, [InProcessLimits(clock)], nothing)
        for _ in range(25_000):
            await operate(world, chance)
        assert min(world.admitted, world.refused) > 2000


@pytest.mark.parametrize("gateways", [1, 4, 8])
async def test_thousands_of_operations_keep_shared_limits(
    redis_server: RedisServer, prefix: str, gateways: int
) -> None:
    chance, clock = random.Random(gateways), Clock()  # noqa: S311
    options = RedisOptions(prefix, LEASE_S, lambda: clock.us)
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(redis_limits(redis_server.url, options)) for _ in range(gateways)]
        world = World(clock, list(stores), renewed)
        for number in range(5000):
            await operate(world, chance)
            if number % 500 == 0:
                reborn = await stack.enter_async_context(redis_limits(redis_server.url, options))
                await world.crash(chance.randrange(8), reborn)
    assert min(world.admitted, world.refused) > 500


@dataclass(frozen=True, slots=True)
class Admission:
    """A request that was admitted at some time between these."""

    asked: float
    answered: float


@pytest.mark.parametrize("gateways", [1, 8])
async def test_on_the_servers_own_time_gateways_use_nearly_all_and_never_more(
    redis_server: RedisServer, prefix: str, gateways: int
) -> None:
    each = Limit("all callers", Measure.REQUESTS, 1000, 1)
    admitted: list[Admission] = []
    loop = asyncio.get_running_loop()
    end = loop.time() + 2.5

    async def client(store: RedisLimits) -> None:
        while (asked := loop.time()) < end:
            try:
                await store.reserve([Claim("all", each, 1)])
            except RateLimited as refusal:
                await asyncio.sleep(refusal.retry_after_s or 0)
            else:
                admitted.append(Admission(asked, loop.time()))

    async with AsyncExitStack() as stack:
        opening = [redis_limits(redis_server.url, RedisOptions(prefix)) for _ in range(gateways)]
        stores = [await stack.enter_async_context(one) for one in opening]
        await asyncio.gather(*(client(stores[n % gateways]) for n in range(64)))
    for first in admitted[::50]:
        surely_within = [one for one in admitted if first.asked <= one.asked and one.answered < first.asked + 1]
        assert len(surely_within) <= each.amount
    # Every window's worth comes as soon as it may: the third begins two windows after the first.
    two_windows = admitted[2 * each.amount].asked - admitted[0].asked
    told(f"{gateways} gateways on one Redis use {2 / two_windows:.1%} of the limit, at the server's own time")
    assert two_windows < 2.5


async def test_a_thousand_clients_use_nearly_all_of_a_limit_on_tokens() -> None:
    clock = Clock(0.0)
    limit = Limit("all callers", Measure.TOKENS, 100_000, 60)
    crowd = Crowd(InProcessLimits(clock), limit, clock, random.Random(1))  # noqa: S311
    await crowd.run(1000, until=661)
    share = sum(tokens for at, tokens in crowd.used if at >= 60) / (limit.amount * 601 / 60)
    told(f"1,000 clients use {share:.1%} of {limit.amount:,} tokens per minute, of which each reserves twice as many")
    assert 0.97 < share <= 1


def told(what: str) -> None:
    """Figures are part of the result."""
    sys.stdout.write(f"\n{what}\n")
