"""The contract checklist, line by line, over plain HTTP."""

import asyncio
import json
import math
import time
from typing import Any

import aiohttp
import pytest

from openfm.core.chat import ChatRequest, Message, Role
from openfm.engines.base import Engine
from tests.conftest import CHAT, EMBEDDING, StartServer
from tests.contract.http.conftest import Answer, Http

INVOCATIONS = f"/serving-endpoints/{CHAT}/invocations"
EMBED = f"/serving-endpoints/{EMBEDDING}/invocations"
CHAT_ROUTES = [INVOCATIONS, "/serving-endpoints/chat/completions", "/v1/chat/completions"]
FRANCE: dict[str, Any] = {
    "model": CHAT,
    "messages": [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "Name the capital of France."},
    ],
    "temperature": 0,
    "max_tokens": 32,
}
PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12},
        "age": {"type": "integer", "minimum": 0, "maximum": 99},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "maxLength": 20}},
            "required": ["city"],
        },
    },
}


def content(answer: Answer) -> str:
    assert answer.status == 200, answer.raw
    text: str = answer.json["choices"][0]["message"]["content"]
    return text


def streamed(answer: Answer) -> str:
    assert answer.status == 200, answer.raw
    chunks = [event for event in answer.events if event != "[DONE]"]
    return "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"])


async def test_line_01_the_host_describes_itself_at_once_without_a_token(http: Http) -> None:
    answers = await asyncio.gather(*(http.ask("GET", "/.well-known/databricks-config", None) for _ in range(50)))
    assert {answer.status for answer in answers} == {200}


async def test_line_02_oauth_is_found_where_the_host_says(http: Http) -> None:
    config = (await http.ask("GET", "/.well-known/databricks-config", None)).json
    path = config["oidc_endpoint"].removeprefix(http.base) + "/.well-known/oauth-authorization-server"
    metadata = (await http.ask("GET", path, None)).json
    assert metadata["token_endpoint"].startswith(http.base)
    assert metadata["authorization_endpoint"].startswith(http.base)
    assert int(config["workspace_id"]) > 0


async def test_line_10_the_list_has_its_key_with_and_without_a_slash(http: Http) -> None:
    one, other = await http.get("/api/2.0/serving-endpoints"), await http.get("/api/2.0/serving-endpoints/")
    assert one.json == other.json
    assert {CHAT, EMBEDDING} <= {endpoint["name"] for endpoint in one.json["endpoints"]}


async def test_line_11_foundation_models_appear_complete_under_databricks_names(http: Http) -> None:
    listed = {e["name"]: e for e in (await http.get("/api/2.0/serving-endpoints")).json["endpoints"]}
    for name in ("databricks-meta-llama-3-70b-instruct", "databricks-mpt-7b-instruct", "databricks-bge-large-en", CHAT):
        endpoint = listed[name]
        assert endpoint["endpoint_type"] == "FOUNDATION_MODEL_API"
        assert endpoint["state"] == {"ready": "READY", "config_update": "NOT_UPDATING"}
        model = endpoint["config"]["served_entities"][0]["foundation_model"]
        assert model.keys() >= {"name", "display_name", "docs", "description"}
        assert isinstance(endpoint["capabilities"]["function_calling"], bool)


