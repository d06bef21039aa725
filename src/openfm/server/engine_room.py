"""The fleet with everything it needs, as one thing that is started and ended."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from openfm.control.endpoints.directory import EndpointDirectory
from openfm.core.endpoint import DeploymentState, ServedEntity
from openfm.core.errors import EngineFailed
from openfm.fleet.demand import Demand
from openfm.fleet.placement import Machine
from openfm.fleet.precedence import Precedence
from openfm.fleet.reconciler import DesiredReplica, Reconciler
from openfm.fleet.replica import Replica, Surroundings
from openfm.fleet.roster import Fleet, Patience, Prospects
from openfm.server.depot import Depot, ModelSource
from openfm.server.desired import DesiredFleet, LiveDeployments, Workers
from openfm.telemetry.survival import survived


@dataclass(frozen=True, slots=True)
class Plant:
    """What replicas are made from and where they may run; times in seconds."""

    sources: tuple[ModelSource, ...]
    workers: Workers
    machine: Machine
    scale_to_zero_after_s: float
    cold_start_deadline_s: float


class EngineRoom:
    """Keeps what the directory asks for running. `on_change` listeners are called on the loop and must not wait.

    `has_ended` is set once nothing is started or stopped any more.
    """

    def __init__(self, directory: EndpointDirectory, plant: Plant) -> None:
        self.machine = plant.machine
        self.scaler = plant.workers.scaler
        self.demand = Demand(time.monotonic, plant.scale_to_zero_after_s)
        self.reconciler = Reconciler(
            self._desired, Surroundings(time.monotonic, asyncio.sleep, random.random), plant.machine
        )
        self.depot = Depot(plant.sources, self.nudge)
        patience = Patience(time.monotonic, plant.cold_start_deadline_s)
        prospects = Prospects(directory.is_served, self.depot.has_failed)
        self.fleet = Fleet(self.reconciler, self.demand, patience, prospects)
        self.deployments = LiveDeployments(self.depot, self.fleet)
        self._wanted = DesiredFleet(directory, self.depot, plant.workers, self.demand, self._ongoing)
        self.has_ended = asyncio.Event()
        self._listeners: list[Callable[[], None]] = []
        self.precedence = Precedence(self.reconciler.tenants)
        self.reconciler.on_change(self.precedence.update)
        self.reconciler.on_change(self._tell)

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever a replica, a model's files or the desired set changed."""
        self._listeners.append(listener)

    def nudge(self) -> None:
        """The desired set changed."""
        self.reconciler.nudge()
        self.fleet.wake()
        self._tell()

    def renew(self, entity: ServedEntity) -> None:
        """An update asks for the entity anew: what failed before is tried again. Call it on the loop."""
        self.depot.renew(entity)
        self.reconciler.renew(entity.deployment_id)

    @asynccontextmanager
    async def trial(self, entity: ServedEntity) -> AsyncIterator[Replica]:
        """A replica of its own for an entity that no endpoint has, READY, and stopped on the way out.

        It takes its place like any other. Raises `EngineFailed` with the reason where it cannot be started.
        """
        changed = asyncio.Event()
        self._listeners.append(changed.set)
        self._wanted.trials[entity.deployment_id] = entity
        try:
            self.nudge()
            yield await self._ready_trial(entity, changed)
        finally:
            self._listeners.remove(changed.set)
            del self._wanted.trials[entity.deployment_id]
            self.nudge()

    async def _ready_trial(self, entity: ServedEntity, changed: asyncio.Event) -> Replica:
        while True:
            changed.clear()
            deployment = self.deployments.trial(entity)
            if deployment.state is DeploymentState.FAILED:
                raise EngineFailed(deployment.message)
            found = self.reconciler.replicas(entity.deployment_id)
            if found and deployment.state is DeploymentState.READY:
                return found[0]
            await changed.wait()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run; on the way out every replica is drained and nothing is left. Raises what ended the reconciler, if so."""
        task = asyncio.create_task(self.reconciler.run(), name="reconciler")
        task.add_done_callback(lambda _: self.has_ended.set())
        try:
            yield
        finally:
            task.cancel()
            try:
                with suppress(asyncio.CancelledError):
                    await task
            finally:
                await self.depot.close()

    def _desired(self) -> Sequence[DesiredReplica]:
        return self._wanted.desired()

    def _ongoing(self, deployment_id: str) -> int:
        return sum(replica.ongoing for replica in self.reconciler.replicas(deployment_id))

    def _tell(self) -> None:
        for listener in self._listeners:
            with survived("fleet.listener_failed"):
                listener()
