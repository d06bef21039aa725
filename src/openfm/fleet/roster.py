"""The live view of the fleet: what the gateway asks before each request, and what the control plane shows."""

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from openfm.core.endpoint import Deployment, DeploymentState, ServedEntity
from openfm.core.errors import EntityWithdrawn, NoReplicaReady
from openfm.engines.base import LoadProgress
from openfm.fleet.demand import Demand
from openfm.fleet.reconciler import Reconciler
from openfm.fleet.replica import Replica, ReplicaState, ReplicaStatus

_UNKNOWN_WAIT_S = 5.0
_FAILED_WAIT_S = 60.0
_SHORTEST_WAIT_S, _LONGEST_WAIT_S = 1.0, 120.0


@dataclass(frozen=True, slots=True)
class Patience:
    """`clock` gives seconds; a request waits up to `cold_start_s` of them for a replica."""

    clock: Callable[[], float]
    cold_start_s: float


@dataclass(frozen=True, slots=True)
class Prospects:
    """Whether waiting may help: if an endpoint still has a deployment in its config, and if an entity has no files.

    Who changes the answers calls `Fleet.wake`.
    """

    is_served: Callable[[str], bool]
    has_no_files: Callable[[ServedEntity], bool]


class Fleet:
    """View of a reconciler's replicas; fulfils the gateway's `Roster`.

    Those that may sleep are woken by being asked for.
    """

    def __init__(self, reconciler: Reconciler, demand: Demand, patience: Patience, prospects: Prospects) -> None:
        self._reconciler = reconciler
        self._demand = demand
        self._patience = patience
        self._prospects = prospects
        self._changed = asyncio.Event()
        reconciler.on_change(self.wake)

    async def ready(self, entity: ServedEntity) -> Sequence[Replica]:
        """Replicas that take requests now; waits for one that is being loaded, all callers for the same.

        Raises `EntityWithdrawn` when an update took the entity away, `NoReplicaReady` with the reason and the likely
        wait when none can be there in time.
        """
        self._demand.touch(entity.deployment_id)
        return self._ready_now(entity) or await self._wait_for(entity)

    def deployment(self, entity: ServedEntity) -> Deployment:
        """How the entity is doing, as the control plane shows it."""
        refusal = self._reconciler.refusal(entity.deployment_id)
        replicas = self._reconciler.replicas(entity.deployment_id)
        statuses = [replica.status for replica in replicas]
        states = {status.state for status in statuses}
        if ReplicaState.READY in states:
            return Deployment(DeploymentState.READY, _short_of(entity, len(replicas), refusal))
        if refusal is not None:
            return Deployment(DeploymentState.FAILED, refusal)
        if ReplicaState.RECOVERING in states:
            return Deployment(DeploymentState.RECOVERING, f"Starting again after: {_reason(statuses)}")
        if states == {ReplicaState.FAILED}:
            return Deployment(DeploymentState.FAILED, f"Could not start: {_reason(statuses)}")
        progress = self.progress(entity)
        return Deployment(DeploymentState.CREATING, f"{progress.stage.capitalize()} ({progress.fraction:.0%}).")

    def progress(self, entity: ServedEntity) -> LoadProgress:
        """How far the furthest replica has come."""
        shown = [replica.status.progress for replica in self._reconciler.replicas(entity.deployment_id)]
        return max(shown, key=lambda progress: progress.fraction, default=LoadProgress(0.0, "waiting to start"))

    def asleep(self, entity: ServedEntity) -> Deployment | None:
        """READY with what waking it costs, if nothing of it runs because nobody asks for it."""
        identifier = entity.deployment_id
        if not entity.settings.scale_to_zero_enabled or self._demand.is_awake(identifier):
            return None
        if self._reconciler.replicas(identifier) or self._reconciler.is_wanted(identifier):
            return None
        load_s = self._reconciler.load_s(identifier)
        estimate = "" if load_s is None else f" (about {load_s:.1f} s)"
        return Deployment(DeploymentState.READY, f"Scaled to zero. The next request starts it{estimate}.")

    def _ready_now(self, entity: ServedEntity) -> list[Replica]:
        replicas = self._reconciler.replicas(entity.deployment_id)
        return [replica for replica in replicas if replica.status.state is ReplicaState.READY]

    async def _wait_for(self, entity: ServedEntity) -> Sequence[Replica]:
        deadline = self._patience.clock() + self._patience.cold_start_s
        with self._demand.waiting(entity.deployment_id):
            self._reconciler.nudge()
            while not (found := self._ready_now(entity)):
                self._check_hope(entity, deadline)
                changed = self._changed
                try:
                    async with asyncio.timeout(max(0.0, deadline - self._patience.clock())):
                        await changed.wait()
                except TimeoutError:
                    raise self._not_ready(entity) from None
            return found

    def _check_hope(self, entity: ServedEntity, deadline: float) -> None:
        """Raise at once what waiting cannot change."""
        if not self._prospects.is_served(entity.deployment_id):
            raise EntityWithdrawn(f"{entity.name} is no longer served. Send the request again.", retry_after_s=1.0)
        statuses = [replica.status for replica in self._reconciler.replicas(entity.deployment_id)]
        if self._cannot_start(entity, statuses) or self._reconciler.refusal(entity.deployment_id) is not None:
            raise self._not_ready(entity)
        now = self._patience.clock()
        known = [status.expected_s for status in statuses if status.expected_s is not None]
        if len(known) == len(statuses) and known and min(known) > deadline:
            raise self._not_ready(entity)
        if now >= deadline:
            raise self._not_ready(entity)

    def _not_ready(self, entity: ServedEntity) -> NoReplicaReady:
        statuses = [replica.status for replica in self._reconciler.replicas(entity.deployment_id)]
        if self._cannot_start(entity, statuses):
            sentence = f"{_shown(entity)} could not be started. Its owner finds the reason in the endpoint's state."
            return NoReplicaReady(sentence, retry_after_s=_FAILED_WAIT_S)
        if self._reconciler.refusal(entity.deployment_id) is not None:
            wait_s = _FAILED_WAIT_S
        else:
            now = self._patience.clock()
            wait_s = min((expected_wait_s(status, now) for status in statuses), default=_UNKNOWN_WAIT_S)
        return NoReplicaReady(_sentence(entity, statuses), retry_after_s=wait_s)

    def _cannot_start(self, entity: ServedEntity, statuses: Sequence[ReplicaStatus]) -> bool:
        if not statuses:
            return self._prospects.has_no_files(entity)
        return all(status.state is ReplicaState.FAILED for status in statuses)

    def wake(self) -> None:
        """Let those who wait look again: something changed. Call it on the loop; it does not wait."""
        self._changed.set()
        self._changed = asyncio.Event()


