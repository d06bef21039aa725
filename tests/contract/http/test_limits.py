"""Limits over plain HTTP: set by an admin or an endpoint's owner, in force at the next request, and told."""

import secrets
from dataclasses import replace
from typing import Any

import pytest

from openfm.catalog.catalog import load_catalog
from tests.conftest import CHAT
from tests.contract.http.conftest import Answer, Http

LIMITS = "/api/2.0/openfm/limits"
_SCIM = "/api/2.0/preview/scim/v2"


@pytest.fixture
async def caller(http: Http) -> tuple[Http, str]:
    """A user nobody else is, so that limits in his name bind nobody else."""
    name = f"limited-{secrets.token_hex(4)}@example.com"
    await http.post(f"{_SCIM}/Users", {"userName": name})
    made = await http.post("/api/2.0/token-management/on-behalf-of/tokens", {"application_id": name})
    return replace(http, token=made.json["token_value"]), name


async def ask(http: Http, route: str = "/v1/chat/completions", **fields: object) -> Answer:
    body = {"model": CHAT, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 3} | fields
    return await http.post(route, body)


async def set_limit(http: Http, name: str, **fields: object) -> dict[str, Any]:
    made = await http.send("PUT", LIMITS, {"scope": "user", "principal": name, "period": "minute"} | fields)
    assert made.status == 200, made.raw
    limit: dict[str, Any] = made.json
    return limit


async def test_over_a_limit_each_route_says_so_in_its_manner(http: Http, caller: tuple[Http, str]) -> None:
    user, name = caller
    await set_limit(http, name, measure="requests", amount=1)
    first = await ask(user)
    assert (first.status, first.headers["x-ratelimit-remaining-requests"]) == (200, "0")
    refused = await ask(user)
    assert (refused.status, refused.json["error"]["code"]) == (429, "rate_limit_exceeded")
    assert f"1 requests per minute for {name}" in refused.json["error"]["message"]
    assert 55_000 < int(refused.headers["retry-after-ms"]) <= 61_000
    assert 55 < int(refused.headers["retry-after"]) <= 61
    assert refused.headers["x-ratelimit-limit-requests"] == "1"
    native = await ask(user, f"/serving-endpoints/{CHAT}/invocations")
    assert (native.status, native.json["error_code"]) == (429, "REQUEST_LIMIT_EXCEEDED")
    assert "error" not in native.json
    stream = await ask(user, stream=True)
    assert stream.status == 429, "also a stream is refused with a status, before it begins"
    assert (await ask(http)).status == 200


async def test_tokens_are_taken_at_their_most_and_given_back(http: Http, caller: tuple[Http, str]) -> None:
    user, name = caller
    await set_limit(http, name, measure="tokens", amount=400)
    answer = await ask(user)
    used = answer.json["usage"]["total_tokens"]
    again = await ask(user)
    left = 400 - used - again.json["usage"]["prompt_tokens"] - 3
    assert 0 <= int(again.headers["x-ratelimit-remaining-tokens"]) <= left + 30, "the rest of the first was given back"


async def test_a_prompt_whose_bytes_are_too_many_is_counted(http: Http, caller: tuple[Http, str]) -> None:
    user, name = caller
    await set_limit(http, name, measure="input_tokens", amount=150)
    text = "This is a sentence of several words. " * 12
    answer = await ask(user, messages=[{"role": "user", "content": text}])
    assert len(text) > 400
    assert answer.status == 200, answer.raw
    assert answer.json["usage"]["prompt_tokens"] <= 150


async def test_an_answer_without_max_tokens_ends_where_the_limit_does(http: Http, caller: tuple[Http, str]) -> None:
    user, name = caller
    await set_limit(http, name, measure="output_tokens", amount=5)
    answer = await ask(user, max_tokens=None, messages=[{"role": "user", "content": "Tell a long story."}])
    assert answer.json["usage"]["completion_tokens"] == 5
    assert answer.json["choices"][0]["finish_reason"] == "length"
    never = await ask(user, max_tokens=6)
    assert (never.status, never.json["error"]["param"]) == (400, "max_tokens")


async def test_an_endpoints_owner_limits_it_as_at_databricks(http: Http, caller: tuple[Http, str]) -> None:
    user, name = caller
    limit = {"calls": 0, "key": "user", "principal": name, "renewal_period": "minute"}
    path = f"/api/2.0/serving-endpoints/{CHAT}/ai-gateway"
    assert (await http.send("PUT", path, {"rate_limits": [limit]})).status == 200
    try:
        blocked = await ask(user)
        assert blocked.status == 403
        assert (await ask(http)).status == 200
        listed = (await user.get(LIMITS)).json["endpoints"]
        assert {"name": CHAT, "rate_limits": [limit]} in listed
    finally:
        await http.send("PUT", path, {"rate_limits": []})
    assert (await ask(user)).status == 200


