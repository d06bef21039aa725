"""The OpenAPI document of one endpoint, written from the very structs that decode its requests."""

from typing import Any

import msgspec

from openfm.core.endpoint import ServingEndpoint
from openfm.core.model import Task
from openfm.wire import fields
from openfm.wire.requests import ChatBody, CompletionBody, EmbeddingBody, Tracked

_BODIES: dict[Task, tuple[type[Tracked], tuple[fields.Field, ...], str]] = {
    Task.CHAT: (ChatBody, fields.CHAT_FIELDS, "messages"),
    Task.COMPLETIONS: (CompletionBody, fields.COMPLETION_FIELDS, "prompt"),
    Task.EMBEDDINGS: (EmbeddingBody, fields.EMBEDDING_FIELDS, "input"),
}


def openapi_document(endpoint: ServingEndpoint, url: str) -> dict[str, Any]:
    """OpenAPI 3.1; `url` is the server's own, without a slash at the end."""
    struct, table, required = _BODIES[endpoint.task]
    (reference,), schemas = msgspec.json.schema_components([struct], ref_template="#/components/schemas/{name}")
    body = schemas[struct.__name__]
    for name in body["properties"].keys() - fields.names(table, fields.Policy.IMPLEMENTED, fields.Policy.ALIAS):
        del body["properties"][name]
    body["required"] = [required]
    return {
        "openapi": "3.1.0",
        "info": {"title": endpoint.name, "version": str(_version(endpoint))},
        "servers": [{"url": f"{url}/serving-endpoints/{endpoint.name}"}],
        "paths": {
            "/invocations": {
                "post": {
                    "operationId": "invocations",
                    "requestBody": {"required": True, "content": {"application/json": {"schema": reference}}},
                    "responses": {"200": {"description": "The answer", "content": {"application/json": {}}}},
                    "security": [{"bearer": []}],
                }
            }
        },
        "components": {"schemas": schemas, "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
    }


def _version(endpoint: ServingEndpoint) -> int:
    shown = endpoint.config or endpoint.pending_config
    return shown.version if shown else 0
