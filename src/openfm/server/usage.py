"""Usage in SQL, put together: the archive, its writer, and the desk that answers."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from openfm.core.principal import PermissionLevel, Principal
from openfm.metering.keeping import RetentionDesk
from openfm.metering.sql.archive import Archive
from openfm.metering.sql.desk import SqlDesk
from openfm.metering.sql.exporter import Exporter
from openfm.metering.sql.payload_tables import PayloadTables
from openfm.metering.sql.processes import SqlBounds, SqlProcesses
from openfm.server.state import State


@asynccontextmanager
async def open_usage(
    state: State, folder: Path, bounds: SqlBounds, environment: Mapping[str, str], retention: RetentionDesk
) -> AsyncIterator[SqlDesk]:
    """Answers, and exports in the background; nothing of it runs on the way out."""
    processes = SqlProcesses(bounds, environment)
    archive = Archive(folder)
    exporting = asyncio.create_task(
        Exporter(state.database, archive, processes, retention.ledger.days).run(), name="usage export"
    )

    def visible(caller: Principal) -> frozenset[str]:
        return frozenset(endpoint.id for endpoint in state.directory.visible(caller))

    def managed(caller: Principal) -> Mapping[str, Sequence[str]]:
        tables: dict[str, list[str]] = defaultdict(list)
        for endpoint in state.directory.visible(caller):
            is_managed = state.directory.level(endpoint, caller) is PermissionLevel.CAN_MANAGE
            if is_managed and endpoint.details.inference_table_config:
                tables[endpoint.inference_table_name.lower()].append(endpoint.id)
        return tables

    try:
        payloads = PayloadTables(retention.payloads, managed)
        yield SqlDesk(state.database, archive, processes, state.workspace_id, visible, payloads)
    finally:
        exporting.cancel()
        with suppress(asyncio.CancelledError):
            await exporting
        await asyncio.to_thread(processes.close)
