"""What the gateway asks: rules as they are now, at the price of a look."""

from dataclasses import replace

import pytest

from openfm.core.endpoint import EndpointDetails, ServingEndpoint
from openfm.core.errors import PermissionDenied, RateLimited
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
