"""Requests of the shape that clients send whose licence keeps them out of our tests, and what curl would see.

`test_line_NN_…` is line NN of the contract checklist.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.clients.conftest import Server

pytestmark = pytest.mark.clients

CHAT = "openfm-smollm2-135m-instruct"
EMBEDDING = "openfm-minilm-l6-v2"
MESSAGES = [
    {"role": "system", "content": "You are a helpful assistant."},
    {"role": "user", "content": "Name the capital of France."},
]


@pytest_asyncio.fixture(scope="session")
async def http(server: Server) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bearer {server.token}"}
    async with aiohttp.ClientSession(server.url, headers=headers) as session:
        yield session


async def listed(http: aiohttp.ClientSession) -> dict[str, dict[str, Any]]:
    async with http.get("/api/2.0/serving-endpoints") as answer:
        return {endpoint["name"]: endpoint for endpoint in (await answer.json())["endpoints"]}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/2.0/serving-endpoints"),
        ("GET", f"/api/2.0/serving-endpoints/{CHAT}"),
        ("GET", "/api/2.0/preview/scim/v2/Me"),
        ("POST", f"/serving-endpoints/{CHAT}/invocations"),
    ],
)
async def test_line_06_a_missing_token_is_unauthenticated(server: Server, method: str, path: str) -> None:
    async with aiohttp.ClientSession() as stranger, stranger.request(method, server.url + path, json={}) as answer:
        body = await answer.json()
        assert answer.status == 401
        assert body["error_code"] == "UNAUTHENTICATED"
        assert "error" not in body


async def test_line_08_me_names_the_workspace(http: aiohttp.ClientSession) -> None:
    async with http.get("/api/2.0/preview/scim/v2/Me") as answer:
        assert int(answer.headers["x-databricks-org-id"]) > 0
        assert (await answer.json())["userName"]


@pytest.mark.parametrize("path", ["/api/2.0/serving-endpoints", "/api/2.0/serving-endpoints/"])
async def test_line_10_the_list_answers_with_and_without_slash(http: aiohttp.ClientSession, path: str) -> None:
    async with http.get(path) as answer:
        assert answer.status == 200
        assert CHAT in {endpoint["name"] for endpoint in (await answer.json())["endpoints"]}


async def test_line_11_pay_per_token_endpoints_say_what_model_they_serve(http: aiohttp.ClientSession) -> None:
    listing = await listed(http)
    endpoints = {name: one for name, one in listing.items() if one["endpoint_type"] == "FOUNDATION_MODEL_API"}
    assert {CHAT, EMBEDDING, "databricks-llama-2-70b-chat"} <= endpoints.keys()
    for endpoint in endpoints.values():
        assert endpoint["task"] in {"llm/v1/chat", "llm/v1/completions", "llm/v1/embeddings"}
        assert endpoint["state"] == {"ready": "READY", "config_update": "NOT_UPDATING"}
        assert isinstance(endpoint["capabilities"]["function_calling"], bool)
        model = endpoint["config"]["served_entities"][0]["foundation_model"]
        assert {"name", "display_name", "docs", "description"} <= model.keys()


async def test_line_12_an_endpoint_is_complete_and_an_unknown_one_does_not_exist(http: aiohttp.ClientSession) -> None:
    async with http.get(f"/api/2.0/serving-endpoints/{CHAT}") as answer:
        endpoint = await answer.json()
    assert {"id", "name", "task", "state", "permission_level", "creator"} <= endpoint.keys()
    assert {"served_entities", "traffic_config", "config_version"} <= endpoint["config"].keys()
    assert endpoint["creation_timestamp"] <= endpoint["last_updated_timestamp"]
    async with http.get("/api/2.0/serving-endpoints/no-such-endpoint") as answer:
        assert answer.status == 404
        assert (await answer.json())["error_code"] == "RESOURCE_DOES_NOT_EXIST"


async def test_chat_databricks_is_answered(http: aiohttp.ClientSession) -> None:
    asked = {"model": CHAT, "messages": MESSAGES, "stream": False, "temperature": 0.0, "max_tokens": 24, "stop": ["\n"]}
    async with http.post("/serving-endpoints/chat/completions", json=asked) as answer:
        body = await answer.json()
    assert body["choices"][0]["message"]["role"] == "assistant"
    assert "Paris" in body["choices"][0]["message"]["content"]
    assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"]


async def test_line_59_chat_databricks_reads_every_chunk(http: aiohttp.ClientSession) -> None:
    asked = {"model": CHAT, "messages": MESSAGES, "stream": True, "temperature": 0.0, "max_tokens": 24}
    async with http.post("/serving-endpoints/chat/completions", json=asked) as answer:
        assert answer.content_type == "text/event-stream"
        lines = [line for line in (await answer.text()).split("\n") if line]
    assert lines.pop() == "data: [DONE]"
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines]
    assert all(line.startswith("data: ") for line in lines)
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert "Paris" in "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks)
    assert len({(chunk["id"], chunk["model"], chunk["object"]) for chunk in chunks}) == 1
    assert chunks[-1]["choices"][0]["finish_reason"] in {"stop", "length"}


async def test_line_68_databricks_embeddings_sends_20_20_and_5_texts(http: aiohttp.ClientSession) -> None:
    texts = [f"text number {i}" for i in range(45)]
    vectors = []
    for first in (0, 20, 40):
        asked = {"input": texts[first : first + 20]}
        async with http.post(f"/serving-endpoints/{EMBEDDING}/invocations", json=asked) as answer:
            vectors += [item["embedding"] for item in (await answer.json())["data"]]
    assert [len(vector) for vector in vectors] == [384] * 45
