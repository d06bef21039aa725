"""Endpoints as clients see them, and names that stand in for models."""

from dataclasses import replace

import pytest

from openfm.catalog.catalog import load_catalog
from openfm.control.endpoints.defaults import alias_endpoints
from openfm.control.endpoints.openapi import openapi_document
from openfm.control.endpoints.outputs import endpoint_output
from openfm.control.workspace.links import base_url
from openfm.core.endpoint import (
    Deployment,
    DeploymentState,
    EndpointConfig,
    EndpointType,
    Route,
    ServedEntity,
    ServingEndpoint,
)
from openfm.core.errors import InvalidParameterValue
from openfm.core.model import Task
from openfm.core.principal import PermissionLevel

CATALOG = load_catalog()


def default_endpoint(task: Task) -> ServingEndpoint:
    model = CATALOG.default_for(task)
    assert model is not None
    entity = ServedEntity(model.endpoint_name, model.entity_name, model.entity_version, model.profile, "d")
    config = EndpointConfig(1, (entity,), (Route(entity.name, 100),))
    kind = EndpointType.FOUNDATION_MODEL_API
    return ServingEndpoint("0", model.endpoint_name, task, kind, "system", 1, 1, config)


class Deployments:
    def __init__(self, state: DeploymentState) -> None:
        self._state = state

    def deployment(self, entity: ServedEntity) -> Deployment:
        return Deployment(self._state, entity.name)

    trial = deployment


DEFAULTS = [default_endpoint(Task.CHAT), default_endpoint(Task.EMBEDDINGS)]


def test_every_model_that_is_not_served_gets_a_stand_in_of_its_own_task() -> None:
    aliases = {alias.name: alias for alias in alias_endpoints(CATALOG, DEFAULTS)}
    assert aliases.keys() == {model.endpoint_name for model in CATALOG.models} - {e.name for e in DEFAULTS}
    assert aliases["databricks-mpt-30b-instruct"].task is Task.COMPLETIONS
    assert aliases["databricks-mpt-30b-instruct"].active.served_entities[0].name == DEFAULTS[0].name
    assert aliases["databricks-bge-large-en"].config == DEFAULTS[1].config
    assert len({alias.id for alias in aliases.values()}) == len(aliases)


@pytest.mark.parametrize("state", list(DeploymentState))
def test_an_endpoint_is_ready_when_its_entities_are(state: DeploymentState) -> None:
    shown = endpoint_output(DEFAULTS[0], Deployments(state), PermissionLevel.CAN_QUERY)
    assert (shown.state.ready == "READY") is (state is DeploymentState.READY)
    assert shown.config is not None
    assert shown.config.served_entities[0].state.deployment_state_message == DEFAULTS[0].name
    assert shown.permission_level == "CAN_QUERY"


def test_an_openapi_document_has_the_fields_that_are_taken_and_no_others() -> None:
    document = openapi_document(DEFAULTS[0], "http://here")
    fields = document["components"]["schemas"]["ChatBody"]["properties"]
    assert {"messages", "max_tokens", "max_completion_tokens"} <= fields.keys()
    assert not {"functions", "thinking", "prompt"} & fields.keys()


@pytest.mark.parametrize("shares", [(50, 49), (100, 1), (0, 0)])
def test_shares_of_traffic_sum_to_100(shares: tuple[int, int]) -> None:
    entity = DEFAULTS[0].active.served_entities[0]
    entities = (entity, replace(entity, name="other"))
    with pytest.raises(InvalidParameterValue, match="sum to"):
        EndpointConfig(1, entities, tuple(Route(e.name, share) for e, share in zip(entities, shares, strict=True)))


@pytest.mark.parametrize(
    ("host", "url"),
    [
        (b"openfm.example:8443", "http://openfm.example:8443"),
        (b"[::1]:8080", "http://[::1]:8080"),
        (b"evil.example/path?", "http://127.0.0.1:8080"),
        (b'x"},{"y":"', "http://127.0.0.1:8080"),
    ],
)
def test_absolute_urls_are_what_the_client_called_if_that_is_a_host(host: bytes, url: str) -> None:
    scope = {"headers": [(b"host", host)], "server": ("127.0.0.1", 8080), "scheme": "http"}
    assert base_url(None, scope) == url
    assert base_url("https://public.example/", scope) == "https://public.example"