async def test_one_sees_ones_own_limits_and_changes_none(http: Http, caller: tuple[Http, str]) -> None:
    user, name = caller
    limit = await set_limit(http, name, measure="requests", amount=1000)
    assert limit in (await user.get(LIMITS)).json["limits"]
    for method, path in (("PUT", LIMITS), ("DELETE", f"{LIMITS}/{limit['id']}")):
        assert (await user.send(method, path, {"measure": "requests", "amount": 1, "period": "minute"})).status == 403
    assert (await http.send("DELETE", f"{LIMITS}/{limit['id']}")).status == 200
    assert limit not in (await user.get(LIMITS)).json["limits"]
    assert "x-ratelimit-limit-requests" not in (await ask(user)).headers


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"measure": "tokens", "amount": -1, "period": "minute"}, 400),
        ({"measure": "tokens", "amount": 10**16, "period": "minute"}, 400),
        ({"measure": "tokens", "amount": "many", "period": "minute"}, 400),
        ({"measure": "tokens", "amount": True, "period": "minute"}, 400),
        ({"measure": "tokens", "amount": 1}, 400),
        ({"measure": "concurrency", "amount": 1, "period": "hour"}, 400),
        ({"measure": "tokens", "amount": 1, "period": "minute", "scope": "user", "principal": "nobody@x"}, 404),
        ({"measure": "tokens", "amount": 1, "period": "minute", "endpoint": "no-such-endpoint"}, 404),
        ({}, 400),
    ],
)
async def test_a_limit_that_cannot_be_is_refused_with_a_sentence(
    http: Http, fields: dict[str, object], status: int
) -> None:
    before = (await http.get(LIMITS)).json["limits"]
    answer = await http.send("PUT", LIMITS, fields)
    assert answer.status == status
    assert answer.json["message"].endswith(".")
    assert (await http.get(LIMITS)).json["limits"] == before


@pytest.mark.parametrize(
    "fields",
    [
        {"tokens": True},
        {"calls": 1, "key": "endpoint", "principal": "nobody@x"},
        {"calls": 1, "principal": "nobody@x"},
        {"calls": 1, "key": "user", "principal": "nobody@x"},
    ],
)
@pytest.mark.parametrize("route", ["ai-gateway", "rate-limits"])
async def test_an_endpoints_limit_that_would_bind_others_than_it_says_is_refused(
    http: Http, route: str, fields: dict[str, object]
) -> None:
    limits = {"rate_limits": [{"renewal_period": "minute"} | fields]}
    answer = await http.send("PUT", f"/api/2.0/serving-endpoints/{CHAT}/{route}", limits)
    assert answer.status == 400, answer.raw
    assert (await ask(http)).status == 200


async def test_what_limits_refuse_is_counted(http: Http, caller: tuple[Http, str]) -> None:
    user, name = caller
    await set_limit(http, name, measure="requests", amount=1)
    await ask(user)
    assert (await ask(user)).status == 429
    text = (await http.get("/metrics")).raw.decode()
    assert f'openfm_limits_hit_total{{endpoint="{CHAT}",measure="requests"}}' in text
    assert "openfm_ledger_lag_bytes" in text


async def test_the_platforms_page_has_every_bound_and_every_foundation_model(http: Http) -> None:
    page = (await http.get("/api/2.0/openfm/limits/platform")).json
    bounds = {limit["name"]: limit for limit in page["limits"]}
    assert bounds["prompts in a completion request"]["setting"] == "max_prompts"
    assert bounds["served entities of an endpoint"] == {
        "name": "served entities of an endpoint",
        "value": 15,
        "unit": "entities",
        "setting": None,
    }
    models = {model["name"]: model for model in page["models"]}
    assert set(models) == {model.endpoint_name for model in load_catalog().models}
    assert (models[CHAT]["availability"], models[CHAT]["reason"], models[CHAT]["region"]) == ("SERVED", "", "local")
    stand_in = models["databricks-meta-llama-3-70b-instruct"]
    assert stand_in["availability"] == "STAND_IN"
    assert "GPU" in stand_in["reason"]


async def test_a_weight_is_set_shown_to_whom_it_is_about_and_removed(http: Http, caller: tuple[Http, str]) -> None:
    user, name = caller
    about = {"scope": "user", "principal": name}
    assert (await user.get(LIMITS)).json["weight"] == 1
    made = await http.send("PUT", f"{LIMITS}/weights", about | {"weight": 2.5})
    assert (made.status, made.json) == (200, about | {"weight": 2.5})
    seen = (await user.get(LIMITS)).json
    assert (seen["weight"], seen["weights"]) == (2.5, [about | {"weight": 2.5}])
    refused = await http.send("PUT", f"{LIMITS}/weights", about | {"weight": 0})
    assert (refused.status, refused.json["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert (await user.send("PUT", f"{LIMITS}/weights", about | {"weight": 9})).status == 403
    assert (await http.send("DELETE", f"{LIMITS}/weights?scope=user&principal={name}")).status == 200
    assert (await user.get(LIMITS)).json["weight"] == 1


async def test_a_name_that_another_model_answers_to_is_limited_by_itself(http: Http, caller: tuple[Http, str]) -> None:
    user, name = caller
    alias = "databricks-meta-llama-3-3-70b-instruct"
    made = await set_limit(http, name, measure="requests", amount=1, endpoint=alias)
    assert made["endpoint"] == alias
    assert (await ask(user, model=alias)).status == 200
    refused = await ask(user, model=alias)
    assert refused.status == 429
    assert f"on the endpoint {alias}" in refused.json["error"]["message"]
    assert (await ask(user)).status == 200
    unknown = await http.send(
        "PUT", LIMITS, {"measure": "requests", "amount": 1, "period": "day", "endpoint": "nobody"}
    )
    assert unknown.status == 404
