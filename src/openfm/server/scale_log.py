"""What the fleet does to endpoints by itself becomes their events: told in the event loop, written in a thread."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from sqlalchemy import select

from openfm.control.endpoints import events
from openfm.control.endpoints.directory import EndpointDirectory
from openfm.core.event import EndpointEvent, EventKind
from openfm.store.database import Database
from openfm.store.tables import serving_endpoints

_MOST_WAITING = 10_000


class ScaleLog:
    """Keeps events of deployments. `now_ms` is ms since the epoch."""

    def __init__(self, database: Database, directory: EndpointDirectory, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._directory = directory
        self._now_ms = now_ms
        self._waiting: deque[EndpointEvent] = deque(maxlen=_MOST_WAITING)
        self._told = asyncio.Event()

    def tell(self, deployment_id: str, kind: EventKind, message: str) -> None:
        """It happened now. Does not wait; nothing is kept of a deployment that no endpoint has."""
        for endpoint in self._directory.endpoints:
            for entity in endpoint.wanted_entities:
                if entity.deployment_id == deployment_id and not endpoint.is_alias:
                    event = EndpointEvent(endpoint.id, self._now_ms(), kind, message, served_entity=entity.name)
                    self._waiting.append(event)
                    self._told.set()

    async def run(self) -> None:
        """Write what is told, until cancelled."""
        while True:
            await self._told.wait()
            self._told.clear()
            told = [self._waiting.popleft() for _ in range(len(self._waiting))]
            await asyncio.to_thread(self._write, told)

    def _write(self, told: Sequence[EndpointEvent]) -> None:
        with self._database.transaction() as connection:
            here = frozenset(connection.execute(select(serving_endpoints.c.id)).scalars())  # it may be deleted by now
            for event in told:
                if event.endpoint_id in here:
                    events.record(connection, event)
