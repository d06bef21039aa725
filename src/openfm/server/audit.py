"""The gateway's counts against the engines' own: what no stream told is counted and said."""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from openfm.core.errors import ApiError
from openfm.fleet.replica import Replica, ReplicaState
from openfm.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)

_INTERVAL_S = 5.0


class EngineAudit:
    """Compares whenever a replica is idle: while requests run, nobody knows whose a token is.

    A caller who leaves pays what was delivered, and his row says what the engine had begun beside; what several left
    together, or a fault of whoever counts, shows here.
    """

    def __init__(self, replicas: Callable[[], Sequence[Replica]], metrics: Metrics) -> None:
        self._replicas = replicas
        self._metrics = metrics

    async def run(self) -> None:
        """Compare for ever."""
        while True:
            await asyncio.sleep(_INTERVAL_S)
            await self.step()

    async def step(self) -> None:
        """Compare once."""
        for replica in self._replicas():
            if replica.status.state is ReplicaState.READY and not replica.ongoing:
                try:
                    await self._compare(replica)
                except ApiError as error:
                    log.info("audit.skipped", replica=replica.id, reason=error.message)

    async def _compare(self, replica: Replica) -> None:
        untold = await replica.engine.untold()
        if untold:
            log.warning("audit.difference", replica=replica.id, tokens=untold)
        stats = await replica.engine.stats()
        self._metrics.audited(replica.spec.model.name, untold, stats.completion_tokens_total)
