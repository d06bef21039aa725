"""Serving endpoints: what clients address, as Databricks models it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from openfm.core.errors import InvalidParameterValue, InvalidRequest, NoReplicaReady
from openfm.core.external import ExternalModel
from openfm.core.model import ModelProfile, Task

MAX_SERVED_ENTITIES = 15

REPLAY_TAG = "openfm-replay"
"""The tag whose value `true` lets answers be kept, for those who repeat a request with its `Idempotency-Key`."""

SPILLOVER_TAG = "openfm-spillover"
"""The tag that names the pay-per-token endpoint which answers above an endpoint's provisioned throughput."""


class EndpointType(StrEnum):
    """What kind of thing answers (the wire's `endpoint_type`)."""

    FOUNDATION_MODEL_API = "FOUNDATION_MODEL_API"
    EXTERNAL_MODEL = "EXTERNAL_MODEL"
    CUSTOM_MODEL = "CUSTOM_MODEL"


class DeploymentState(StrEnum):
    """State of one served entity (databricks-sdk `ServedModelStateDeployment`)."""

    CREATING = "DEPLOYMENT_CREATING"
    READY = "DEPLOYMENT_READY"
    RECOVERING = "DEPLOYMENT_RECOVERING"
    FAILED = "DEPLOYMENT_FAILED"
    ABORTED = "DEPLOYMENT_ABORTED"


class UpdateState(StrEnum):
    """How the last change of the config went (the wire's `state.config_update`)."""

    NOT_UPDATING = "NOT_UPDATING"
    IN_PROGRESS = "IN_PROGRESS"
    FAILED = "UPDATE_FAILED"
    CANCELED = "UPDATE_CANCELED"


class WorkloadSize(StrEnum):
    """How much concurrency a served entity gets, in Databricks' words."""

    SMALL = "Small"
    MEDIUM = "Medium"
    LARGE = "Large"

    @property
    def replicas(self) -> int:
        """Replicas of this size; each runs as many sequences at once as `engine_slots` says."""
        return {WorkloadSize.SMALL: 1, WorkloadSize.MEDIUM: 2, WorkloadSize.LARGE: 4}[self]


@dataclass(frozen=True, slots=True)
class Deployment:
    """How a served entity is doing, and the sentence that explains it."""

    state: DeploymentState
    message: str


@dataclass(frozen=True, slots=True)
class Route:
    """A served entity and its share of the requests, in percent."""

    served_entity_name: str
    traffic_percentage: int

    def __post_init__(self) -> None:
        """Refuse a share outside 0 to 100."""
        if not 0 <= self.traffic_percentage <= 100:
            raise InvalidParameterValue(
                f"traffic_percentage is {self.traffic_percentage}; it must be 0 to 100.", param="traffic_percentage"
            )


@dataclass(frozen=True, slots=True)
class EntitySettings:
    """How a served entity is to be run. Throughput is in tokens per second; None where it was not asked for.

    `environment_vars` are kept and shown for Databricks' sake, references to secrets (`{{secrets/scope/key}}`) as they
    were written. No engine reads them, so changing them restarts nothing.
    """

    workload_size: WorkloadSize = WorkloadSize.SMALL
    workload_type: str = "CPU"
    scale_to_zero_enabled: bool = False
    min_provisioned_throughput: int | None = None
    max_provisioned_throughput: int | None = None
    provisioned_model_units: int | None = None
    burst_scaling_enabled: bool | None = None
    environment_vars: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_provisioned(self) -> bool:
        """Whether throughput was asked for."""
        return self.max_provisioned_throughput is not None or self.provisioned_model_units is not None


@dataclass(frozen=True, slots=True)
class ServedEntity:
    """One model version inside one endpoint; its name is unique there.

    `deployment_id` names the replicas that run it: entities with the same id share them. `version_ids` are the
    registered versions whose files it needs (`ServableModel`): names may come to mean something else, ids do not.
    `external` is set where another provider's API answers; then `entity_name` is the provider's name of the model.
    """

    name: str
    entity_name: str
    entity_version: str
    model: ModelProfile
    deployment_id: str
    settings: EntitySettings = EntitySettings()
    version_ids: frozenset[str] = frozenset()
    external: ExternalModel | None = None
    creator: str = ""
    creation_timestamp: int = 0


