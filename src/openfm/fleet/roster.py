"""The live view of the fleet: what the gateway asks before each request, and what the control plane shows."""

import math
from collections.abc import Callable, Sequence

from openfm.core.endpoint import Deployment, DeploymentState, ServedEntity
from openfm.core.errors import NoReplicaReady
from openfm.engines.base import LoadProgress
from openfm.fleet.reconciler import Reconciler
from openfm.fleet.replica import Replica, ReplicaState, ReplicaStatus

_UNKNOWN_WAIT_S = 5.0
_FAILED_WAIT_S = 60.0
_SHORTEST_WAIT_S, _LONGEST_WAIT_S = 1.0, 120.0


class Fleet:
    """Read-only view of a reconciler's replicas; fulfils the gateway's `Roster`."""

    def __init__(self, reconciler: Reconciler, clock: Callable[[], float]) -> None:
        self._reconciler = reconciler
        self._clock = clock

    def ready(self, entity: ServedEntity) -> Sequence[Replica]:
        """Replicas that take requests now. Raises `NoReplicaReady` with the reason and the likely wait."""
        replicas = self._replicas(entity)
        ready = [replica for replica in replicas if replica.status.state is ReplicaState.READY]
        if ready:
            return ready
        statuses = [replica.status for replica in replicas]
        wait_s = min((expected_wait_s(status, self._clock()) for status in statuses), default=_UNKNOWN_WAIT_S)
        raise NoReplicaReady(_sentence(entity, statuses), retry_after_s=wait_s)

    def deployment(self, entity: ServedEntity) -> Deployment:
        """How the entity is doing, as the control plane shows it."""
        statuses = [replica.status for replica in self._replicas(entity)]
        states = {status.state for status in statuses}
        if ReplicaState.READY in states:
            return Deployment(DeploymentState.READY, "")
        if ReplicaState.RECOVERING in states:
            return Deployment(DeploymentState.RECOVERING, f"Starting again after: {_reason(statuses)}")
        if states == {ReplicaState.FAILED}:
            return Deployment(DeploymentState.FAILED, f"Could not start: {_reason(statuses)}")
        progress = self.progress(entity)
        return Deployment(DeploymentState.CREATING, f"{progress.stage.capitalize()} ({progress.fraction:.0%}).")

    def progress(self, entity: ServedEntity) -> LoadProgress:
        """How far the furthest replica has come."""
        shown = [replica.status.progress for replica in self._replicas(entity)]
        return max(shown, key=lambda progress: progress.fraction, default=LoadProgress(0.0, "waiting to start"))

    def _replicas(self, entity: ServedEntity) -> list[Replica]:
        return self._reconciler.replicas((entity.entity_name, entity.entity_version))


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


def _sentence(entity: ServedEntity, statuses: Sequence[ReplicaStatus]) -> str:
    """For callers: the state and what to do, without the engine's log."""
    name = f"{entity.entity_name} version {entity.entity_version}"
    states = {status.state for status in statuses}
    if states == {ReplicaState.FAILED}:
        return f"{name} could not be started. Its owner finds the reason in the endpoint's deployment state."
    if ReplicaState.RECOVERING in states:
        return f"{name} is being restarted. Send the request again in a moment."
    if ReplicaState.LOADING in states:
        furthest = max(status.progress.fraction for status in statuses)
        return f"{name} is being loaded ({furthest:.0%}). Send the request again in a moment."
    return f"{name} has no replica yet. Send the request again in a moment."


def _reason(statuses: Sequence[ReplicaStatus]) -> str:
    return next((status.reason for status in statuses if status.reason), "unknown")
