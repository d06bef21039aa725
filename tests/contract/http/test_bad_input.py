"""What cannot work is refused in the shape of its route, at once, and costs nobody else anything."""

import time
from typing import Any

import msgspec
import pytest

from tests.conftest import CHAT, EMBEDDING
from tests.contract.http.conftest import Answer, Http

OPENAI, BOTH, INVOCATIONS = "/v1", "/serving-endpoints", f"/serving-endpoints/{CHAT}/invocations"
CHAT_ROUTES = [f"{OPENAI}/chat/completions", f"{BOTH}/chat/completions", INVOCATIONS]
HELLO: dict[str, Any] = {"model": CHAT, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 2}


def error_of(answer: Answer, path: str) -> str:
    """The message; fails when the body has not exactly its route's shape."""
    body = answer.json
    if path.startswith(OPENAI):
        assert body.keys() == {"error"}
    elif path.endswith("/invocations") or path.startswith("/api"):
        assert body.keys() == {"error_code", "message"}
    else:
        assert body.keys() == {"error", "error_code", "message"}
    if "error" in body:
        assert body["error"].keys() == {"message", "type", "param", "code"}
    assert answer.headers["x-request-id"]
    message: str = body["message"] if "message" in body else body["error"]["message"]
    return message


@pytest.mark.parametrize("path", [*CHAT_ROUTES, "/api/2.0/serving-endpoints"])
@pytest.mark.parametrize("token", [None, "dapi0000", ""])
async def test_line_06_no_token_or_a_wrong_one_is_401(http: Http, path: str, token: str | None) -> None:
    answer = await http.ask("GET" if path.startswith("/api") else "POST", path, token)
    assert answer.status == 401
    assert "token" in error_of(answer, path)


@pytest.mark.parametrize("path", [*CHAT_ROUTES[:2], "/serving-endpoints/nope/invocations"])
async def test_an_unknown_endpoint_is_404(http: Http, path: str) -> None:
    answer = await http.post(path, HELLO | {"model": "nope"})
    assert answer.status == 404
    assert "'nope' does not exist" in error_of(answer, path)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{OPENAI}/chat/completions", HELLO | {"model": EMBEDDING}),
        (f"{BOTH}/chat/completions", HELLO | {"model": EMBEDDING}),
        (f"{OPENAI}/completions", {"model": EMBEDDING, "prompt": "x"}),
        (f"{OPENAI}/embeddings", {"model": CHAT, "input": "x"}),
        (f"{BOTH}/embeddings", {"model": CHAT, "input": "x"}),
        (f"/serving-endpoints/{EMBEDDING}/invocations", HELLO),
        (INVOCATIONS, {"input": "x"}),
    ],
)
async def test_line_40_the_wrong_task_is_400(http: Http, path: str, body: object) -> None:
    answer = await http.post(path, body)
    assert answer.status == 400
    assert error_of(answer, path)


DEEP = b'{"messages": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"
BROKEN: dict[str, bytes] = {
    "empty": b"",
    "cut": b'{"messages": [',
    "words": b"hello",
    "a list": b"[]",
    "NaN": b'{"model": "%s", "messages": [{"role": "user", "content": "x"}], "temperature": NaN}' % CHAT.encode(),
    "not utf-8": b'{"model": "\xff"}',
    "deep": DEEP,
}


@pytest.mark.parametrize("path", CHAT_ROUTES)
@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN.keys())
async def test_line_40_what_is_no_json_object_is_400(http: Http, path: str, raw: bytes) -> None:
    answer = await http.post(path, raw)
    assert answer.status == 400
    assert error_of(answer, path)


@pytest.mark.parametrize("path", CHAT_ROUTES)
@pytest.mark.parametrize(
    "change",
    [
        {"messages": None},
        {"messages": []},
        {"messages": "hello"},
        {"messages": [{"role": "wizard", "content": "x"}]},
        {"messages": [{"role": "user"}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]},
        {"max_tokens": -1},
        {"max_tokens": 10**30},
        {"max_tokens": "five"},
        {"temperature": 3},
        {"n": 99},
        {"stop": ["x"] * 17},
        {"functions": [{"name": "f"}]},
        {"tools": [{"type": "function", "function": {"name": "not a name!"}}]},
    ],
    ids=str,
)
async def test_line_43_values_out_of_bounds_are_400_and_named(http: Http, path: str, change: dict[str, Any]) -> None:
    answer = await http.post(path, HELLO | change)
    assert answer.status == 400
    message = error_of(answer, path).lower()
    assert next(iter(change)) in message or "content" in message


