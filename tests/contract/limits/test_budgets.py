"""Budgets are never passed: both stores against a count of our own, with crashes, retries and jumps of the clock."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from openfm.core.budget import Budget, BudgetAction, BudgetClaim, BudgetPeriod, BudgetScope, Spent
from openfm.core.errors import BudgetExceeded
from openfm.limits.budget_redis import RedisBudgets
from openfm.limits.budget_store import Booked, BudgetStore, InProcessBudgets
from openfm.limits.redis import RedisOptions, redis_counts
from tests.contract.limits.budget_world import AMOUNT, World
from tests.contract.limits.redis_server import RedisServer

NOON_US = 1_795_000_000_000_000
DAY_US = 24 * 3600 * 1_000_000
KEPT_US = 62 * DAY_US


@pytest.fixture(params=["in_process", "redis"])
async def budgets(request: pytest.FixtureRequest, prefix: str) -> AsyncIterator[BudgetStore]:
    if request.param == "in_process":
        yield InProcessBudgets()
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    async with redis_counts(server.url, RedisOptions(prefix)) as found:
        yield found.budgets


UNKNOWN = Spent(0, 0)


def claim(
    amount: int, budget: int = 100, spent: Spent = UNKNOWN, action: BudgetAction = BudgetAction.STOP
) -> BudgetClaim:
    one = Budget("b", "team", BudgetScope.ALL, budget, "USD", BudgetPeriod.DAY, action)
    return BudgetClaim(one, BudgetPeriod.DAY.span_us(NOON_US)[0], amount, spent)


KEY = claim(0).key


async def test_what_a_request_may_cost_is_held_until_its_row_is_counted(budgets: BudgetStore) -> None:
    await budgets.take("r1", [claim(60)], NOON_US)
    with pytest.raises(BudgetExceeded, match=r"0\.00000000004 USD left"):
        await budgets.take("r2", [claim(41)], NOON_US)
    await budgets.settle("r1", {KEY: 10})
    await budgets.take("r2", [claim(90)], NOON_US)
    await budgets.book(Booked({KEY: Spent(1, 10)}, ["r1"]))
    with pytest.raises(BudgetExceeded):
        await budgets.take("r3", [claim(1)], NOON_US)
    await budgets.settle("r2", {})
    await budgets.take("r3", [claim(90)], NOON_US)


async def test_amounts_are_exact_to_the_last_digit(budgets: BudgetStore) -> None:
    huge = 10**21
    await budgets.take("r1", [claim(huge - 10**15 - 1, huge)], NOON_US)
    with pytest.raises(BudgetExceeded):
        await budgets.take("r2", [claim(10**15 + 2, huge)], NOON_US)
    await budgets.take("r2", [claim(10**15 + 1, huge)], NOON_US)
    with pytest.raises(BudgetExceeded, match="has 0 USD left"):
        await budgets.take("r3", [claim(1, huge)], NOON_US)


async def test_the_same_request_asked_twice_holds_once_and_more_if_it_may_cost_more(budgets: BudgetStore) -> None:
    await budgets.take("r1", [claim(60)], NOON_US)
    await budgets.take("r1", [claim(60)], NOON_US)
    await budgets.take("r1", [claim(80)], NOON_US)
    await budgets.take("r1", [claim(10)], NOON_US)
    with pytest.raises(BudgetExceeded, match=r"0\.00000000002 USD left"):
        await budgets.take("r2", [claim(21)], NOON_US)
    with pytest.raises(BudgetExceeded):
        await budgets.take("r1", [claim(101)], NOON_US)
    await budgets.take("r2", [claim(20)], NOON_US)


async def test_all_claims_are_held_or_none(budgets: BudgetStore) -> None:
    other = Budget("c", "small", BudgetScope.ALL, 5, "USD", BudgetPeriod.DAY)
    start_us = BudgetPeriod.DAY.span_us(NOON_US)[0]
    with pytest.raises(BudgetExceeded, match="small"):
        await budgets.take("r1", [claim(60), BudgetClaim(other, start_us, 60, Spent(0, 0))], NOON_US)
    await budgets.take("r2", [claim(100)], NOON_US)


async def test_older_knowledge_of_what_is_spent_takes_nothing_back(budgets: BudgetStore) -> None:
    await budgets.book(Booked({KEY: Spent(5, 70)}))
    with pytest.raises(BudgetExceeded):
        await budgets.take("r1", [claim(31, spent=Spent(4, 10))], NOON_US)
    await budgets.book(Booked({KEY: Spent(3, 0)}))
    with pytest.raises(BudgetExceeded):
        await budgets.take("r1", [claim(31)], NOON_US)
    with pytest.raises(BudgetExceeded):
        await budgets.take("r1", [claim(11, spent=Spent(6, 90))], NOON_US)
    await budgets.take("r1", [claim(10)], NOON_US)


async def test_a_budget_of_alerts_refuses_nothing(budgets: BudgetStore) -> None:
    await budgets.take("r1", [claim(500, action=BudgetAction.ALERT)], NOON_US)
    await budgets.take("r2", [claim(500, action=BudgetAction.ALERT)], NOON_US)


async def test_what_a_dead_gateway_held_is_found_and_let_go(budgets: BudgetStore) -> None:
    await budgets.take("r1", [claim(100)], NOON_US)
    assert await budgets.held_since(NOON_US) == []
    assert await budgets.held_since(NOON_US + 1) == ["r1"]
    await budgets.book(Booked({}, ["r1", "never"]))
    assert await budgets.held_since(NOON_US + 1) == []
    await budgets.take("r2", [claim(100)], NOON_US)


async def test_a_request_that_is_counted_holds_nothing_again_when_it_is_settled_late(budgets: BudgetStore) -> None:
    await budgets.take("r1", [claim(100)], NOON_US)
    await budgets.book(Booked({KEY: Spent(1, 50)}, ["r1"]))
    await budgets.settle("r1", {KEY: 50})
    await budgets.take("r2", [claim(50)], NOON_US)


async def test_periods_of_long_ago_are_forgotten(budgets: BudgetStore) -> None:
    await budgets.book(Booked({KEY: Spent(1, 100)}))
    await budgets.forget(NOON_US - DAY_US)
    with pytest.raises(BudgetExceeded):
        await budgets.take("r1", [claim(1)], NOON_US)
    await budgets.forget(NOON_US)
    await budgets.take("r1", [claim(1)], NOON_US)


async def test_a_client_that_leaves_while_redis_is_asked_holds_nothing(redis_server: RedisServer, prefix: str) -> None:
    async with redis_counts(redis_server.url, RedisOptions(prefix)) as counts:
        found = counts.budgets
        asking = asyncio.create_task(found.take("r1", [claim(100)], NOON_US))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await found.take("r2", [claim(100)], NOON_US)
        assert await found.held_pico(KEY) == 100


class Simulation(RuleBasedStateMachine):
    """One store, in this process, behind 1 to 8 gateways."""

    @initialize(gateways=st.integers(1, 8))
    def begin(self, gateways: int) -> None:
        self.runner = asyncio.Runner()
        self.stores = self.open(gateways)
        self.world = World(self.stores, NOON_US)
        self.untold: list[Booked] = []

    def open(self, gateways: int) -> list[BudgetStore]:
        store = InProcessBudgets()
        return [store] * gateways

    @rule(
        gateway=st.integers(0, 7),
        which=st.sets(st.integers(0, 2), min_size=1),
        worst=st.one_of(st.integers(1, 10**6), st.integers(1, AMOUNT // 2)),
    )
    def ask(self, gateway: int, which: set[int], worst: int) -> None:
        self.runner.run(self.world.ask(gateway, sorted(which), worst))

    @rule(which=st.integers(0, 99))
    def again(self, which: int) -> None:
        self.runner.run(self.world.again(which))

    @rule(which=st.integers(0, 99), share=st.floats(0, 1))
    def end(self, which: int, share: float) -> None:
        self.runner.run(self.world.end(which, share))

    @rule(which=st.integers(0, 99))
    def refuse(self, which: int) -> None:
        self.runner.run(self.world.refuse(which))

    @rule(gateway=st.integers(0, 7), share=st.floats(0, 1))
    def crash(self, gateway: int, share: float) -> None:
        self.world.crash(gateway, share)

    @rule(most=st.integers(1, 5))
    def count(self, most: int) -> None:
        self.runner.run(self.stores[0].book(self.world.count(most)))

    @rule(most=st.integers(1, 5))
    def count_and_die(self, most: int) -> None:
        """The bookkeeper dies between its commit and the store, or another one's comes first."""
        self.untold.append(self.world.count(most))

    @rule()
    def tell_late(self) -> None:
        for booked in reversed(self.untold):
            self.runner.run(self.stores[0].book(booked))
        self.untold.clear()

    @rule(gateway=st.integers(0, 7))
    def look(self, gateway: int) -> None:
        self.world.look(gateway)

    @rule()
    def sweep(self) -> None:
        self.runner.run(self.world.sweep(0))

    @rule(by_us=st.integers(-2 * DAY_US, 3 * DAY_US))
    def jump(self, by_us: int) -> None:
        self.world.now_us += by_us

    @invariant()
    def nothing_is_passed(self) -> None:
        for one in self.world.running if hasattr(self, "world") else ():
            for claim in one.claims:
                assert self.world.most(claim.key) <= claim.budget.amount_pico

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        while self.world.running:
            self.runner.run(self.world.end(0, 0.5))
        self.runner.run(self.stores[0].book(self.world.count(10**6)))
        self.world.now_us += 1000 * DAY_US  # later than anything that it jumped to
        self.runner.run(self.world.sweep(0))
        held = self.runner.run(self.stores[0].held_since(1 << 62))
        assert held == [], "all is counted, and nothing is held"
        for key, pico in self.world.counted.items():
            assert pico == sum(row.cost for row in self.world.rows if key in row.keys)
        self.close()
        self.runner.close()

    def close(self) -> None:
        """Nothing is open."""


def test_no_budget_is_passed_in_this_process() -> None:
    run_state_machine_as_test(Simulation, settings=settings(max_examples=200, stateful_step_count=50))


def test_no_budget_is_passed_by_gateways_on_one_redis(redis_server: RedisServer) -> None:
    class OnRedis(Simulation):
        runs = 0

        def open(self, gateways: int) -> list[BudgetStore]:
            OnRedis.runs += 1
            self.stack = AsyncExitStack()
            options = RedisOptions(f"sim{OnRedis.runs}")

            async def opened() -> list[RedisBudgets]:
                opening = [redis_counts(redis_server.url, options) for _ in range(gateways)]
                return [(await self.stack.enter_async_context(one)).budgets for one in opening]

            return list(self.runner.run(opened()))

        def close(self) -> None:
            self.runner.run(self.stack.aclose())

    run_state_machine_as_test(
        OnRedis,
        settings=settings(max_examples=20, stateful_step_count=40, suppress_health_check=list(HealthCheck)),
    )
