"""What served entities were promised, and on how many replicas: the gateway's and the fleet's one account of it."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

from openfm.core.endpoint import ServedEntity
from openfm.scheduling.autoscaling import Bounds
from openfm.scheduling.profile import ThroughputProfile
from openfm.scheduling.work import PROVISIONAL_WEIGHTS, Promise, Throughput

_FEWEST_CORES_TO_DIVIDE = 4

Measured = Callable[[ServedEntity], Throughput]
"""What one replica of an entity's model version can be promised. Must not wait."""


class Profiles(Protocol):
    """Knows what was measured (`control.calibrations.profiles`)."""

    def best(self, version_ids: Iterable[str]) -> ThroughputProfile | None:
        """The profile that throughput is promised by, or None where nothing was measured."""
        ...


def measured(profiles: Profiles, chunk_size: Callable[[str, str], int]) -> Measured:
    """By each version's profile; what is taken for granted of one that nobody calibrated has its `chunk_size` alone."""

    def throughput(entity: ServedEntity) -> Throughput:
        profile = profiles.best(entity.version_ids)
        if profile is None:
            return Throughput(PROVISIONAL_WEIGHTS, chunk_size(entity.entity_name, entity.entity_version))
        return Throughput(profile.weights, profile.chunk_size, is_measured=not profile.is_provisional)

    return throughput


class Promises:
    """Fulfils the gateway's `ThroughputBook`. `threads` are those of one engine: the cores it may compute on."""

    def __init__(self, measured: Measured, threads: int) -> None:
        self._measured = measured
        self._threads = threads

    def promise(self, entity: ServedEntity) -> Promise | None:
        """See `ThroughputBook.promise`."""
        if not entity.settings.is_provisioned or entity.external is not None:
            return None
        throughput = self._measured(entity)
        rate = _most(entity, throughput)
        if rate <= 0:
            return None
        return Promise(throughput.weights, rate, self._bounds(entity, throughput).most, throughput.chunk)

    def bounds(self, entity: ServedEntity) -> Bounds:
        """How few and how many replicas the entity may have."""
        if not entity.settings.is_provisioned or entity.external is not None:
            return _fixed(entity)
        return self._bounds(entity, self._measured(entity))

    def _bounds(self, entity: ServedEntity, throughput: Throughput) -> Bounds:
        """One replica for each chunk of what was provisioned.

        But not more than can compute side by side: on cores of their own, or as many as the workload size asks for.
        """
        useful = entity.settings.workload_size.replicas
        if self._threads >= _FEWEST_CORES_TO_DIVIDE:
            useful = max(useful, (self._threads - 1) // max(1, self._threads // 4))
        most = min(useful, max(1, throughput.replicas(_most(entity, throughput))))
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


def _most(entity: ServedEntity, throughput: Throughput) -> float:
    """The work a second that was provisioned; units and tokens a second are two ways to say it."""
    settings = entity.settings
    if settings.max_provisioned_throughput is not None:
        return settings.max_provisioned_throughput
    return throughput.rate(settings.provisioned_model_units or 0)


def _fixed(entity: ServedEntity) -> Bounds:
    replicas = entity.settings.workload_size.replicas
    return Bounds(0 if entity.settings.scale_to_zero_enabled else replicas, replicas)