def expected_wait_s(status: ReplicaStatus, now: float) -> float:
    """When this replica will likely be READY, in seconds from `now`.

    From the last load's time where there was one, else from how far this load has come; never a guess below 1 s.
    """
    if status.state is ReplicaState.FAILED:
        return _FAILED_WAIT_S
    wait_s = _UNKNOWN_WAIT_S
    if status.expected_s is not None:
        wait_s = status.expected_s - now
    elif status.state is ReplicaState.LOADING and status.progress.fraction > 0:
        wait_s = (now - status.since_s) * (1 - status.progress.fraction) / status.progress.fraction
    return float(min(max(math.ceil(wait_s), _SHORTEST_WAIT_S), _LONGEST_WAIT_S))


def _short_of(entity: ServedEntity, running: int, refusal: str | None) -> str:
    wanted = entity.settings.workload_size.replicas
    if refusal is None or running >= wanted:
        return ""
    return f"{running} of {wanted} replicas run. {refusal}"


def _sentence(entity: ServedEntity, statuses: Sequence[ReplicaStatus]) -> str:
    """For callers: the state and what to do, without the engine's log."""
    name = _shown(entity)
    states = {status.state for status in statuses}
    if ReplicaState.RECOVERING in states:
        return f"{name} is being restarted. Send the request again in a moment."
    if ReplicaState.LOADING in states:
        furthest = max(status.progress.fraction for status in statuses)
        return f"{name} is being loaded ({furthest:.0%}). Send the request again in a moment."
    return f"{name} has no replica yet. Send the request again in a moment."


def _shown(entity: ServedEntity) -> str:
    return entity.entity_name + (f" version {entity.entity_version}" if entity.entity_version else "")


def _reason(statuses: Sequence[ReplicaStatus]) -> str:
    return next((status.reason for status in statuses if status.reason), "unknown")