async def test_line_12_one_endpoint_is_complete(http: Http) -> None:
    endpoint = (await http.get(f"/api/2.0/serving-endpoints/{CHAT}")).json
    assert endpoint["config"]["config_version"] == 1
    assert endpoint["config"]["traffic_config"]["routes"][0]["traffic_percentage"] == 100
    assert endpoint["config"]["served_models"][0]["name"] == endpoint["config"]["served_entities"][0]["name"]
    assert endpoint["creation_timestamp"] > 1_600_000_000_000
    assert endpoint["permission_level"] == "CAN_MANAGE"
    missing = await http.get("/api/2.0/serving-endpoints/nope")
    assert (missing.status, missing.json["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


async def test_line_14_foundation_models_name_their_api_types(http: Http) -> None:
    offered = (await http.get("/api/2.0/serving-endpoints:foundation-models")).json["endpoints"]
    types = {e["name"]: e["config"]["served_entities"][0]["foundation_model"]["api_types"] for e in offered}
    assert "openai/v1/chat/completions" in types[CHAT]


async def test_line_15_an_endpoints_openapi_names_it_and_its_address(http: Http) -> None:
    document = (await http.get(f"/api/2.0/serving-endpoints/{CHAT}/openapi")).json
    assert document["openapi"].startswith("3.1")
    assert document["info"]["title"] == CHAT
    assert document["servers"][0]["url"] == f"{http.base}/serving-endpoints/{CHAT}"
    assert "messages" in document["components"]["schemas"]["ChatBody"]["properties"]


async def test_line_35_both_route_families_give_the_same_body(http: Http) -> None:
    async def shape(path: str) -> dict[str, Any]:
        body: dict[str, Any] = (await http.post(path, FRANCE)).json
        return {name: body[name] for name in ("object", "model", "choices")} | {"keys": sorted(body)}

    assert await shape(INVOCATIONS) == await shape("/serving-endpoints/chat/completions")


async def test_line_36_answers_carry_the_dated_model_and_who_served(http: Http) -> None:
    for path, body in ((INVOCATIONS, FRANCE), (EMBED, {"input": "x"})):
        answer = await http.post(path, body)
        assert answer.json.keys() >= {"id", "object", "model", "usage"}
        assert answer.headers["served-model-name"] in path
        assert answer.headers["x-request-id"]
    assert (await http.post(INVOCATIONS, FRANCE)).json["model"] == "smollm2-135m-instruct-020725"


async def test_line_37_counts_are_the_tokenizers(http: Http, llama: Engine) -> None:
    usage = (await http.post(INVOCATIONS, FRANCE)).json["usage"]
    messages = (
        Message(Role.SYSTEM, "You are a helpful assistant."),
        Message(Role.USER, "Name the capital of France."),
    )
    assert usage["prompt_tokens"] == len(await llama.tokenize(ChatRequest(messages)))
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


@pytest.mark.parametrize(
    ("texts", "tokens"), [("Hello, world!", 6), (["Hello, world!", "How are you today?", "This is a test."], 20)]
)
async def test_line_37_embeddings_count_every_inputs_special_tokens(http: Http, texts: object, tokens: int) -> None:
    assert (await http.post(EMBED, {"input": texts})).json["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}


async def test_line_38_max_tokens_is_kept_to_the_token(http: Http) -> None:
    answer = (await http.post(INVOCATIONS, FRANCE | {"max_tokens": 3})).json
    assert answer["usage"]["completion_tokens"] == 3
    assert answer["choices"][0]["finish_reason"] == "length"
    assert (await http.post(INVOCATIONS, FRANCE | {"max_tokens": None})).json["choices"][0]["finish_reason"] == "stop"


async def test_line_43_temperature_zero_repeats_itself(http: Http) -> None:
    body = FRANCE | {"messages": [{"role": "user", "content": "Tell me about the sea."}]}
    assert content(await http.post(INVOCATIONS, body)) == content(await http.post(INVOCATIONS, body))


async def running(http: Http) -> float:
    text = (await http.ask("GET", "/metrics", None)).raw.decode()
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith("openfm_requests_running ")))


async def test_line_44_a_hang_up_frees_the_slot_within_a_second(http: Http, session: aiohttp.ClientSession) -> None:
    body = FRANCE | {"stream": True, "max_tokens": 2000, "ignore_eos": True}
    headers = {"authorization": f"Bearer {http.token}"}
    response = await session.post(http.base + INVOCATIONS, json=body, headers=headers)
    await response.content.readany()
    assert await running(http) == 1
    response.close()
    left = time.monotonic()
    while await running(http):
        assert time.monotonic() - left < 1


async def test_line_47_a_system_message_overrides_the_default_one(http: Http) -> None:
    ask = {"role": "user", "content": "Hello"}
    default = (await http.post(INVOCATIONS, FRANCE | {"messages": [ask]})).json["usage"]["prompt_tokens"]
    long = {"role": "system", "content": "You are a pirate who speaks of nothing but the sea, the wind and old ships."}
    own = (await http.post(INVOCATIONS, FRANCE | {"messages": [long, ask]})).json["usage"]["prompt_tokens"]
    assert own > default


@pytest.mark.parametrize("stop", [" is", [" is", "zzz", "Paris", "."]])
async def test_line_48_stop_strings_never_leak(http: Http, stop: object) -> None:
    for body in (FRANCE | {"stop": stop}, FRANCE | {"stop": stop, "stream": True}):
        answer = await http.post(INVOCATIONS, body)
        text = streamed(answer) if "stream" in body else content(answer)
        assert " is" not in text
        assert text.startswith("The capital")


async def test_line_48_two_answers_have_two_indices_streamed_or_not(http: Http) -> None:
    answer = (await http.post(INVOCATIONS, FRANCE | {"n": 2})).json
    assert [choice["index"] for choice in answer["choices"]] == [0, 1]
    chunks = (await http.post(INVOCATIONS, FRANCE | {"n": 2, "stream": True})).events[:-1]
    assert {chunk["choices"][0]["index"] for chunk in chunks} == {0, 1}
    assert chunks[-1]["usage"]["completion_tokens"] == answer["usage"]["completion_tokens"]
    assert chunks[-1]["usage"]["prompt_tokens"] == answer["usage"]["prompt_tokens"] == 26


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "get_weather"}}])
async def test_line_49_a_forced_tool_call_is_made_and_answered(http: Http, choice: object) -> None:
    question = {"role": "user", "content": "What is the weather in Tokyo?"}
    body = {"messages": [question], "tools": [WEATHER], "tool_choice": choice, "temperature": 0}
    first = (await http.post(INVOCATIONS, body)).json["choices"][0]
    assert first["finish_reason"] == "tool_calls"
    assert first["message"]["content"] is None
    call = first["message"]["tool_calls"][0]
    assert call["id"].startswith("call_")
    assert isinstance(json.loads(call["function"]["arguments"])["city"], str)
    result = {"role": "tool", "tool_call_id": call["id"], "content": "22 degrees and sunny"}
    again = {"messages": [question, first["message"], result], "tools": [WEATHER], "tool_choice": "none"}
    assert content(await http.post(INVOCATIONS, again | {"max_tokens": 20}))


