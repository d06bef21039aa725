"""Serving endpoints on the wire, as databricks-sdk 0.19 to 0.162 parse them (`service/serving.py`)."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel

from openfm.control.endpoints.ports import Deployments
from openfm.core.endpoint import (
    Deployment,
    DeploymentState,
    EndpointConfig,
    EndpointType,
    Route,
    ServedEntity,
    ServingEndpoint,
    UpdateState,
)
from openfm.core.model import Task
from openfm.core.principal import PermissionLevel

_API_TYPES = {
    Task.CHAT: ["mlflow/v1/chat/completions", "openai/v1/chat/completions", "openai/v1/completions"],
    Task.COMPLETIONS: ["mlflow/v1/completions", "openai/v1/completions"],
    Task.EMBEDDINGS: ["mlflow/v1/embeddings", "openai/v1/embeddings"],
}
_SYSTEM_MODELS = "system.ai."


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
    entity_name: str | None = None
    entity_version: str | None = None
    type: Literal["FOUNDATION_MODEL", "EXTERNAL_MODEL", "CUSTOM_MODEL"]
    foundation_model: FoundationModel | None = None
    external_model: dict[str, Any] | None = None
    workload_size: str | None = None
    workload_type: str | None = None
    scale_to_zero_enabled: bool = False
    environment_vars: dict[str, str] | None = None
    min_provisioned_throughput: int | None = None
    max_provisioned_throughput: int | None = None
    provisioned_model_units: int | None = None
    burst_scaling_enabled: bool | None = None
    creation_timestamp: int
    creator: str
    state: ServedEntityState


class ServedModelOutput(BaseModel):
    """The deprecated mirror of a served entity, which older clients read."""

    name: str
    model_name: str
    model_version: str
    workload_size: str | None = None
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
    auto_capture_config: dict[str, Any] | None = None


class PendingConfigOutput(ConfigOutput):
    """The configuration that is being rolled out, or failed to be."""

    start_time: int


class EndpointState(BaseModel):
    """READY when every served entity of the active configuration is."""

    ready: Literal["READY", "NOT_READY"]
    config_update: UpdateState
    suspend: Literal["STOPPED"] | None = None


class Capabilities(BaseModel):
    """What the model can do beyond its task."""

    function_calling: bool
    openai_reasoning: bool


class Tag(BaseModel):
    """A tag."""

    key: str
    value: str


class EndpointOutput(BaseModel):
    """A serving endpoint."""

    id: str
    name: str
    creator: str
    creation_timestamp: int
    last_updated_timestamp: int
    description: str
    endpoint_type: EndpointType
    task: Task
    permission_level: str
    route_optimized: bool = False
    capabilities: Capabilities
    context_length: int | None = None
    state: EndpointState
    config: ConfigOutput | None = None
    pending_config: PendingConfigOutput | None = None
    ai_gateway: dict[str, Any] | None = None
    rate_limits: list[dict[str, Any]] | None = None
    email_notifications: dict[str, Any] | None = None
    telemetry_config: dict[str, Any] | None = None
    budget_policy_id: str | None = None
    tags: list[Tag]


class EndpointList(BaseModel):
    """All endpoints that the caller may see."""

    endpoints: list[EndpointOutput]


def endpoint_output(endpoint: ServingEndpoint, deployments: Deployments, permission: PermissionLevel) -> EndpointOutput:
    """The endpoint with its live state."""
    shown = endpoint.config or endpoint.pending_config
    if shown is None:
        raise AssertionError(f"endpoint {endpoint.name} has no config at all")
    model, details = shown.served_entities[0].model, endpoint.details
    return EndpointOutput(
        id=endpoint.id,
        name=endpoint.name,
        creator=endpoint.creator,
        creation_timestamp=endpoint.creation_timestamp,
        last_updated_timestamp=endpoint.last_updated_timestamp,
        description=_description(endpoint, shown),
        endpoint_type=endpoint.endpoint_type,
        task=endpoint.task,
        permission_level=permission.name,
        capabilities=Capabilities(
            function_calling=model.has_function_calling and endpoint.task is Task.CHAT,
            openai_reasoning=model.has_reasoning,
        ),
        context_length=None if shown.served_entities[0].external else model.context_length,
        state=endpoint_state(endpoint, deployments),
        config=_active_output(endpoint, deployments),
        pending_config=_pending_output(endpoint, deployments),
        ai_gateway=None if details.ai_gateway is None else dict(details.ai_gateway),
        rate_limits=[dict(limit) for limit in details.rate_limits] or None,
        email_notifications=None if details.email_notifications is None else dict(details.email_notifications),
        telemetry_config=None if details.telemetry_config is None else dict(details.telemetry_config),
        budget_policy_id=details.budget_policy_id,
        tags=tags_output(details.tags),
    )


def endpoint_state(endpoint: ServingEndpoint, deployments: Deployments) -> EndpointState:
    """The endpoint's state in Databricks' words."""
    is_ready = False
    if endpoint.config is not None and not endpoint.is_stopped:
        states = (deployments.deployment(entity).state for entity in endpoint.config.served_entities)
        is_ready = all(state is DeploymentState.READY for state in states)
    return EndpointState(
        ready="READY" if is_ready else "NOT_READY",
        config_update=endpoint.update,
        suspend="STOPPED" if endpoint.is_stopped else None,
    )


def tags_output(tags: Mapping[str, str]) -> list[Tag]:
    """Tags as the wire has them."""
    return [Tag(key=key, value=value) for key, value in tags.items()]


def _description(endpoint: ServingEndpoint, shown: EndpointConfig) -> str:
    model = shown.served_entities[0].model
    if endpoint.is_alias:
        return f"Stands in for a model that is not served here: {model.display_name} answers."
    return endpoint.details.description or (
        model.description if endpoint.endpoint_type is EndpointType.FOUNDATION_MODEL_API else ""
    )


def _active_output(endpoint: ServingEndpoint, deployments: Deployments) -> ConfigOutput | None:
    if endpoint.config is None:
        return None
    if endpoint.is_stopped:
        stopped = Deployment(DeploymentState.ABORTED, "The endpoint is stopped.")
        return _config_output(endpoint.config, [stopped] * len(endpoint.config.served_entities))
    return _config_output(endpoint.config, [deployments.deployment(e) for e in endpoint.config.served_entities])


def _pending_output(endpoint: ServingEndpoint, deployments: Deployments) -> PendingConfigOutput | None:
    pending = endpoint.pending_config
    if pending is None:
        return None
    if endpoint.update is UpdateState.IN_PROGRESS:
        states = [deployments.trial(entity) for entity in pending.served_entities]
    else:
        states = [_outcome(endpoint.failures.get(entity.name)) for entity in pending.served_entities]
    shown = _config_output(pending, states)
    return PendingConfigOutput(**shown.model_dump(), start_time=pending.start_timestamp)


def _outcome(failure: str | None) -> Deployment:
    if failure is None:
        return Deployment(DeploymentState.ABORTED, "Given up because the update did not go through.")
    return Deployment(DeploymentState.FAILED, failure)


def _config_output(config: EndpointConfig, states: Sequence[Deployment]) -> ConfigOutput:
    entities = [_entity_output(entity, state) for entity, state in zip(config.served_entities, states, strict=True)]
    return ConfigOutput(
        config_version=config.version,
        served_entities=entities,
        served_models=[
            ServedModelOutput(
                name=entity.name,
                model_name=entity.entity_name or "",
                model_version=entity.entity_version or "",
                workload_size=entity.workload_size,
                scale_to_zero_enabled=entity.scale_to_zero_enabled,
                creation_timestamp=entity.creation_timestamp,
                creator=entity.creator,
                state=entity.state,
            )
            for entity in entities
        ],
        traffic_config=TrafficConfig(routes=[_route_output(route) for route in config.routes]),
        auto_capture_config=None if config.auto_capture_config is None else dict(config.auto_capture_config),
    )


def _route_output(route: Route) -> RouteOutput:
    return RouteOutput(
        served_entity_name=route.served_entity_name,
        served_model_name=route.served_entity_name,
        traffic_percentage=route.traffic_percentage,
    )


def _entity_output(entity: ServedEntity, state: Deployment) -> ServedEntityOutput:
    shown_state = ServedEntityState(deployment=state.state, deployment_state_message=state.message)
    if entity.external is not None:
        return ServedEntityOutput(
            name=entity.name,
            type="EXTERNAL_MODEL",
            external_model=dict(entity.external.shown),
            creation_timestamp=entity.creation_timestamp,
            creator=entity.creator,
            state=shown_state,
        )
    settings, is_system = entity.settings, entity.entity_name.startswith(_SYSTEM_MODELS)
    return ServedEntityOutput(
        name=entity.name,
        entity_name=entity.entity_name,
        entity_version=entity.entity_version,
        type="FOUNDATION_MODEL" if is_system else "CUSTOM_MODEL",
        foundation_model=_foundation_model(entity) if is_system else None,
        workload_size=settings.workload_size,
        workload_type=settings.workload_type,
        scale_to_zero_enabled=settings.scale_to_zero_enabled,
        environment_vars=dict(settings.environment_vars) or None,
        min_provisioned_throughput=settings.min_provisioned_throughput,
        max_provisioned_throughput=settings.max_provisioned_throughput,
        provisioned_model_units=settings.provisioned_model_units,
        burst_scaling_enabled=settings.burst_scaling_enabled,
        creation_timestamp=entity.creation_timestamp,
        creator=entity.creator,
        state=shown_state,
    )


def _foundation_model(entity: ServedEntity) -> FoundationModel:
    model = entity.model
    return FoundationModel(
        name=entity.entity_name,
        display_name=model.display_name,
        docs=model.docs,
        description=model.description,
        api_types=_API_TYPES[model.task],
    )
