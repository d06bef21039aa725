"""What a server remembers of the limits of the one before it."""

from dataclasses import replace

import pytest

from openfm.core.endpoint import EndpointDetails
from openfm.core.errors import RateLimited
from openfm.core.ledger import PastUse
from openfm.core.limits import Claim, LimitRule, LimitScope, Measure, PastClaim
from openfm.core.principal import Principal
from openfm.core.usage import Demand, TokenCounts
from openfm.limits.in_process import InProcessLimits
from openfm.limits.past import past_claims
from openfm.limits.policy import Binding, binding, claims, windows
from tests.unit.gateway.test_invoke import make_endpoint

ANN = Principal("1", "ann")
SERVED = replace(
    make_endpoint(),
    details=EndpointDetails(rate_limits=({"tokens": 500, "key": "user", "renewal_period": "minute"},)),
)
EVERYBODY = LimitRule(LimitScope.ALL, Measure.TOKENS, 1000, 60)
CALLS = LimitRule(LimitScope.USER, Measure.REQUESTS, 5, 86_400)
PLACES = LimitRule(LimitScope.USER, Measure.CONCURRENCY, 1, None)
OWN = (EVERYBODY, CALLS, PLACES)
NOW_US = 1_000_000_000
NOTHING = Demand(0, 0)


def use(age_s: float, unsettled: Demand = NOTHING, endpoint_id: str = SERVED.id) -> PastUse:
    return PastUse(ANN, endpoint_id, NOW_US - int(age_s * 1e6), 2, TokenCounts(300, 50), unsettled)


def taken(one: PastUse, window_s: int) -> list[tuple[str, int, float]]:
    def binding_of(principal: Principal, endpoint_id: str) -> Binding:
        return binding(OWN, principal, SERVED if endpoint_id == SERVED.id else None)

    found = past_claims([one], window_s, binding_of, NOW_US)
    return [(past.claim.limit.words, past.claim.amount, past.age_s) for past in found]


def test_what_was_used_counts_on_each_limit_that_binds_today() -> None:
    assert taken(use(10), 60) == [
        ("500 tokens per minute for ann on the endpoint llama", 350, 10),
        ("1000 tokens per minute for all callers", 350, 10),
    ]
    assert taken(use(10), 86_400) == [("5 requests per day for ann", 2, 10)]
    assert windows(OWN) == [60, 86_400]


def test_on_an_endpoint_that_is_no_more_only_limits_on_all_endpoints_count() -> None:
    assert [words for words, _, _ in taken(use(10, endpoint_id="gone"), 60)] == [
        "1000 tokens per minute for all callers"
    ]


def test_a_request_that_a_crash_ended_counts_as_what_it_had_reserved_up_to_the_limit() -> None:
    assert [amount for _, amount, _ in taken(use(10, Demand(100, 200)), 60)] == [650, 650]
    assert [amount for _, amount, _ in taken(use(10, Demand(100, 10**9)), 60)] == [850, 1350]


def test_a_clock_that_was_turned_back_makes_nothing_older_than_it_is() -> None:
    assert [age_s for _, _, age_s in taken(use(-3600), 60)] == [0, 0]


async def test_no_window_passes_its_limit_across_a_restart() -> None:
    now = 7000.0
    (claim,) = claims([EVERYBODY], ANN, make_endpoint(), Demand(400, 0))
    past = [PastClaim(Claim(claim.key, claim.limit, 350), age_s) for age_s in (70.0, 50.0, 22.0)]
    limits = InProcessLimits(lambda: now, past)
    with pytest.raises(RateLimited, match="700 are used") as refused:
        await limits.reserve([claim])
    assert refused.value.retry_after_s is not None
    assert 10 <= refused.value.retry_after_s <= 10.6, "as if nothing had been started anew"
    now += refused.value.retry_after_s
    await limits.reserve([claim])