@pytest.mark.parametrize("path", CHAT_ROUTES)
@pytest.mark.parametrize("is_stream", [False, True])
async def test_line_50_a_schema_holds_at_temperature_one(http: Http, path: str, is_stream: bool) -> None:  # noqa: FBT001
    wanted = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON, "strict": True}}
    body = FRANCE | {"temperature": 1, "max_tokens": 200, "response_format": wanted, "stream": is_stream}
    answer = await http.post(path, body)
    person = json.loads(streamed(answer) if is_stream else content(answer))
    assert person.keys() == {"name", "age"}
    assert 0 <= person["age"] <= 99


async def test_line_50_json_object_gives_an_object(http: Http) -> None:
    body = FRANCE | {"messages": [{"role": "user", "content": "List a person as JSON"}], "max_tokens": 200}
    assert isinstance(
        json.loads(content(await http.post(INVOCATIONS, body | {"response_format": {"type": "json_object"}}))), dict
    )


async def test_line_51_logprobs_are_in_openais_layout(http: Http) -> None:
    choice = (await http.post(INVOCATIONS, FRANCE | {"logprobs": True, "top_logprobs": 2})).json["choices"][0]
    tokens = choice["logprobs"]["content"]
    assert "".join(token["token"] for token in tokens).strip() == choice["message"]["content"].strip()
    assert all(len(token["top_logprobs"]) == 2 and token["logprob"] <= 0 for token in tokens)


async def test_line_52_text_parts_are_taken(http: Http) -> None:
    parts = [{"type": "text", "text": "Name the capital of France."}]
    body = FRANCE | {"messages": [FRANCE["messages"][0], {"role": "user", "content": parts}]}
    assert "Paris" in content(await http.post(INVOCATIONS, body))


async def test_line_55_a_stream_is_data_lines_and_ends_with_done(http: Http) -> None:
    for path in CHAT_ROUTES:
        answer = await http.post(path, FRANCE | {"stream": True})
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.events[-1] == "[DONE]"


async def test_line_56_every_chunk_has_the_same_head_and_a_choice(http: Http) -> None:
    chunks = (await http.post(INVOCATIONS, FRANCE | {"stream": True})).events[:-1]
    assert len({(c["id"], c["created"], c["model"], c["object"]) for c in chunks}) == 1
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert all(isinstance(c["choices"][0]["delta"]["content"], str) for c in chunks)