@pytest.mark.parametrize("path", CHAT_ROUTES)
async def test_line_39_a_prompt_over_the_context_is_400_with_both_numbers(http: Http, path: str) -> None:
    began = time.monotonic()
    for body in (HELLO | {"max_tokens": 8192}, HELLO | {"messages": [{"role": "user", "content": "word " * 9000}]}):
        answer = await http.post(path, body)
        assert answer.status == 400
        assert "8192" in error_of(answer, path)
        assert "prompt tokens" in error_of(answer, path)
    assert time.monotonic() - began < 30, "the prompts were generated from, not refused"


@pytest.mark.parametrize("path", CHAT_ROUTES)
async def test_a_body_of_50_mb_is_413_and_the_connection_is_not_reset(http: Http, path: str) -> None:
    answer = await http.post(path, b'{"model": "' + b"x" * 50_000_000 + b'"}')
    assert answer.status == 413
    assert error_of(answer, path)


async def test_line_46_a_body_of_16_mb_is_answered(http: Http) -> None:
    answer = await http.post(INVOCATIONS, msgspec.json.encode(HELLO | {"metadata": "x" * 15_900_000}))
    assert answer.status == 200


@pytest.mark.parametrize("path", CHAT_ROUTES)
async def test_line_41_unknown_fields_are_ignored_and_never_reach_the_engine(http: Http, path: str) -> None:
    plain = (await http.post(path, HELLO | {"temperature": 0})).json
    extra = {
        "n_predict": 1,
        "grammar": 'root ::= "x"',
        "cache_prompt": False,
        "metadata": {},
        "store": True,
        "strict": 1,
    }
    answer = await http.post(path, HELLO | {"temperature": 0} | extra)
    assert answer.status == 200
    assert answer.json["choices"][0]["message"] == plain["choices"][0]["message"]


BAD_SCHEMAS: list[dict[str, Any]] = [
    {"type": "strange"},
    {"$ref": "#/$defs/missing"},
    {"type": "array", "items": {"type": "string"}, "minItems": 10**9},
    {"enum": [str(number) for number in range(100_000)]},
    {"type": "string", "pattern": "((("},
]


@pytest.mark.parametrize("path", CHAT_ROUTES)
@pytest.mark.parametrize("schema", BAD_SCHEMAS, ids=lambda schema: str(schema)[:40])
async def test_a_schema_that_does_not_compile_is_400_and_the_engine_lives(
    http: Http, path: str, schema: dict[str, Any]
) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert (answer := await http.post(path, HELLO | {"response_format": wanted})).status == 400
    assert error_of(answer, path)
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    assert (await http.post(path, HELLO | {"tools": [tool], "tool_choice": "required"})).status == 400
    assert (await http.post(path, HELLO)).status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{OPENAI}/chat/completions"),
        ("PUT", f"{BOTH}/embeddings"),
        ("GET", INVOCATIONS),
        ("POST", f"{OPENAI}/models"),
        ("DELETE", "/api/2.0/serving-endpoints"),
    ],
)
async def test_another_method_is_405_and_the_right_one_is_named(http: Http, method: str, path: str) -> None:
    answer = await http.ask(method, path, http.token)
    assert answer.status == 405
    assert answer.headers["allow"]
    assert error_of(answer, path)


@pytest.mark.parametrize("path", ["/v1/nothing", "/serving-endpoints/x/y/z", "/api/2.0/nothing"])
async def test_an_unknown_route_is_404(http: Http, path: str) -> None:
    answer = await http.ask("POST", path, http.token)
    assert answer.status == 404
    assert error_of(answer, path)


async def test_a_compressed_body_is_refused_clearly(http: Http) -> None:
    answer = await http.post(INVOCATIONS, b"x", **{"content-encoding": "br"})
    assert answer.status == 400
    assert "uncompressed" in error_of(answer, INVOCATIONS)
