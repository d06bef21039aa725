"""Serving endpoints: what clients address, as Databricks models it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from openfm.core.errors import InvalidParameterValue
from openfm.core.model import ModelProfile, Task


class EndpointType(StrEnum):
    """What kind of thing answers (the wire's `endpoint_type`)."""

    FOUNDATION_MODEL_API = "FOUNDATION_MODEL_API"
    EXTERNAL_MODEL = "EXTERNAL_MODEL"


class DeploymentState(StrEnum):
    """State of one served entity (databricks-sdk `ServedModelStateDeployment`)."""

    CREATING = "DEPLOYMENT_CREATING"
    READY = "DEPLOYMENT_READY"
    RECOVERING = "DEPLOYMENT_RECOVERING"
    FAILED = "DEPLOYMENT_FAILED"


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
            raise InvalidParameterValue("must be 0 to 100", param="traffic_percentage")


@dataclass(frozen=True, slots=True)
class ServedEntity:
    """One model version inside one endpoint; its name is unique there."""

    name: str
    entity_name: str
    entity_version: str
    model: ModelProfile


@dataclass(frozen=True, slots=True)
class EndpointConfig:
    """The whole desired setup; each accepted change is a new integer version."""

    version: int
    served_entities: tuple[ServedEntity, ...]
    routes: tuple[Route, ...]

    def __post_init__(self) -> None:
        """Refuse shares that do not sum to 100 or name an entity that is not there."""
        names = {entity.name for entity in self.served_entities}
        for route in self.routes:
            if route.served_entity_name not in names:
                raise InvalidParameterValue(
                    f"The route names '{route.served_entity_name}', which is no served entity of this endpoint.",
                    param="traffic_config",
                )
        total = sum(route.traffic_percentage for route in self.routes)
        if total != 100:
            raise InvalidParameterValue(
                f"The traffic percentages sum to {total}; they must sum to 100.", param="traffic_config"
            )

    def entity(self, name: str) -> ServedEntity:
        """The served entity called `name`. Raises KeyError."""
        for entity in self.served_entities:
            if entity.name == name:
                return entity
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class ServingEndpoint:
    """A named REST address. Timestamps are milliseconds since the epoch, as on the wire.

    `is_alias` marks an endpoint that stands in for a catalogue model which cannot run here (`--alias-missing`).
    """

    id: str
    name: str
    task: Task
    endpoint_type: EndpointType
    creator: str
    creation_timestamp: int
    last_updated_timestamp: int
    config: EndpointConfig
    is_alias: bool = False


def pick_route(routes: Sequence[Route], draw: float) -> Route:
    """The route owning `draw` (0 <= draw < 100), in configured order."""
    edge = 0
    for route in routes:
        edge += route.traffic_percentage
        if draw < edge:
            return route
    raise AssertionError(f"routes sum to {edge}; EndpointConfig guarantees 100")