@pytest.mark.parametrize("word", ["🦊🦊", "ภาษาไทย", "العربية"])
async def test_line_57_deltas_are_the_text_and_characters_stay_whole(http: Http, word: str) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "word", "schema": {"enum": [word]}}}
    for body in (FRANCE, FRANCE | {"response_format": wanted}):
        whole = content(await http.post(INVOCATIONS, body))
        assert streamed(await http.post(INVOCATIONS, body | {"stream": True})) == whole
        assert "response_format" not in body or json.loads(whole) == word


async def test_line_58_usage_in_every_chunk_or_in_openais_form(http: Http) -> None:
    exact = (await http.post(INVOCATIONS, FRANCE)).json["usage"]
    chunks = (await http.post(INVOCATIONS, FRANCE | {"stream": True})).events[:-1]
    counts = [chunk["usage"]["completion_tokens"] for chunk in chunks]
    assert counts == sorted(counts)
    assert counts[-1] == exact["completion_tokens"]
    asked = {"stream": True, "stream_options": {"include_usage": True}}
    *others, last = (await http.post("/v1/chat/completions", FRANCE | asked)).events[:-1]
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] == exact["total_tokens"]
    assert all(chunk["usage"] is None for chunk in others)


async def test_line_60_a_tool_call_streams_id_and_name_then_arguments(http: Http) -> None:
    body = {
        "messages": [{"role": "user", "content": "Weather in Tokyo?"}],
        "tools": [WEATHER],
        "tool_choice": "required",
    }
    chunks = (await http.post(INVOCATIONS, body | {"stream": True, "temperature": 0})).events[:-1]
    calls = [call for c in chunks for call in c["choices"][0]["delta"].get("tool_calls", [])]
    assert calls[0]["function"]["name"] == "get_weather"
    assert calls[0]["id"].startswith("call_")
    assert json.loads("".join(call["function"]["arguments"] for call in calls))["city"]
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


async def test_line_61_a_failure_before_the_first_token_is_a_status(http: Http) -> None:
    answer = await http.post(INVOCATIONS, FRANCE | {"stream": True, "max_tokens": 8192})
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/json"


async def test_line_62_tokens_arrive_as_they_are_made(http: Http, session: aiohttp.ClientSession) -> None:
    body = FRANCE | {"stream": True, "max_tokens": 40, "ignore_eos": True}
    headers = {"authorization": f"Bearer {http.token}"}
    async with session.post(http.base + INVOCATIONS, json=body, headers=headers) as response:
        assert response.headers["cache-control"] == "no-cache"
        assert response.headers["x-accel-buffering"] == "no"
        arrivals = [time.monotonic() async for _ in response.content.iter_any()]
    assert len(arrivals) > 10, "chunks were held back"


@pytest.fixture(scope="module")
def narrow(start_server: StartServer, session: aiohttp.ClientSession) -> Http:
    """A strict server with one slot and a short wait."""
    server = start_server("--strict", engine_slots="1", queue_deadline_s="0.3", queue_length="1")
    return Http(session, server.url, server.token)


async def test_line_63_a_wait_in_line_is_bounded_and_ends_with_503_and_retry_after(narrow: Http) -> None:
    long = {name: FRANCE[name] for name in ("messages", "temperature")} | {"max_tokens": 300}
    answers = await asyncio.gather(*(narrow.post(INVOCATIONS, long) for _ in range(4)))
    refused = [answer for answer in answers if answer.status != 200]
    assert {answer.status for answer in refused} <= {503}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert any(answer.status == 200 for answer in answers)


@pytest.mark.parametrize("name", ["stream_options", "seed", "user", "parallel_tool_calls", "metadata", "store"])
async def test_line_41_a_strict_server_refuses_unknown_fields_in_the_recorded_words(narrow: Http, name: str) -> None:
    answer = await narrow.post(INVOCATIONS, {"messages": FRANCE["messages"], name: None})
    assert answer.status == 400
    assert answer.json == {"error_code": "BAD_REQUEST", "message": f'Bad request: json: unknown field "{name}"\n'}


async def test_line_48_a_strict_server_refuses_to_stream_several_answers(narrow: Http) -> None:
    answer = await narrow.post(INVOCATIONS, {"messages": FRANCE["messages"], "n": 2, "stream": True})
    assert answer.json["message"] == 'Bad request: parameter "n" must be equal to 1 for streaming mode'


