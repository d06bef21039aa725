"""How much of the machine's memory endpoints hold, and whether one more fits beside them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from openfm.control.endpoints.directory import EndpointDirectory
from openfm.control.endpoints.ports import Capacity, Shortage
from openfm.control.throughput.ports import MemoryFit
from openfm.core.endpoint import ServedEntity, ServingEndpoint
from openfm.core.errors import NotFound
from openfm.scheduling.autoscaling import Bounds
from openfm.server.footprint import Footprint

_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class MemoryCapacity:
    """Fulfils `control.endpoints.ports.Capacity`: whatever cannot be loaded beside the others is refused at once.

    Provisioned throughput holds the memory of all its replicas, asleep or not: its promise must be kept. A shared
    entity that may sleep holds nothing: it wakes where there is room.
    """

    total_bytes: int
    footprint: Callable[[str, str], Footprint]
    bounds: Callable[[ServedEntity], Bounds]

    def refusal(
        self, asked: Iterable[ServedEntity], others: Iterable[ServingEndpoint], held: Iterable[ServedEntity] = ()
    ) -> Shortage | None:
        """See `Capacity.refusal`."""
        holders = self.holders(others)
        left = max(self.total_bytes - sum(holders.values()), sum(self._held(entity) for entity in held), 0)
        for entity in asked:
            if entity.external is not None:
                continue
            footprint, replicas = self._footprint(entity), self.bounds(entity).most
            wanted = replicas * footprint.memory_bytes
            if wanted > (left if self._is_held(entity) else self.total_bytes):
                return Shortage(self._sentence(entity, (footprint, replicas), left, holders), "served_entities")
            left -= self._held(entity)
        return None

    def holders(self, endpoints: Iterable[ServingEndpoint]) -> dict[str, int]:
        """The bytes that each endpoint holds, by name; those without any are left out."""
        held = {
            endpoint.name: sum(self._held(entity) for entity in endpoint.wanted_entities)
            for endpoint in endpoints
            if not endpoint.is_alias
        }
        return {name: size for name, size in held.items() if size}

    def _held(self, entity: ServedEntity) -> int:
        if not self._is_held(entity):
            return 0
        try:
            return self.bounds(entity).most * self._footprint(entity).memory_bytes
        except NotFound:  # it was deleted since; what runs of it is stopped
            return 0

    def _is_held(self, entity: ServedEntity) -> bool:
        return entity.external is None and (entity.settings.is_provisioned or not entity.settings.scale_to_zero_enabled)

    def _footprint(self, entity: ServedEntity) -> Footprint:
        return self.footprint(entity.entity_name, entity.entity_version)

    def _sentence(self, entity: ServedEntity, wanted: tuple[Footprint, int], left: int, holders: dict[str, int]) -> str:
        footprint, replicas = wanted
        listed = ", ".join(f"{name} {_gib(size)}" for name, size in sorted(holders.items()))
        times = f" for each of {replicas} replicas" if replicas > 1 else ""
        return (
            f"The served entity '{entity.name}' needs {_gib(footprint.memory_bytes)} of memory{times}: "
            f"{_gib(footprint.weight_bytes)} for weights, {_gib(footprint.kv_cache_bytes)} for the KV cache of "
            f"{footprint.slots} sequences, the rest for the engine. {_gib(left)} of {_gib(self.total_bytes)} are left"
            f"{f' (held by {listed})' if listed else ''}. Stop or delete another endpoint, serve a smaller or more "
            "quantised model, or lower engine_slots."
        )


class MachineMemory:
    """Fulfils `control.throughput.ports.MemoryAccount`."""

    def __init__(self, capacity: MemoryCapacity, directory: EndpointDirectory) -> None:
        self._capacity = capacity
        self._directory = directory

    def fit(self, entity_name: str, entity_version: str, beside: str) -> MemoryFit:
        """See `MemoryAccount`."""
        footprint = self._capacity.footprint(entity_name, entity_version)
        others = [endpoint for endpoint in self._directory.endpoints if endpoint.name != beside]
        return MemoryFit(
            weight_bytes=footprint.weight_bytes,
            kv_cache_bytes=footprint.kv_cache_bytes,
            overhead_bytes=footprint.overhead_bytes,
            sequences=footprint.slots,
            held_bytes=sum(self._capacity.holders(others).values()),
            total_bytes=self._capacity.total_bytes,
        )


class Capacities:
    """Fulfils `Capacity` by several accounts: the first that refuses has the word."""

    def __init__(self, *accounts: Capacity) -> None:
        self._accounts = accounts

    def refusal(
        self, asked: Iterable[ServedEntity], others: Iterable[ServingEndpoint], held: Iterable[ServedEntity] = ()
    ) -> Shortage | None:
        """See `Capacity.refusal`."""
        entities, endpoints, own = list(asked), list(others), list(held)
        found = (account.refusal(entities, endpoints, own) for account in self._accounts)
        return next((refusal for refusal in found if refusal is not None), None)


def _gib(count: int) -> str:
    return f"{count / _GIB:.2f} GiB"
