"""`openfm endpoints` against a really started server: what docs/how-to/endpoints.md tells people to type."""

import json
import subprocess
import sys
from typing import Any

from tests.conftest import Server

_MODEL = "system.ai.minilm_l6_v2"


def openfm(server: Server, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "openfm", "endpoints", *words, "--url", server.url, "--token", server.token]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def shown(server: Server, *words: str) -> Any:
    done = openfm(server, *words, "-o", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_endpoints_whole_life(server: Server) -> None:
    created = openfm(server, "create", "typed", "--model", _MODEL, "--version", "1", "--tag", "team=nlp", "--wait")
    assert created.returncode == 0, created.stderr
    assert shown(server, "get", "typed")["state"] == {"ready": "READY", "config_update": "NOT_UPDATING"}
    assert shown(server, "get", "typed")["tags"] == [{"key": "team", "value": "nlp"}]
    answer = shown(server, "query", "typed", "--json", '{"input": ["a cat"]}')
    assert len(answer["data"][0]["embedding"]) == 384
    two = [{"name": name, "entity_name": _MODEL, "entity_version": "1"} for name in ("a", "b")]
    routes = [{"served_entity_name": name, "traffic_percentage": 50} for name in ("a", "b")]
    body = json.dumps({"served_entities": two, "traffic_config": {"routes": routes}})
    updated = openfm(server, "update-config", "typed", "--json", body, "--wait")
    assert updated.returncode == 0, updated.stderr
    assert shown(server, "get", "typed")["config"]["config_version"] == 2
    assert openfm(server, "logs", "typed", "a").returncode == 0
    assert "request_count_total" in openfm(server, "export-metrics", "typed").stdout
    assert openfm(server, "stop", "typed").returncode == 0
    assert shown(server, "get", "typed")["state"]["suspend"] == "STOPPED"
    assert openfm(server, "start", "typed", "--wait").returncode == 0
    assert openfm(server, "delete", "typed").returncode == 0
    assert openfm(server, "get", "typed").returncode == 4


def test_an_update_that_cannot_be_deployed_ends_with_1_and_the_reason(server: Server) -> None:
    """No address in this network may be reached unless OPENFM_EGRESS_ALLOW names it."""
    config = {"openai_api_base": "http://127.0.0.1:9/v1", "openai_api_key_plaintext": "k"}
    model = {"provider": "openai", "name": "m", "task": "llm/v1/chat", "openai_config": config}
    body = {"name": "broken", "config": {"served_entities": [{"name": "far", "external_model": model}]}}
    done = openfm(server, "create", "--json", json.dumps(body), "--wait")
    assert done.returncode == 1, done
    assert "127.0.0.1" in done.stderr
    assert openfm(server, "delete", "broken").returncode == 0