async def test_line_64_completions_come_prompt_by_prompt(http: Http) -> None:
    prompts = ["The capital of France is", "One, two, three,"]
    body = {
        "model": CHAT,
        "prompt": prompts,
        "n": 2,
        "max_tokens": 4,
        "temperature": 0,
        "echo": True,
        "use_raw_prompt": True,
    }
    choices = (await http.post("/serving-endpoints/completions", body)).json["choices"]
    assert [choice["index"] for choice in choices] == [0, 1, 2, 3]
    assert [choice["text"].startswith(prompts[i // 2]) for i, choice in enumerate(choices)] == [True] * 4
    assert (await http.post(INVOCATIONS, {"prompt": ["x"] * 17})).status == 400
    assert (await http.post(INVOCATIONS, {"prompt": ["x", "y"], "stream": True})).status == 400


async def test_line_65_echo_suffix_and_raw_prompts(http: Http) -> None:
    body = {"prompt": "The capital of France is", "max_tokens": 3, "temperature": 0}
    raw = (await http.post(INVOCATIONS, body | {"use_raw_prompt": True})).json
    templated = (await http.post(INVOCATIONS, body)).json
    assert templated["usage"]["prompt_tokens"] > raw["usage"]["prompt_tokens"] == 5
    decorated = body | {"use_raw_prompt": True, "echo": True, "suffix": "<end>"}
    text = raw["choices"][0]["text"]
    whole = (await http.post(INVOCATIONS, decorated)).json["choices"][0]["text"]
    assert whole == f"The capital of France is{text}<end>"
    chunks = (await http.post(INVOCATIONS, decorated | {"stream": True})).events[:-1]
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == whole
    openai = (await http.post("/v1/completions", body | {"model": CHAT})).json
    assert openai["usage"]["prompt_tokens"] == 5


async def test_line_65_truncate_makes_room_where_error_refuses(http: Http) -> None:
    body = {"prompt": "The capital of France is", "max_tokens": 8190, "use_raw_prompt": True, "stop": ["."]}
    assert (await http.post(INVOCATIONS, body | {"error_behavior": "error"})).status == 400
    assert (await http.post(INVOCATIONS, body | {"error_behavior": "truncate", "temperature": 0})).status == 200


async def test_line_66_vectors_have_length_one_and_base64_is_the_same(http: Http) -> None:
    data = (await http.post(EMBED, {"input": ["a", "b"]})).json["data"]
    assert [item["index"] for item in data] == [0, 1]
    assert math.hypot(*data[0]["embedding"]) == pytest.approx(1, abs=1e-3)
    packed = (await http.post(EMBED, {"input": "a", "encoding_format": "base64"})).json["data"][0]["embedding"]
    assert isinstance(packed, str)
    assert (await http.post(EMBED, {"input": "a", "dimensions": 8})).status == 400


async def test_line_67_an_instruction_changes_the_vector_and_the_count(http: Http) -> None:
    plain = (await http.post(EMBED, {"input": "the sea"})).json
    instructed = (await http.post(EMBED, {"input": "the sea", "instruction": "Represent this sentence:"})).json
    assert instructed["usage"]["prompt_tokens"] > plain["usage"]["prompt_tokens"]
    assert instructed["data"][0]["embedding"] != plain["data"][0]["embedding"]
    assert (await http.post(EMBED, {"input": ["x"] * 150})).status == 200
    assert (await http.post(EMBED, {"input": ["x"] * 151})).status == 400


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("databricks-dbrx-instruct", FRANCE),
        ("databricks-mixtral-8x7b-instruct", FRANCE),
        ("databricks-mpt-30b-instruct", {"prompt": "The capital of France is", "max_tokens": 5}),
        ("databricks-bge-large-en", {"input": "x"}),
    ],
)
async def test_missing_models_are_answered_by_a_default_one_that_is_named(http: Http, name: str, body: object) -> None:
    answer = await http.post(f"/serving-endpoints/{name}/invocations", body)
    assert answer.status == 200
    assert answer.headers["served-model-name"] in {CHAT, EMBEDDING}
    listed = (await http.get("/v1/models")).json["data"]
    assert name in {model["id"] for model in listed}
