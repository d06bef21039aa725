"""From what clients ask to what an endpoint may be: every rule that names a field of the request is here."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from openfm.control.endpoints.external import external_deployment_id, external_model
from openfm.control.endpoints.inputs import ConfigInput, RateLimitInput, RouteInput, ServedEntityInput, TagInput
from openfm.control.endpoints.ports import Keys, Models
from openfm.control.endpoints.provisioning import check_chunks, is_as_before, provisioned
from openfm.core.endpoint import EndpointConfig, EntitySettings, Route, ServedEntity, WorkloadSize, deployment_id
from openfm.core.errors import InvalidParameterValue
from openfm.core.limits import MOST
from openfm.core.principal import Principal
from openfm.core.registry import ModelName, version_number

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,62}")
_ENTITY_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}")
_RESERVED_PREFIX = "databricks-"
_WORKLOAD_TYPES = (
    "CPU",
    "CPU_MEDIUM",
    "CPU_LARGE",
    "GPU_SMALL",
    "GPU_MEDIUM",
    "GPU_LARGE",
    "GPU_XLARGE",
    "GPU_XLARGE_8",
)
_RENEWAL_PERIODS = ("minute",)
_LIMIT_KEYS = ("user", "endpoint", "user_group", "service_principal")
_MOST_TAGS, _LONGEST_TAG = 20, 255
_MOST_LIMITS = 20


@dataclass(frozen=True, slots=True)
class Workshop:
    """What a config is made with."""

    models: Models
    keys: Keys


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose config it is, for which endpoint (id), which version of it, and when (ms since the epoch)."""

    caller: Principal
    endpoint_id: str
    version: int
    now_ms: int


def checked_endpoint_name(name: str) -> str:
    """The name, if an endpoint may have it. Raises `InvalidParameterValue`."""
    if not _NAME.fullmatch(name):
        raise InvalidParameterValue(
            "name must be 1 to 63 characters: letters, digits, '_' and '-', not beginning with '-'.", param="name"
        )
    if name.startswith(_RESERVED_PREFIX):
        raise InvalidParameterValue(
            f"Names that begin with '{_RESERVED_PREFIX}' are reserved. Choose another name.", param="name"
        )
    return name


def parsed_config(
    body: ConfigInput, origin: Origin, workshop: Workshop, current: EndpointConfig | None = None
) -> EndpointConfig:
    """The config that `body` asks for; one that names no entities only shifts the traffic of the `current` one.

    Raises `InvalidParameterValue`, `NotFound`, `PermissionDenied`.
    """
    asked = body.served_entities if body.served_entities is not None else body.served_models
    entities = () if current is None else current.served_entities
    if asked is not None:
        entities = tuple(_entity(entity, origin, workshop, entities) for entity in asked)
    routes = body.traffic_config.routes if body.traffic_config else None
    return EndpointConfig(
        version=origin.version,
        served_entities=entities,
        routes=_routes(routes, entities),
        auto_capture_config=body.auto_capture_config,
        start_timestamp=origin.now_ms,
    )


def parsed_tags(tags: Sequence[TagInput]) -> dict[str, str]:
    """Tags by key. Raises `InvalidParameterValue`."""
    if len(tags) > _MOST_TAGS:
        raise InvalidParameterValue(f"There are {len(tags)} tags; {_MOST_TAGS} are allowed.", param="tags")
    for tag in tags:
        if not tag.key or len(tag.key) > _LONGEST_TAG or len(tag.value) > _LONGEST_TAG:
            raise InvalidParameterValue(
                f"A tag's key must have 1 to {_LONGEST_TAG} characters, its value at most as many.", param="tags"
            )
    return {tag.key: tag.value for tag in tags}


def parsed_limits(limits: Sequence[RateLimitInput]) -> tuple[dict[str, object], ...]:
    """Rate limits as they are kept and shown. Raises `InvalidParameterValue`."""
    if len(limits) > _MOST_LIMITS:
        raise InvalidParameterValue(
            f"There are {len(limits)} rate limits; {_MOST_LIMITS} are allowed.", param="rate_limits"
        )
    parsed = tuple(_limit(limit) for limit in limits)
    bound = [(limit.key or "endpoint", limit.principal or None, limit.calls is None) for limit in limits]
    if len(set(bound)) < len(bound):
        raise InvalidParameterValue(
            "Two rate limits are for the same key, principal and measure. Send one of them.", param="rate_limits"
        )
    return parsed


