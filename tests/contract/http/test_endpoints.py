"""Serving endpoints over plain HTTP; `test_line_NN_…` is line NN of the contract checklist."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from tests.conftest import CHAT
from tests.contract.http.conftest import Http

_ROOT = "/api/2.0/serving-endpoints"
_READY = {"ready": "READY", "config_update": "NOT_UPDATING"}


def external(name: str, **change: object) -> dict[str, Any]:
    """A served entity that is ready at once, and is never asked."""
    config = {"openai_api_base": "https://models.example/v1", "openai_api_key_plaintext": "k"}
    model = {"provider": "openai", "name": "gpt", "task": "llm/v1/chat", "openai_config": config} | change
    return {"name": name, "external_model": model}


def config(*names: str) -> dict[str, Any]:
    shares = [100 // len(names)] * len(names)
    shares[0] += 100 - sum(shares)
    routes = [
        {"served_model_name": name, "traffic_percentage": str(share)} for name, share in zip(names, shares, strict=True)
    ]
    return {"served_entities": [external(name) for name in names], "traffic_config": {"routes": routes}}


async def settled(http: Http, name: str) -> Any:
    async with asyncio.timeout(30):
        while True:
            shown = (await http.get(f"{_ROOT}/{name}")).json
            if shown["state"]["config_update"] != "IN_PROGRESS":
                return shown
            await asyncio.sleep(0.02)


@pytest.fixture
async def made(http: Http) -> AsyncIterator[str]:
    """An endpoint that is READY."""
    name = "over-http"
    assert (await http.send("POST", _ROOT, {"name": name, "config": config("a")})).status == 200
    assert (await settled(http, name))["state"] == _READY
    yield name
    await http.send("DELETE", f"{_ROOT}/{name}")


MLFLOW_LEGACY = {"route_optimized": False, "tags": [{"key": "a", "value": "b"}], "rate_limits": []}


@pytest.mark.parametrize("path", [_ROOT, f"{_ROOT}/"])
@pytest.mark.parametrize("more", [{}, MLFLOW_LEGACY, {"unknown": {"x": [1]}, "description": "D."}], ids=str)
async def test_line_18_every_clients_way_of_creating_is_understood(
    http: Http, path: str, more: dict[str, object]
) -> None:
    answer = await http.send("POST", path, {"name": "ways", "config": config("a"), **more})
    assert answer.status == 200
    assert answer.json["name"] == "ways"
    assert answer.json["state"] == {"ready": "NOT_READY", "config_update": "IN_PROGRESS"}
    assert answer.json["pending_config"]["start_time"] > 0
    assert "config" not in answer.json
    await settled(http, "ways")
    deleted = await http.send("DELETE", f"{_ROOT}/ways")
    assert (deleted.status, deleted.json) == (200, {})


@pytest.mark.parametrize("content_type", ["text/json", "text/plain", "application/x-www-form-urlencoded", ""])
async def test_line_21_a_body_is_json_whatever_its_header_says(http: Http, content_type: str) -> None:
    answer = await http.send(
        "POST", _ROOT, {"name": "typed", "config": config("a", "b")}, **{"Content-Type": content_type}
    )
    assert answer.status == 200
    shown = await settled(http, "typed")
    assert [route["traffic_percentage"] for route in shown["config"]["traffic_config"]["routes"]] == [50, 50]
    await http.send("DELETE", f"{_ROOT}/typed")


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"nonsense", b'{"name": "\xff\xfe"}', b"null"])
async def test_a_body_that_is_no_json_object_is_400(http: Http, raw: bytes) -> None:
    answer = await http.post(_ROOT, raw)
    assert answer.status == 400
    assert answer.json["error_code"] == "INVALID_PARAMETER_VALUE"
    assert answer.json.keys() == {"error_code", "message"}


async def test_lines_23_to_25_one_update_at_a_time_and_the_next_version(http: Http, made: str) -> None:
    """A model that has to be loaded first keeps the update under way for a while."""
    slow = {"entity_name": "system.ai.minilm_l6_v2", "entity_version": "1", "name": "slow"}
    refused = await http.send("PUT", f"{_ROOT}/{made}/config", {"served_entities": [slow]})
    assert refused.status == 400
    assert "llm/v1/embeddings" in refused.json["message"]
    chat = {"entity_name": "system.ai.smollm2_135m_instruct", "entity_version": "1", "name": "chat"}
    started = await http.send("PUT", f"{_ROOT}/{made}/config", {"served_entities": [chat]})
    assert started.json["state"] == {"ready": "READY", "config_update": "IN_PROGRESS"}
    second = await http.send("PUT", f"{_ROOT}/{made}/config", config("b"))
    assert (second.status, second.json["error_code"]) == (409, "RESOURCE_CONFLICT")
    cancelled = await http.send("POST", f"{_ROOT}/{made}/config:cancel")
    assert cancelled.json["state"] == {"ready": "READY", "config_update": "UPDATE_CANCELED"}
    assert (await http.send("PUT", f"{_ROOT}/{made}/config", config("b"))).status == 200
    shown = await settled(http, made)
    assert (shown["state"], shown["config"]["config_version"]) == (_READY, 3)
    assert "pending_config" not in shown


async def test_line_25_an_update_that_cannot_be_deployed_is_failed_and_the_old_one_ready(http: Http, made: str) -> None:
    bad = external("bad", openai_config={"openai_api_base": "http://127.0.0.1:9/v1", "openai_api_key_plaintext": "k"})
    await http.send("PUT", f"{_ROOT}/{made}/config", {"served_entities": [bad]})
    shown = await settled(http, made)
    assert shown["state"] == {"ready": "READY", "config_update": "UPDATE_FAILED"}
    assert shown["config"]["served_entities"][0]["name"] == "a"
    (entity,) = shown["pending_config"]["served_entities"]
    assert entity["state"]["deployment"] == "DEPLOYMENT_FAILED"
    assert "127.0.0.1" in entity["state"]["deployment_state_message"]


async def test_line_28_a_stopped_endpoint_refuses_queries_and_starts_as_a_new_version(http: Http, made: str) -> None:
    stopped = await http.send("POST", f"{_ROOT}/{made}/config:stop")
    assert stopped.json["state"] == {"ready": "NOT_READY", "config_update": "NOT_UPDATING", "suspend": "STOPPED"}
    asked = await http.post(f"/serving-endpoints/{made}/invocations", {"messages": [{"role": "user", "content": "Hi"}]})
    assert asked.status == 400
    assert "config:start" in asked.json["message"]
    assert (await http.send("POST", f"{_ROOT}/{made}/config:start")).status == 200
    shown = await settled(http, made)
    assert (shown["state"], shown["config"]["config_version"]) == (_READY, 2)


async def test_line_16_metrics_parse_as_prometheus_and_as_openmetrics(http: Http) -> None:
    await http.post(
        f"/serving-endpoints/{CHAT}/invocations", {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
    )
    text = (await http.get(f"{_ROOT}/{CHAT}/metrics")).raw.decode()
    names = {
        "cpu_usage_percentage",
        "mem_usage_percentage",
        "provisioned_concurrent_requests_total",
        "request_count_total",
        "request_4xx_count_total",
        "request_5xx_count_total",
        "request_latency_ms",
    }
    parsed = (prometheus(text), openmetrics(text + "# EOF\n"))  # type: ignore[no-untyped-call]  # as published
    for families in parsed:
        found = {family.name: family for family in families}
        assert names <= found.keys()
        labels = found["mem_usage_percentage"].samples[0].labels
        assert labels == {"endpoint_name": CHAT, "served_model_name": CHAT, "served_model_version": "1"}
        assert found["mem_usage_percentage"].samples[0].value > 0


@pytest.mark.parametrize("change", [("PUT", "/config"), ("POST", "/config:stop"), ("DELETE", "")])
async def test_pay_per_token_endpoints_are_not_changed(http: Http, change: tuple[str, str]) -> None:
    method, path = change
    answer = await http.send(method, f"{_ROOT}/{CHAT}{path}", config("a") if method == "PUT" else None)
    assert (answer.status, answer.json["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


async def test_line_45_a_request_that_its_client_gave_up_and_sent_again_runs_once_at_a_time(http: Http) -> None:
    """As databricks-sdk does after 60 s: the first connection is closed, and the same body sent again."""
    body = {
        "messages": [{"role": "user", "content": "Count."}],
        "max_tokens": 1500,
        "ignore_eos": True,
        "client_request_id": "again",
    }
    given_up = await _aborted(http)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await http.post(f"/serving-endpoints/{CHAT}/invocations", body)
    async with asyncio.timeout(5):
        while await _aborted(http) < given_up + 2 or await _running(http):  # noqa: ASYNC110  # a real server
            await asyncio.sleep(0.05)


async def _aborted(http: Http) -> float:
    return await _metric(http, "openfm_requests_total", status="499")


async def _running(http: Http) -> float:
    return await _metric(http, "openfm_requests_running")


async def _metric(http: Http, name: str, **labels: str) -> float:
    text = (await http.get("/metrics")).raw.decode()
    samples = [sample for family in prometheus(text) for sample in family.samples if sample.name == name]
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "description", {"description": "\ud800"}),
        ("PATCH", "tags", {"add_tags": [{"key": "\udfff", "value": "x"}]}),
        ("PATCH", "notifications", {"email_notifications": {"on_update_failure": ["\ud800"]}}),
        ("PUT", "ai-gateway", {"guardrails": {"input": {"invalid_keywords": ["\ud800"]}}}),
    ],
)
async def test_text_that_is_none_is_refused_and_nothing_of_it_is_kept(
    http: Http, made: str, method: str, path: str, body: object
) -> None:
    raw = json.dumps(body).encode()
    async with http.session.request(
        method, f"{http.base}{_ROOT}/{made}/{path}", data=raw, headers={"authorization": f"Bearer {http.token}"}
    ) as answer:
        assert answer.status == 400, await answer.text()
    assert (await http.get(_ROOT)).status == 200
    assert (await http.get(f"{_ROOT}/{made}")).json["state"] == _READY
