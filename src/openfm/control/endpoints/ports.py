"""What serving endpoints need from the rest of the control plane and from the fleet; `server/` fulfils it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from openfm.core.endpoint import Deployment, ServedEntity, ServingEndpoint
from openfm.core.external import SecretReference
from openfm.core.model import ServableModel
from openfm.core.principal import PermissionLevel, Principal
from openfm.scheduling.work import Throughput


class Models(Protocol):
    """Knows registered models."""

    def servable(self, entity_name: str, entity_version: str, caller: Principal) -> ServableModel:
        """The model version, for somebody who wants to serve it.

        Raises `NotFound`, `PermissionDenied`, `InvalidParameterValue` when it is no model that can be served.
        """
        ...

    def served(self, entity_name: str, entity_version: str) -> ServableModel:
        """The model version, for an endpoint that serves it already. Raises `NotFound`."""
        ...

    def are_registered(self, version_ids: frozenset[str]) -> bool:
        """Whether all of these versions are there still."""
        ...

    def throughput(self, entity_name: str, entity_version: str) -> Throughput:
        """What this version can be promised on this machine, measured or expected. Raises `NotFound`."""
        ...


@dataclass(frozen=True, slots=True)
class Shortage:
    """Why something cannot be promised, with the figures, and the field of the request that asks for it."""

    sentence: str
    param: str


class Capacity(Protocol):
    """Knows what the fleet was promised to whom."""

    def refusal(
        self, asked: Iterable[ServedEntity], others: Iterable[ServingEndpoint], held: Iterable[ServedEntity] = ()
    ) -> Shortage | None:
        """Why what these entities need cannot be promised beside `others`; None where it can.

        `held` is what the asking endpoint has already: no more than that is never refused.
        """
        ...


class Keys(Protocol):
    """Keeps other providers' API keys."""

    def encrypt(self, plaintext: str) -> str:
        """What is stored of a key."""
        ...

    def refer(self, caller: Principal, reference: str) -> SecretReference:
        """What is kept of a `{{secrets/scope/key}}` that the caller may read. Raises `NotFound`, `PermissionDenied`."""
        ...


class Grants(Protocol):
    """Who may do what with endpoints."""

    def level(self, caller: Principal, endpoint_id: str) -> PermissionLevel | None:
        """The caller's level, or None."""
        ...


class Deployments(Protocol):
    """Knows how served entities are doing."""

    def deployment(self, entity: ServedEntity) -> Deployment:
        """The entity's state now; one that may sleep is READY while it does."""
        ...

    def trial(self, entity: ServedEntity) -> Deployment:
        """The state of an entity that is being rolled out: READY once it really answers."""
        ...


class EntityLogs(Protocol):
    """Has what engines and imports wrote."""

    def service_log(self, entity: ServedEntity) -> str:
        """The end of what the entity's engine processes wrote."""
        ...

    def build_log(self, entity: ServedEntity) -> str:
        """How its model was fetched, checked and converted."""
        ...


SAMPLE_INTERVAL_S = 15
SAMPLES_KEPT = 240
"""An hour of them."""


@dataclass(frozen=True, slots=True)
class Sample:
    """How a served entity was at a moment (`timestamp`, ms since the epoch): all its replicas that answered together.

    CPU and memory are per cent of the machine, the KV cache's of its size. Tokens are by the second since the sample
    before. None is what nobody here knows.
    """

    timestamp: int
    replicas: int
    requests_running: int
    requests_waiting: int | None
    kv_cache_percent: float | None
    cpu_percent: float | None
    memory_percent: float | None
    prompt_tokens_per_s: float
    completion_tokens_per_s: float


class EndpointMetrics(Protocol):
    """Counts what endpoints do."""

    def exposition(self, endpoint: ServingEndpoint) -> bytes:
        """The endpoint's metrics in Prometheus' text format."""
        ...

    def samples(self, endpoint: ServingEndpoint, most: int) -> Mapping[str, Sequence[Sample]]:
        """At most so many of the last samples of each served entity, by its name, the oldest first."""
        ...

    def forget(self, name: str) -> None:
        """The endpoint of that name is gone."""
        ...
