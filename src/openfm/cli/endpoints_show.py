"""Serving endpoints as text for people."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from openfm.cli.output import Output, print_facts, print_json

_UPDATE_WORDS = {
    "IN_PROGRESS": "Updating",
    "UPDATE_FAILED": "Update failed",
    "UPDATE_CANCELED": "Update canceled",
}


def show(endpoint: dict[str, Any], output: Output) -> None:
    """Write one endpoint."""
    if output.is_json:
        print_json(endpoint)
    else:
        print_facts(facts(endpoint))


def row(endpoint: dict[str, Any]) -> tuple[str, ...]:
    """The endpoint in a table: name, task, state, models."""
    config = endpoint.get("config") or endpoint.get("pending_config") or {}
    models = ", ".join(str(_model_name(entity)) for entity in config.get("served_entities") or [])
    return (str(endpoint.get("name")), str(endpoint.get("task")), state_words(endpoint), models)


def state_words(endpoint: dict[str, Any]) -> str:
    """Like "READY (Update failed)"."""
    state = endpoint.get("state") or {}
    ready = str(state.get("ready", ""))
    word = "Stopped" if state.get("suspend") == "STOPPED" else _UPDATE_WORDS.get(str(state.get("config_update")))
    return f"{ready} ({word})" if word else ready


def facts(endpoint: dict[str, Any]) -> list[tuple[str, str]]:
    """Names and values."""
    listed = [
        ("name", str(endpoint.get("name"))),
        ("id", str(endpoint.get("id") or "")),
        ("task", str(endpoint.get("task"))),
        ("state", state_words(endpoint)),
        ("type", str(endpoint.get("endpoint_type") or "")),
        ("creator", str(endpoint.get("creator") or "")),
        ("created", _time(endpoint.get("creation_timestamp"))),
        ("permission", str(endpoint.get("permission_level") or "")),
        ("tags", ", ".join(_tag(tag) for tag in endpoint.get("tags") or [])),
    ]
    for title, key, words in (
        ("served entity", "config", "config version"),
        ("pending entity", "pending_config", "pending config version"),
    ):
        config = endpoint.get(key) or {}
        listed.append((words, str(config.get("config_version") or "")))
        for entity in config.get("served_entities") or []:
            listed += _entity_facts(title, entity, config)
    return listed


def _entity_facts(title: str, entity: dict[str, Any], config: dict[str, Any]) -> Iterator[tuple[str, str]]:
    foundation, state = entity.get("foundation_model") or {}, entity.get("state") or {}
    yield title, str(entity.get("name"))
    yield "  version", f"{_model_name(entity)} {entity.get('entity_version') or ''}".rstrip()
    yield "  model", str(foundation.get("description") or "")
    yield "  size", ", ".join(_size(entity))
    yield "  traffic", _traffic(entity, config)
    yield "  deployment", f"{state.get('deployment', '')} {state.get('deployment_state_message', '')}".strip()


def _size(entity: dict[str, Any]) -> Iterator[str]:
    if entity.get("workload_size"):
        yield str(entity["workload_size"])
    if entity.get("max_provisioned_throughput"):
        least, most = entity.get("min_provisioned_throughput") or 0, entity["max_provisioned_throughput"]
        yield f"{least} to {most} tokens/s"
    if entity.get("scale_to_zero_enabled"):
        yield "scales to zero"


def _traffic(entity: dict[str, Any], config: dict[str, Any]) -> str:
    routes = (config.get("traffic_config") or {}).get("routes") or []
    shares = [route.get("traffic_percentage") for route in routes if route.get("served_model_name") == entity["name"]]
    return f"{shares[0]} %" if shares else ""


def _model_name(entity: dict[str, Any]) -> object:
    foundation, external = entity.get("foundation_model") or {}, entity.get("external_model") or {}
    return foundation.get("display_name") or entity.get("entity_name") or external.get("name") or entity.get("name")


def _tag(tag: dict[str, Any]) -> str:
    return f"{tag.get('key')}={tag.get('value')}" if tag.get("value") else str(tag.get("key"))


def _time(milliseconds: object) -> str:
    if not isinstance(milliseconds, int):
        return ""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")
