"""What the routes of throughput ask of others."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol


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


class FleetAccount(Protocol):
    """The account of capacity, which cannot be overdrawn."""

    def __call__(self) -> FleetView:
        """As it is now. From any thread."""
        ...
