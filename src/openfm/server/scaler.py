"""How many replicas each served entity has: between its bounds by what is asked of it, and told in the log."""

import time
from collections.abc import Callable
from dataclasses import replace

import structlog

from openfm.core.endpoint import ServedEntity
from openfm.core.event import EventKind
from openfm.scheduling.autoscaling import Load, Scale, ScalingPolicy, scale
from openfm.server.promises import Promises

Tell = Callable[[str, EventKind, str], None]
"""Is told of a deployment what happened to it, and why. Must not wait."""

log = structlog.get_logger(__name__)


class Scaler:
    """Asked by the desired set at each step of the reconciler. `clock` gives seconds that never go back.

    Until it is connected, and for pay-per-token, the workload size says how many. Scaling to zero is the demand's.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, policy: ScalingPolicy | None = None) -> None:
        self._clock = clock
        self._policy = policy or ScalingPolicy()
        self._promises: Promises | None = None
        self._asked_per_s: Callable[[str], float] | None = None
        self._scales: dict[str, Scale] = {}
        self._tell: Tell | None = None
        self._asleep: frozenset[str] | None = None

    def tell_to(self, tell: Tell) -> None:
        """From now on `tell` hears of each change."""
        self._tell = tell

    def seen(self, asleep: frozenset[str], awake: frozenset[str]) -> None:
        """Of the deployments that may sleep, these do now, and these do not: who changed is told."""
        before, self._asleep = self._asleep, asleep
        if before is None or self._tell is None:
            return
        for deployment_id in sorted(asleep - before):
            self._tell(deployment_id, EventKind.SCALED_TO_ZERO, "Nobody asked for long enough; its memory is free.")
        for deployment_id in sorted(before & awake):
            self._tell(deployment_id, EventKind.COLD_START, "A request woke it, and waits until a replica answers.")

    def connect(self, promises: Promises, asked_per_s: Callable[[str], float] | None) -> None:
        """From now on `promises` say the bounds, and `asked_per_s` the work a second asked of a deployment.

        Where that is counted in other processes (None), every entity has the most.
        """
        self._promises, self._asked_per_s = promises, asked_per_s

    def replicas(self, entity: ServedEntity) -> int:
        """How many the entity should have now. Does not wait."""
        promise = None if self._promises is None else self._promises.promise(entity)
        if self._promises is None or promise is None:
            return entity.settings.workload_size.replicas
        bounds = self._promises.bounds(entity)
        if self._asked_per_s is None:
            return bounds.most
        before = self._scales.get(entity.deployment_id)
        if before is None:
            before = self._scales[entity.deployment_id] = Scale(bounds.fewest)
        load = Load(self._asked_per_s(entity.deployment_id), promise.rate / promise.replicas)
        after = scale(before, load, bounds, self._policy, self._clock())
        if after.replicas != before.replicas:
            log.info(
                "fleet.scaled",
                deployment=entity.deployment_id,
                replicas_before=before.replicas,
                replicas=after.replicas,
                reason=after.reason,
            )
            kind = EventKind.SCALED_UP if after.replicas > before.replicas else EventKind.SCALED_DOWN
            if self._tell is not None:
                self._tell(
                    entity.deployment_id, kind, f"{before.replicas} to {after.replicas} replicas: {after.reason}"
                )
        self._scales[entity.deployment_id] = replace(after, reason="")
        return after.replicas

    def forget_all_but(self, deployment_ids: frozenset[str]) -> None:
        """Drop what is known of deployments that are gone, or sleep: they begin anew with the fewest."""
        for gone in self._scales.keys() - deployment_ids:
            del self._scales[gone]
