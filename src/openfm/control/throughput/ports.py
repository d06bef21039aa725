"""What the routes of throughput ask of others."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from openfm.core.endpoint import ServedEntity, ServingEndpoint
from openfm.scheduling.work import Throughput


@dataclass(frozen=True, slots=True)
class Room:
    """Memory in bytes, cores, and each GPU's bytes: what a fleet has, or has given."""

    memory_bytes: int
    cores: int
    gpu_memory_bytes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Tenant:
    """A deployment's replicas and what they take together."""

    deployment_id: str
    replicas: int
    room: Room


@dataclass(frozen=True, slots=True)
class FleetView:
    """The machines' room, what is taken of it, and by whom. `taken` counts replicas on their way out too."""

    total: Room
    taken: Room
    tenants: Sequence[Tenant] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class MemoryFit:
    """What one replica of a version takes, what endpoints hold, and what there is for engines: all in bytes."""

    weight_bytes: int
    kv_cache_bytes: int
    overhead_bytes: int
    sequences: int
    held_bytes: int
    total_bytes: int

    @property
    def memory_bytes(self) -> int:
        """Of one replica, all together."""
        return self.weight_bytes + self.kv_cache_bytes + self.overhead_bytes


class MemoryAccount(Protocol):
    """Knows what fits into the memory that engines may use."""

    def fit(self, entity_name: str, entity_version: str, beside: str) -> MemoryFit:
        """How a version would stand, next to all endpoints but that called `beside`. Blocks. Raises `NotFound`."""
        ...


class PromiseAccount(Protocol):
    """Knows how much of the machine is promised."""

    def throughput(self, entity: ServedEntity) -> Throughput:
        """What the entity's version can be promised here, measured or expected."""
        ...

    def left(self, others: Iterable[ServingEndpoint]) -> float:
        """The part of the machine that these endpoints leave; 1 is all of it."""
        ...


class FleetAccount(Protocol):
    """The account of capacity, which cannot be overdrawn."""

    def __call__(self) -> FleetView:
        """As it is now. From any thread."""
        ...
