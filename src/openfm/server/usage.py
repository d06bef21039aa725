"""Usage in SQL, put together: the archive, its writer, and the desk that answers."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from openfm.core.principal import Principal
from openfm.metering.sql.archive import Archive
from openfm.metering.sql.desk import SqlDesk
from openfm.metering.sql.exporter import Exporter
from openfm.metering.sql.processes import SqlBounds, SqlProcesses
from openfm.server.state import State


@asynccontextmanager
async def open_usage(
    state: State, folder: Path, bounds: SqlBounds, environment: Mapping[str, str], keep_days: int | None
) -> AsyncIterator[SqlDesk]:
    """Answers, and exports in the background; nothing of it runs on the way out."""
    processes = SqlProcesses(bounds, environment)
    archive = Archive(folder)
    exporting = asyncio.create_task(Exporter(state.database, archive, processes, keep_days).run(), name="usage export")

    def visible(caller: Principal) -> frozenset[str]:
        return frozenset(endpoint.id for endpoint in state.directory.visible(caller))

    try:
        yield SqlDesk(state.database, archive, processes, state.workspace_id, visible)
    finally:
        exporting.cancel()
        with suppress(asyncio.CancelledError):
            await exporting
        await asyncio.to_thread(processes.close)
