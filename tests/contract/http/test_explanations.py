"""`x-openfm-explain: 1`: an answer's account of itself, whatever its route and form."""

from decimal import Decimal
from typing import Any

import pytest

from tests.conftest import CHAT, EMBEDDING
from tests.contract.http.conftest import Answer, Http

_STAND_IN = "databricks-meta-llama-3-70b-instruct"
_ASKED = {"x-openfm-explain": "1"}
_MESSAGES = [{"role": "user", "content": "Name the capital of France."}]
_CHAT = {"model": CHAT, "messages": _MESSAGES, "max_tokens": 8, "temperature": 0}
_COMPLETION = {"model": CHAT, "prompt": "One, two,", "max_tokens": 4}
_CHATS = ("/v1/chat/completions", "/serving-endpoints/chat/completions", f"/serving-endpoints/{CHAT}/invocations")


def account(answer: Answer, *, is_stream: bool = False) -> dict[str, Any]:
    """What it says of itself, checked for what holds of every answer."""
    assert answer.status == 200, answer.raw
    body = answer.events[-2] if is_stream else answer.json
    said: dict[str, Any] = body["openfm"]
    assert said["request_id"] == answer.headers["x-request-id"]
    assert said["served_entity"] == answer.headers["served-model-name"]
    assert 0 <= said["queue_ms"] <= said["total_ms"]
    assert said["replica"]
    return said


@pytest.mark.parametrize("path", _CHATS)
@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_chat_says_where_its_time_went_and_what_was_counted(http: Http, path: str, is_stream: bool) -> None:  # noqa: FBT001
    answer = await http.post(path, _CHAT | {"stream": is_stream}, **_ASKED)
    said = account(answer, is_stream=is_stream)
    assert said["prefill_ms"] > 0
    assert said["decode_ms"] > 0
    assert said["queue_ms"] + said["prefill_ms"] + said["decode_ms"] <= said["total_ms"] + 0.01
    assert (said["prompt_tokens"], said["completion_tokens"]) == (26, 8)


async def test_completions_and_embeddings_do_so_too(http: Http) -> None:
    completion = account(await http.post("/v1/completions", _COMPLETION, **_ASKED))
    assert completion["completion_tokens"] == 4
    embedding = account(await http.post("/v1/embeddings", {"model": EMBEDDING, "input": "Hello"}, **_ASKED))
    assert (embedding["prefill_ms"], embedding["completion_tokens"]) == (None, 0)
    assert embedding["prompt_tokens"] == 3


async def test_it_names_the_limit_that_is_tightest_and_the_price(http: Http) -> None:
    price = {"endpoint": _STAND_IN, "currency": "EUR", "prompt": "2", "completion": "10"}
    made = await http.post("/api/2.0/openfm/prices", price)
    rule = {"measure": "requests", "amount": 1_000_000, "period": "hour"}
    limit = await http.send("PUT", "/api/2.0/openfm/limits", rule)
    assert (made.status, limit.status) == (200, 200)
    said = account(await http.post("/v1/chat/completions", _CHAT | {"model": _STAND_IN}, **_ASKED))
    await http.send("DELETE", f"/api/2.0/openfm/limits/{limit.json['id']}")
    assert said["tightest_limit"]["amount"] == 1_000_000
    assert said["tightest_limit"]["words"] == "1000000 requests per hour for all callers"
    assert said["price"]["currency"] == "EUR"
    assert said["price"]["version"] == made.json["version"]
    paid = said["prompt_tokens"] * 2 + said["completion_tokens"] * 10
    assert Decimal(said["price"]["cost"]) * 1_000_000 == paid


@pytest.mark.parametrize("headers", [{}, {"x-openfm-explain": "0"}])
async def test_nobody_else_gets_to_see_it(http: Http, headers: dict[str, str]) -> None:
    assert b'"openfm":' not in (await http.post("/v1/chat/completions", _CHAT, **headers)).raw


async def test_a_header_that_is_neither_yes_nor_no_is_400(http: Http) -> None:
    answer = await http.post("/v1/chat/completions", _CHAT, **{"x-openfm-explain": "perhaps"})
    assert answer.status == 400
    assert "x-openfm-explain" in answer.json["error"]["message"]
