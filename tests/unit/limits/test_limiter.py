"""What the gateway asks: rules as they are now, at the price of a look."""

from dataclasses import replace

import pytest

from openfm.core.endpoint import EndpointDetails, ServingEndpoint
from openfm.core.errors import InvalidRequest, PermissionDenied, RateLimited
from openfm.core.limits import LimitRule, LimitScope, Measure
from openfm.core.principal import Principal
from openfm.core.usage import Demand, TokenCounts
from openfm.limits.in_process import InProcessLimits
from openfm.limits.limiter import Limiter
from tests.unit.gateway.test_invoke import make_endpoint

ANN = Principal("1", "ann", groups=frozenset({"users"}))
DEMAND = Demand(prompt=10, completion=5)
EACH = LimitRule(LimitScope.USER, Measure.TOKENS, 20, 60)


def with_calls(amount: int) -> ServingEndpoint:
    limit = {"calls": amount, "key": "user", "renewal_period": "minute"}
    return replace(make_endpoint(), details=EndpointDetails(rate_limits=(limit,)))


async def test_what_was_not_used_is_given_back() -> None:
    limiter = Limiter(InProcessLimits(lambda: 0.0), lambda: (EACH,))
    for _ in range(2):
        allowance = await limiter.reserve(ANN, make_endpoint(), DEMAND)
        await allowance.settle(TokenCounts(prompt=3, completion=2))
    with pytest.raises(RateLimited, match="10 are used"):
        await limiter.reserve(ANN, make_endpoint(), DEMAND)


async def test_a_bound_that_does_not_fit_says_whether_the_true_count_may() -> None:
    limiter, served = Limiter(InProcessLimits(lambda: 600.0), lambda: (EACH,)), make_endpoint()
    await limiter.reserve(ANN, served, Demand(12, 0))
    for bound in (Demand(10, 5, least_prompt=1), Demand(1000, 5, least_prompt=1)):
        with pytest.raises(RateLimited) as refused:
            await limiter.reserve(ANN, served, bound)
        assert refused.value.may_fit
    for bound in (Demand(10, 8, least_prompt=1), Demand(10, 5)):
        with pytest.raises(RateLimited) as refused:
            await limiter.reserve(ANN, served, bound)
        assert not refused.value.may_fit


async def test_a_bound_above_the_limit_waits_until_nothing_is_used() -> None:
    now = 600.0
    limiter, served = Limiter(InProcessLimits(lambda: now), lambda: (EACH,)), make_endpoint()
    await limiter.reserve(ANN, served, Demand(18, 0))
    now += 30.0
    await limiter.reserve(ANN, served, Demand(2, 0))
    with pytest.raises(RateLimited, match=r"20 are used. There is room in 60\.5 s") as refused:
        await limiter.reserve(ANN, served, Demand(1000, 5, least_prompt=1))
    assert not refused.value.may_fit
    with pytest.raises(InvalidRequest, match="may need 21 tokens"):
        await limiter.reserve(ANN, served, Demand(1000, 20, least_prompt=1))
    now += refused.value.retry_after_s or 0.0
    await limiter.reserve(ANN, served, Demand(15, 5))


async def test_what_is_withdrawn_counts_as_if_it_had_not_come() -> None:
    calls = LimitRule(LimitScope.USER, Measure.REQUESTS, 1, 60)
    limiter, served = Limiter(InProcessLimits(lambda: 0.0), lambda: (EACH, calls)), make_endpoint()
    for _ in range(3):
        await (await limiter.reserve(ANN, served, Demand(20, 0))).withdraw()
    await limiter.reserve(ANN, served, Demand(20, 0))


async def test_a_changed_rule_holds_for_the_next_request() -> None:
    rules = [(), (EACH,), (replace(EACH, amount=0),)]
    limiter = Limiter(InProcessLimits(lambda: 0.0), lambda: rules[0])
    served = make_endpoint()
    assert not (await limiter.reserve(ANN, served, DEMAND)).standings
    del rules[0]
    assert [one.remaining for one in (await limiter.reserve(ANN, served, DEMAND)).standings] == [5]
    del rules[0]
    with pytest.raises(PermissionDenied):
        await limiter.reserve(ANN, served, DEMAND)


async def test_a_changed_endpoint_holds_for_the_next_request() -> None:
    limiter = Limiter(InProcessLimits(lambda: 0.0), tuple)
    await limiter.reserve(ANN, with_calls(5), DEMAND)
    assert [one.remaining for one in (await limiter.reserve(ANN, with_calls(3), DEMAND)).standings] == [1]


async def test_one_who_joined_a_group_is_bound_by_its_limit_at_once() -> None:
    rules = (LimitRule(LimitScope.GROUP, Measure.REQUESTS, 1, 60, principal="team"),)
    limiter, served = Limiter(InProcessLimits(lambda: 0.0), lambda: rules), make_endpoint()
    assert not (await limiter.reserve(ANN, served, DEMAND)).standings
    joined = replace(ANN, groups=frozenset({"users", "team"}))
    assert len((await limiter.reserve(joined, served, DEMAND)).standings) == 1
    assert not (await limiter.reserve(ANN, served, DEMAND)).standings
