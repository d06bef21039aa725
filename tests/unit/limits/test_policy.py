"""Which limits bind whom."""

from dataclasses import replace
from typing import Any

import pytest

from openfm.core.endpoint import EndpointDetails, ServingEndpoint
from openfm.core.errors import InvalidRequest, PermissionDenied
from openfm.core.limits import Claim, LimitRule, LimitScope, Measure
from openfm.core.principal import Principal, PrincipalKind
from openfm.core.usage import Demand
from openfm.limits.policy import claims
from tests.unit.gateway.test_invoke import make_endpoint

ANN = Principal("1", "ann", groups=frozenset({"team", "users"}))
BOB = Principal("2", "bob")
ROBOT = Principal("3", "robot-id", kind=PrincipalKind.SERVICE_PRINCIPAL)
DEMAND = Demand(prompt=10, completion=5)


def endpoint(*limits: dict[str, Any], gateway: list[dict[str, Any]] | None = None) -> ServingEndpoint:
    entries = tuple({"renewal_period": "minute"} | limit for limit in limits)
    ai_gateway = None if gateway is None else {"rate_limits": gateway}
    return replace(make_endpoint(), details=EndpointDetails(rate_limits=entries, ai_gateway=ai_gateway))


def bound(caller: Principal, served: ServingEndpoint, *own: LimitRule, demand: Demand = DEMAND) -> dict[str, Claim]:
    return {claim.limit.words: claim for claim in claims(own, caller, served, demand)}


def test_without_a_rule_nothing_binds() -> None:
    assert bound(ANN, endpoint()) == {}


def test_an_endpoints_limit_is_shared_and_a_users_is_his_own() -> None:
    served = endpoint({"calls": 100, "key": "endpoint"}, {"tokens": 1000, "key": "user"})
    ann, bob = bound(ANN, served), bound(BOB, served)
    shared = "100 requests per minute for all callers on the endpoint llama"
    assert ann[shared].key == bob[shared].key
    own = "1000 tokens per minute for ann on the endpoint llama"
    assert ann[own].amount == 15
    assert ann[own].key not in {claim.key for claim in bob.values()}


def test_a_limit_in_ones_name_goes_before_the_groups_and_that_before_everybodys() -> None:
    everybody, team = {"calls": 1, "key": "user"}, {"calls": 50, "key": "user_group", "principal": "team"}
    ann = {"calls": 7, "key": "user", "principal": "ann"}
    assert list(bound(ANN, endpoint(everybody, team, ann))) == ["7 requests per minute for ann on the endpoint llama"]
    assert list(bound(ANN, endpoint(everybody, team))) == [
        "50 requests per minute for the group team on the endpoint llama"
    ]
    assert list(bound(BOB, endpoint(everybody, team, ann))) == ["1 requests per minute for bob on the endpoint llama"]


def test_members_of_a_group_share_its_limit() -> None:
    served = endpoint({"tokens": 1000, "key": "user_group", "principal": "team"})
    other = replace(BOB, groups=frozenset({"team"}))
    assert {claim.key for claim in bound(ANN, served).values()} == {c.key for c in bound(other, served).values()}


def test_a_service_principals_limit_is_no_users() -> None:
    served = endpoint({"calls": 3, "key": "service_principal", "principal": "robot-id"})
    assert len(bound(ROBOT, served)) == 1
    assert bound(replace(BOB, name="robot-id"), served) == {}


def test_of_limits_on_the_same_count_the_lowest_binds() -> None:
    gateway = [{"calls": 5, "key": "endpoint", "renewal_period": "minute"}]
    assert list(bound(ANN, endpoint({"calls": 9, "key": "endpoint"}, gateway=gateway))) == [
        "5 requests per minute for all callers on the endpoint llama"
    ]


def test_a_limit_of_zero_blocks() -> None:
    with pytest.raises(PermissionDenied, match="0 requests: nothing is admitted"):
        bound(BOB, endpoint({"calls": 0, "key": "user", "principal": "bob"}))


def test_the_operators_rules_all_bind() -> None:
    own = (
        LimitRule(LimitScope.ALL, Measure.CONCURRENCY, 8, None),
        LimitRule(LimitScope.USER, Measure.INPUT_TOKENS, 100, 60),
        LimitRule(LimitScope.GROUP, Measure.OUTPUT_TOKENS, 100, 3600, principal="team"),
        LimitRule(LimitScope.USER, Measure.REQUESTS, 100, 1, endpoint="other", endpoint_id="9"),
    )
    assert {words: claim.amount for words, claim in bound(ANN, endpoint(), *own).items()} == {
        "8 concurrent requests for all callers": 1,
        "100 input tokens per minute for ann": 10,
        "100 output tokens per hour for the group team": 5,
    }


def test_what_no_wait_would_admit_is_said_at_once() -> None:
    served = endpoint({"tokens": 12, "key": "endpoint"})
    with pytest.raises(InvalidRequest, match=r"15 tokens.*12 tokens per minute"):
        bound(ANN, served)
    (claim,) = bound(ANN, served, demand=Demand(10, 1000, is_open_ended=True)).values()
    assert claim.amount == 12, "an answer without max_tokens ends where the limit does"
