"""What served entities were promised, and on how many replicas: the gateway's and the fleet's one account of it."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

from openfm.core.endpoint import ServedEntity
from openfm.scheduling.autoscaling import Bounds
from openfm.scheduling.profile import ThroughputProfile
from openfm.scheduling.work import Promise, Throughput

Measured = Callable[[ServedEntity], Throughput]
"""What an entity's model version can be promised on this machine. Must not wait."""


class Profiles(Protocol):
    """Knows what was measured (`control.calibrations.profiles`)."""

    def best(self, version_ids: Iterable[str]) -> ThroughputProfile | None:
        """The profile that throughput is promised by, or None where nothing was measured."""
        ...


def measured(profiles: Profiles, expected: Callable[[str, str], Throughput]) -> Measured:
    """By each version's profile; of one that nobody calibrated, what is `expected` by its name and version."""

    def throughput(entity: ServedEntity) -> Throughput:
        profile = profiles.best(entity.version_ids)
        return expected(entity.entity_name, entity.entity_version) if profile is None else profile.throughput

    return throughput


class Promises:
    """Fulfils the gateway's `ThroughputBook`."""

    def __init__(self, measured: Measured) -> None:
        self._measured = measured

    def promise(self, entity: ServedEntity) -> Promise | None:
        """See `ThroughputBook.promise`."""
        if not entity.settings.is_provisioned or entity.external is not None:
            return None
        throughput = self._measured(entity)
        rate = throughput.promised(entity.settings)
        if rate <= 0:
            return None
        return Promise(throughput.weights, rate, self._bounds(entity, throughput).most, throughput.chunk)

    def bounds(self, entity: ServedEntity) -> Bounds:
        """How few and how many replicas the entity may have."""
        if not entity.settings.is_provisioned or entity.external is not None:
            return _fixed(entity)
        return self._bounds(entity, self._measured(entity))

    def _bounds(self, entity: ServedEntity, throughput: Throughput) -> Bounds:
        """As many replicas as the promise takes, but not more than compute side by side.

        Or as many as the workload size asks for, where that is more: the promise is then divided among them.
        """
        needed = throughput.replicas(throughput.promised(entity.settings))
        most = max(entity.settings.workload_size.replicas, min(throughput.side_by_side, needed))
        least = entity.settings.min_provisioned_throughput
        fewest = most if least is None else min(most, throughput.replicas(least))
        return Bounds(0 if entity.settings.scale_to_zero_enabled else max(1, fewest), most)


class DividedPromises:
    """Fulfils the `ThroughputBook` of one of several gateways: each lets in an equal part, and all of them the whole.

    A gateway that is asked more than its part refuses while others have room: balance requests evenly. One that joins
    makes the parts of the others smaller within half a second, one that dies makes them larger within `LEASE_S`.
    """

    def __init__(self, whole: Promises, gateways: Callable[[], int]) -> None:
        self._whole = whole
        self._gateways = gateways

    def promise(self, entity: ServedEntity) -> Promise | None:
        """See `ThroughputBook.promise`."""
        whole = self._whole.promise(entity)
        return None if whole is None else replace(whole, rate=whole.rate / self._gateways())


def _fixed(entity: ServedEntity) -> Bounds:
    replicas = entity.settings.workload_size.replicas
    return Bounds(0 if entity.settings.scale_to_zero_enabled else replicas, replicas)
