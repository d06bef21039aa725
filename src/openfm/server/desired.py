"""What should run: the endpoints' served entities as replicas, and how they are doing."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from openfm.control.endpoints.directory import EndpointDirectory
from openfm.core.endpoint import Deployment, ServedEntity, UpdateState
from openfm.engines.base import EngineSpec, Launcher
from openfm.fleet.demand import Demand
from openfm.fleet.placement import Needs
from openfm.fleet.reconciler import DesiredReplica
from openfm.fleet.roster import Fleet
from openfm.server.depot import Depot, ReadyModel
from openfm.server.external import EXTERNAL_SLOTS, external_options
from openfm.server.footprint import Footprint, slots_of
from openfm.server.scaler import Scaler


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How replicas are started: sequences at once, CPU threads, and where they log and keep sockets.

    `has_precedence`: those of provisioned throughput go first on what they share with others.
    """

    slots: int
    threads: int
    log_dir: Path
    runtime_dir: Path
    has_precedence: bool = True


@dataclass(frozen=True, slots=True)
class Workers:
    """Where replicas come from, and how many: launchers by an engine's name, and the one of external models."""

    settings: EngineSettings
    launchers: Callable[[str], Launcher]
    external: Launcher
    scaler: Scaler = field(default_factory=Scaler)


class DesiredFleet:
    """The desired set, asked at each step of the reconciler.

    `ongoing` counts a deployment's requests under way; `trials` are entities of no endpoint, by deployment, which are
    there to be measured.
    """

    def __init__(
        self,
        directory: EndpointDirectory,
        depot: Depot,
        workers: Workers,
        demand: Demand,
        ongoing: Callable[[str], int],
    ) -> None:
        self._directory = directory
        self.trials: dict[str, ServedEntity] = {}
        self._depot = depot
        self._workers = workers
        self._demand = demand
        self._ongoing = ongoing
        self._launchers: dict[str, Launcher] = {}

    def desired(self) -> Sequence[DesiredReplica]:
        """Every replica that should run now. Does not wait."""
        entities = dict(self._wanted())
        for gone in self._launchers.keys() - entities.keys():
            del self._launchers[gone]
        self._demand.forget_all_but(frozenset(entities))
        self._workers.scaler.forget_all_but(frozenset(entities))
        self._workers.scaler.seen(self._asleep(entities.keys()), frozenset(entities))
        self._depot.forget_all_but(frozenset((entity.entity_name, entity.entity_version) for entity in self._known()))
        return [replica for entity in entities.values() for replica in self._replicas(entity)]

    def _known(self) -> Iterator[ServedEntity]:
        yield from self.trials.values()
        for endpoint in self._directory.endpoints:
            yield from endpoint.wanted_entities

    def _wanted(self) -> Iterator[tuple[str, ServedEntity]]:
        yield from ((entity.deployment_id, entity) for entity in self.trials.values())
        for endpoint in self._directory.endpoints:
            pending = endpoint.pending_config if endpoint.update is UpdateState.IN_PROGRESS else None
            tried = {entity.deployment_id for entity in pending.served_entities} if pending else set()
            for entity in endpoint.wanted_entities:
                if entity.deployment_id in tried or self._is_awake(entity):
                    yield entity.deployment_id, entity

    def _asleep(self, awake: Collection[str]) -> frozenset[str]:
        return frozenset(
            entity.deployment_id
            for endpoint in self._directory.endpoints
            for entity in endpoint.wanted_entities
            if entity.settings.scale_to_zero_enabled and entity.deployment_id not in awake
        )

    def _is_awake(self, entity: ServedEntity) -> bool:
        if not entity.settings.scale_to_zero_enabled:
            return True
        if self._ongoing(entity.deployment_id):
            self._demand.touch(entity.deployment_id)
        return self._demand.is_awake(entity.deployment_id)

    def _replicas(self, entity: ServedEntity) -> Iterator[DesiredReplica]:
        if entity.external is not None:
            spec = replace(self._spec(entity, None, 1), options=external_options(entity.external))
            yield DesiredReplica(entity.deployment_id, self._workers.external, spec)
            return
        model = self._depot.model(entity)
        if model is None:
            return
        launcher = self._launcher(entity, lambda: self._workers.launchers(model.engine))
        for number in range(1, self._workers.scaler.replicas(entity) + 1):
            spec = self._spec(entity, model, number)
            footprint = Footprint(model.weight_bytes, model.sequence_bytes, spec.slots)
            needs = Needs(footprint.memory_bytes, dedicated_cores=self._dedicated_cores(entity))
            goes_first = self._workers.settings.has_precedence and entity.settings.is_provisioned
            yield DesiredReplica(entity.deployment_id, launcher, spec, needs, goes_first)

    def _dedicated_cores(self, entity: ServedEntity) -> int:
        """A quarter of the cores for each provisioned replica; placement gives none where there are too few."""
        return max(1, self._workers.settings.threads // 4) if entity.settings.is_provisioned else 0

    def _launcher(self, entity: ServedEntity, make: Callable[[], Launcher]) -> Launcher:
        launcher = self._launchers.get(entity.deployment_id)
        if launcher is None:
            launcher = self._launchers[entity.deployment_id] = make()
        return launcher

    def _spec(self, entity: ServedEntity, model: ReadyModel | None, number: int) -> EngineSpec:
        settings, replica_id = self._workers.settings, f"{entity.deployment_id}-{number}"
        slots = slots_of(entity.model.task, settings.slots)
        return EngineSpec(
            replica_id=replica_id,
            model=entity.model,
            files={} if model is None else model.files,
            digests={} if model is None else model.digests,
            slots=EXTERNAL_SLOTS if model is None else slots,
            threads=settings.threads,
            log_file=settings.log_dir / f"{replica_id}.log",
            runtime_dir=settings.runtime_dir,
        )


class LiveDeployments:
    """How served entities are doing: their files first, their replicas then."""

    def __init__(self, depot: Depot, fleet: Fleet) -> None:
        self._depot = depot
        self._fleet = fleet

    def deployment(self, entity: ServedEntity) -> Deployment:
        """The entity's state now."""
        return self._fleet.asleep(entity) or self.trial(entity)

    def trial(self, entity: ServedEntity) -> Deployment:
        """The entity's state now, as if it could not sleep."""
        return self._depot.missing(entity) or self._fleet.deployment(entity)
