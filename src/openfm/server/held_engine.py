"""An engine that requests of this process share: closed when it is let go and the last of them has ended."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from openfm.core.errors import NoReplicaReady
from openfm.engines.base import Engine


class HeldEngine:
    """Fulfils the gateway's `Replica`."""

    def __init__(self, replica_id: str, slots: int, engine: Engine, hardware: frozenset[str] = frozenset()) -> None:
        self.id = replica_id
        self.slots = slots
        self.hardware = hardware
        self.ongoing = 0
        self._engine = engine
        self._is_gone = False
        self._closing: asyncio.Task[None] | None = None

    @contextmanager
    def hold(self) -> Iterator[Engine]:
        """See `gateway.ports.Replica.hold`."""
        if self._is_gone:
            raise NoReplicaReady("The replica is not ready. Try again shortly.", retry_after_s=1.0)
        self.ongoing += 1
        try:
            yield self._engine
        finally:
            self.ongoing -= 1
            self._close_if_idle()

    def let_go(self) -> None:
        """No request may begin with it any more."""
        self._is_gone = True
        self._close_if_idle()

    def _close_if_idle(self) -> None:
        if self._is_gone and not self.ongoing and self._closing is None:
            self._closing = asyncio.create_task(self._engine.aclose(), name=f"close {self.id}")
