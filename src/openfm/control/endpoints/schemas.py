"""Serving endpoints on the wire, as databricks-sdk 0.19 to 0.162 parse them (`service/serving.py`)."""

from collections.abc import Sequence
from typing import Literal, Protocol

from pydantic import BaseModel

from openfm.core.endpoint import Deployment, DeploymentState, EndpointConfig, ServedEntity, ServingEndpoint
from openfm.core.model import ModelProfile, Task
from openfm.core.principal import PermissionLevel

_API_TYPES = {
    Task.CHAT: ["mlflow/v1/chat/completions", "openai/v1/chat/completions", "openai/v1/completions"],
    Task.COMPLETIONS: ["mlflow/v1/completions", "openai/v1/completions"],
    Task.EMBEDDINGS: ["mlflow/v1/embeddings", "openai/v1/embeddings"],
}


class Deployments(Protocol):
    """Knows how served entities are doing."""

    def deployment(self, entity: ServedEntity) -> Deployment:
        """The entity's state now."""
        ...


class FoundationModel(BaseModel):
    """A model that the platform offers."""

    name: str
    display_name: str
    docs: str
    description: str
    api_types: list[str]


class ServedEntityState(BaseModel):
    """How one served entity is doing."""

    deployment: DeploymentState
    deployment_state_message: str


class ServedEntityOutput(BaseModel):
    """One served entity."""

    name: str
    entity_name: str
    entity_version: str
    type: Literal["FOUNDATION_MODEL"] = "FOUNDATION_MODEL"
    foundation_model: FoundationModel
    scale_to_zero_enabled: bool = False
    creation_timestamp: int
    creator: str
    state: ServedEntityState


class ServedModelOutput(BaseModel):
    """The deprecated mirror of a served entity, which older clients read."""

    name: str
    model_name: str
    model_version: str
    scale_to_zero_enabled: bool = False
    creation_timestamp: int
    creator: str
    state: ServedEntityState


class RouteOutput(BaseModel):
    """A share of traffic, under the new and the old name of its entity."""

    served_entity_name: str
    served_model_name: str
    traffic_percentage: int


class TrafficConfig(BaseModel):
    """All shares."""

    routes: list[RouteOutput]


class ConfigOutput(BaseModel):
    """The active configuration."""

    config_version: int
    served_entities: list[ServedEntityOutput]
    served_models: list[ServedModelOutput]
    traffic_config: TrafficConfig


class EndpointState(BaseModel):
    """READY when every served entity is."""

    ready: Literal["READY", "NOT_READY"]
    config_update: Literal["NOT_UPDATING"] = "NOT_UPDATING"


class Capabilities(BaseModel):
    """What the model can do beyond its task."""

    function_calling: bool
    openai_reasoning: bool


class EndpointOutput(BaseModel):
    """A serving endpoint."""

    id: str
    name: str
    creator: str
    creation_timestamp: int
    last_updated_timestamp: int
    description: str
    endpoint_type: str
    task: Task
    permission_level: str
    route_optimized: bool = False
    capabilities: Capabilities
    state: EndpointState
    config: ConfigOutput
    tags: list[dict[str, str]] = []


class EndpointList(BaseModel):
    """All endpoints that the caller may see."""

    endpoints: list[EndpointOutput]


def endpoint_output(endpoint: ServingEndpoint, deployments: Deployments, permission: PermissionLevel) -> EndpointOutput:
    """The endpoint with its live state."""
    states = [deployments.deployment(entity) for entity in endpoint.config.served_entities]
    is_ready = all(state.state is DeploymentState.READY for state in states)
    model = endpoint.config.served_entities[0].model
    return EndpointOutput(
        id=endpoint.id,
        name=endpoint.name,
        creator=endpoint.creator,
        creation_timestamp=endpoint.creation_timestamp,
        last_updated_timestamp=endpoint.last_updated_timestamp,
        description=_description(endpoint, model),
        endpoint_type=endpoint.endpoint_type,
        task=endpoint.task,
        permission_level=permission.name,
        capabilities=Capabilities(
            function_calling=model.has_function_calling and endpoint.task is Task.CHAT,
            openai_reasoning=model.has_reasoning,
        ),
        state=EndpointState(ready="READY" if is_ready else "NOT_READY"),
        config=_config_output(endpoint, states),
    )


def _description(endpoint: ServingEndpoint, model: ModelProfile) -> str:
    if endpoint.is_alias:
        return f"Stands in for a model that is not served here: {model.display_name} answers."
    return model.description


def _config_output(endpoint: ServingEndpoint, states: Sequence[Deployment]) -> ConfigOutput:
    config: EndpointConfig = endpoint.config
    entities = [
        _entity_output(endpoint, entity, state) for entity, state in zip(config.served_entities, states, strict=True)
    ]
    return ConfigOutput(
        config_version=config.version,
        served_entities=entities,
        served_models=[
            ServedModelOutput(
                name=entity.name,
                model_name=entity.entity_name,
                model_version=entity.entity_version,
                creation_timestamp=entity.creation_timestamp,
                creator=entity.creator,
                state=entity.state,
            )
            for entity in entities
        ],
        traffic_config=TrafficConfig(
            routes=[
                RouteOutput(
                    served_entity_name=route.served_entity_name,
                    served_model_name=route.served_entity_name,
                    traffic_percentage=route.traffic_percentage,
                )
                for route in config.routes
            ]
        ),
    )


def _entity_output(endpoint: ServingEndpoint, entity: ServedEntity, state: Deployment) -> ServedEntityOutput:
    model = entity.model
    return ServedEntityOutput(
        name=entity.name,
        entity_name=entity.entity_name,
        entity_version=entity.entity_version,
        foundation_model=FoundationModel(
            name=entity.entity_name,
            display_name=model.display_name,
            docs=model.docs,
            description=model.description,
            api_types=_API_TYPES[endpoint.task],
        ),
        creation_timestamp=endpoint.creation_timestamp,
        creator=endpoint.creator,
        state=ServedEntityState(deployment=state.state, deployment_state_message=state.message),
    )