@dataclass(frozen=True, slots=True)
class EndpointConfig:
    """The whole desired setup; each accepted change is a new integer version."""

    version: int
    served_entities: tuple[ServedEntity, ...]
    routes: tuple[Route, ...]
    auto_capture_config: Mapping[str, object] | None = None
    start_timestamp: int = 0

    def __post_init__(self) -> None:
        """Refuse what no endpoint may be: no or too many entities, a name twice, two tasks, wrong shares."""
        _check_entities(self.served_entities)
        _check_routes(self.routes, {entity.name for entity in self.served_entities})

    @property
    def task(self) -> Task:
        """What all of its entities do."""
        return self.served_entities[0].model.task

    def entity(self, name: str) -> ServedEntity:
        """The served entity called `name`. Raises KeyError."""
        for entity in self.served_entities:
            if entity.name == name:
                return entity
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class EndpointDetails:
    """What an endpoint carries beside its config, shown as it came (databricks-sdk `ServingEndpointDetailed`)."""

    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    rate_limits: Sequence[Mapping[str, object]] = ()
    ai_gateway: Mapping[str, object] | None = None
    email_notifications: Mapping[str, object] | None = None
    telemetry_config: Mapping[str, object] | None = None
    budget_policy_id: str | None = None

    @property
    def has_fallback(self) -> bool:
        """Whether a served entity that fails hands its request to the next one."""
        fallback = (self.ai_gateway or {}).get("fallback_config")
        return isinstance(fallback, Mapping) and fallback.get("enabled") is True

    @property
    def has_replay(self) -> bool:
        """Whether a repeated `Idempotency-Key` gets the answer of the first request."""
        return self.tags.get(REPLAY_TAG) == "true"

    @property
    def spillover_endpoint(self) -> str | None:
        """Who answers what is above the provisioned throughput, if anybody."""
        return self.tags.get(SPILLOVER_TAG) or None

    @property
    def inference_table_config(self) -> Mapping[str, object]:
        """Where requests and answers are kept, as it came; empty where nobody said so."""
        table = (self.ai_gateway or {}).get("inference_table_config")
        return table if isinstance(table, Mapping) else {}

    @property
    def has_inference_table(self) -> bool:
        """Whether requests and answers are kept."""
        return self.inference_table_config.get("enabled") is True


@dataclass(frozen=True, slots=True)
class ServingEndpoint:
    """A named REST address. Timestamps are milliseconds since the epoch, as on the wire.

    `config` answers requests; `pending_config` is being rolled out, or failed to be: then `failures` says why, by
    served entity. `is_alias` marks an endpoint that stands in for a
    catalogue model which cannot run here (`--alias-missing`).
    """

    id: str
    name: str
    task: Task
    endpoint_type: EndpointType
    creator: str
    creation_timestamp: int
    last_updated_timestamp: int
    config: EndpointConfig | None
    pending_config: EndpointConfig | None = None
    update: UpdateState = UpdateState.NOT_UPDATING
    failures: Mapping[str, str] = field(default_factory=dict)
    is_stopped: bool = False
    details: EndpointDetails = EndpointDetails()
    is_alias: bool = False

    @property
    def active(self) -> EndpointConfig:
        """The config that answers. Raises `InvalidRequest` while stopped, `NoReplicaReady` before there is one."""
        if self.is_stopped:
            raise InvalidRequest(
                f"The endpoint '{self.name}' is stopped. Start it: "
                f"POST /api/2.0/serving-endpoints/{self.name}/config:start or `openfm endpoints start {self.name}`."
            )
        if self.config is None:
            why = " ".join(self.failures.values())
            raise NoReplicaReady(
                f"The endpoint '{self.name}' is not ready: its first configuration is not deployed. {why}".rstrip(),
                retry_after_s=5.0,
            )
        return self.config

    @property
    def inference_table_name(self) -> str:
        """As Databricks names it: catalog.schema.prefix_payload."""
        asked = self.details.inference_table_config
        prefix = asked.get("table_name_prefix") or self.name
        return f"{asked.get('catalog_name') or 'main'}.{asked.get('schema_name') or 'default'}.{prefix}_payload"

    @property
    def shown_entities(self) -> tuple[ServedEntity, ...]:
        """Those whose numbers are shown: of the active config, and before there is one of the pending one."""
        shown = self.config or self.pending_config
        return shown.served_entities if shown else ()

    @property
    def wanted_entities(self) -> tuple[ServedEntity, ...]:
        """Every entity that should run now: of the active config, and of the pending one."""
        if self.is_stopped:
            return ()
        pending = self.pending_config if self.update is UpdateState.IN_PROGRESS else None
        configs = [config for config in (self.config, pending) if config is not None]
        return tuple({entity.deployment_id: entity for config in configs for entity in config.served_entities}.values())