def _limit(limit: RateLimitInput) -> dict[str, object]:
    amounts = [amount for amount in (limit.calls, limit.tokens) if amount is not None]
    if len(amounts) != 1 or not 0 <= amounts[0] <= MOST:
        raise InvalidParameterValue(
            f"A rate limit needs either calls or tokens, 0 (blocked) to {MOST}.", param="rate_limits"
        )
    if limit.renewal_period not in _RENEWAL_PERIODS:
        raise InvalidParameterValue("renewal_period must be 'minute'.", param="rate_limits.renewal_period")
    if limit.key is not None and limit.key not in _LIMIT_KEYS:
        raise InvalidParameterValue(f"key must be one of: {', '.join(_LIMIT_KEYS)}.", param="rate_limits.key")
    if limit.key in ("user_group", "service_principal") and not limit.principal:
        raise InvalidParameterValue(f"A limit with key '{limit.key}' needs a principal.", param="rate_limits.principal")
    if limit.principal and limit.key in (None, "endpoint"):
        raise InvalidParameterValue(
            "A limit with key 'endpoint' is for all callers together and names no principal. Choose the key user, "
            "user_group or service_principal.",
            param="rate_limits.principal",
        )
    return limit.model_dump(exclude_none=True)


def _entity(
    asked: ServedEntityInput, origin: Origin, workshop: Workshop, current: Sequence[ServedEntity]
) -> ServedEntity:
    if asked.external_model is not None:
        return _external_entity(asked, origin, workshop)
    entity_name = asked.entity_name or asked.model_name
    version = asked.entity_version or asked.model_version
    if not entity_name:
        raise InvalidParameterValue(
            "A served entity needs an entity_name (catalog.schema.model) or an external_model.", param="entity_name"
        )
    if not version:
        raise InvalidParameterValue(
            f"The served entity '{entity_name}' needs an entity_version.", param="entity_version"
        )
    # One spelling of each model: what is served is found again by it, and must not be deleted under another.
    entity_name, version = ModelName.parse(entity_name).full_name, str(version_number(version))
    model = workshop.models.servable(entity_name, version, origin.caller)
    settings = _settings(asked)
    is_kept = any(one.entity_name == entity_name and is_as_before(settings, one.settings) for one in current)
    if settings.max_provisioned_throughput is not None and not is_kept:
        check_chunks(settings, workshop.models.throughput(entity_name, version))
    return ServedEntity(
        name=_checked_entity_name(asked.name or f"{entity_name.rpartition('.')[2]}-{version}"),
        entity_name=entity_name,
        entity_version=version,
        model=model.profile,
        deployment_id=deployment_id(origin.endpoint_id, entity_name, version, settings),
        settings=settings,
        version_ids=model.version_ids,
        creator=origin.caller.name,
        creation_timestamp=origin.now_ms,
    )


def _external_entity(asked: ServedEntityInput, origin: Origin, workshop: Workshop) -> ServedEntity:
    external, profile = external_model(asked, workshop.keys, origin.caller)
    return ServedEntity(
        name=_checked_entity_name(asked.name or external.name.replace("/", "-").replace(":", "-")),
        entity_name=external.name,
        entity_version="",
        model=profile,
        deployment_id=external_deployment_id(origin.endpoint_id, external),
        settings=EntitySettings(),
        external=external,
        creator=origin.caller.name,
        creation_timestamp=origin.now_ms,
    )


def _settings(asked: ServedEntityInput) -> EntitySettings:
    return EntitySettings(
        workload_size=_workload_size(asked.workload_size),
        workload_type=_workload_type(asked.workload_type),
        scale_to_zero_enabled=asked.scale_to_zero_enabled or asked.min_provisioned_throughput == 0,
        burst_scaling_enabled=asked.burst_scaling_enabled,
        environment_vars=asked.environment_vars or {},
        **provisioned(asked),
    )


def _workload_size(asked: str | None) -> WorkloadSize:
    if asked is None:
        return WorkloadSize.SMALL
    try:
        return WorkloadSize(asked.capitalize())
    except ValueError:
        sizes = ", ".join(WorkloadSize)
        raise InvalidParameterValue(f"workload_size must be one of: {sizes}.", param="workload_size") from None


def _workload_type(asked: str | None) -> str:
    if asked is not None and asked not in _WORKLOAD_TYPES:
        raise InvalidParameterValue(
            f"workload_type must be one of: {', '.join(_WORKLOAD_TYPES)}.", param="workload_type"
        )
    return asked or "CPU"


def _checked_entity_name(name: str) -> str:
    if not _ENTITY_NAME.fullmatch(name):
        raise InvalidParameterValue(
            f"'{name}' cannot be a served entity's name: 1 to 63 letters, digits, '_', '.' and '-'. "
            "Give the served entity another name.",
            param="served_entities.name",
        )
    return name


def _routes(asked: Sequence[RouteInput] | None, entities: Sequence[ServedEntity]) -> tuple[Route, ...]:
    if asked:
        return tuple(
            Route(route.served_entity_name or route.served_model_name or "", route.traffic_percentage)
            for route in asked
        )
    return tuple(Route(entity.name, 100) for entity in entities) if len(entities) == 1 else ()