def deployment_id(endpoint: str, entity_name: str, entity_version: str, settings: EntitySettings) -> str:
    """The name of an entity's own replicas: the same for the same endpoint (id) and whatever its process depends on.

    So an update that only shifts traffic restarts nothing, and one that gives it cores of its own starts new replicas
    beside the old ones.
    """
    process = asdict(settings) | {"entity_name": entity_name, "entity_version": entity_version}
    process["is_provisioned"] = settings.is_provisioned
    for setting in ("min_provisioned_throughput", "max_provisioned_throughput", "provisioned_model_units"):
        del process[setting]
    del process["scale_to_zero_enabled"], process["burst_scaling_enabled"], process["environment_vars"]
    digest = hashlib.sha256(json.dumps([endpoint, process], sort_keys=True).encode()).hexdigest()
    return f"{entity_name.rpartition('.')[2][:40]}-{entity_version}-{digest[:32]}"


def served_entity_id(endpoint_id: str, config_version: int, served_entity: str) -> str:
    """What usage and inference tables call a served entity; `metering.sql.tables` makes the same of a ledger's row."""
    return hashlib.md5(f"{endpoint_id}/{config_version}/{served_entity}".encode(), usedforsecurity=False).hexdigest()


def pick_route(routes: Sequence[Route], draw: float) -> Route:
    """The route owning `draw` (0 <= draw < 100), in configured order."""
    edge = 0
    for route in routes:
        edge += route.traffic_percentage
        if draw < edge:
            return route
    raise AssertionError(f"routes sum to {edge}; EndpointConfig guarantees 100")


def _check_entities(entities: Sequence[ServedEntity]) -> None:
    if not entities:
        raise InvalidParameterValue("served_entities is empty. Name at least one.", param="served_entities")
    if len(entities) > MAX_SERVED_ENTITIES:
        raise InvalidParameterValue(
            f"served_models cannot contain more than {MAX_SERVED_ENTITIES} elements; there are {len(entities)}.",
            param="served_entities",
        )
    names = [entity.name for entity in entities]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InvalidParameterValue(
            f"Two served entities are called '{twice}'. Give each its own name.", param="served_entities"
        )
    tasks = sorted({entity.model.task for entity in entities})
    if len(tasks) > 1:
        raise InvalidParameterValue(
            f"The served entities have different tasks ({', '.join(tasks)}). An endpoint serves one task; "
            "make an endpoint for each.",
            param="served_entities",
        )


def _check_routes(routes: Sequence[Route], names: set[str]) -> None:
    routed = [route.served_entity_name for route in routes]
    for name in routed:
        if name not in names:
            raise InvalidParameterValue(
                f"The route names '{name}', which is no served entity of this endpoint.", param="traffic_config"
            )
        if routed.count(name) > 1:
            raise InvalidParameterValue(f"Two routes name '{name}'. Send one for each.", param="traffic_config")
    if not routes:
        raise InvalidParameterValue(
            "An endpoint with several served entities needs traffic_config.routes that sum to 100.",
            param="traffic_config",
        )
    total = sum(route.traffic_percentage for route in routes)
    if total != 100:
        raise InvalidParameterValue(
            f"The traffic percentages sum to {total}; they must sum to 100.", param="traffic_config"
        )
