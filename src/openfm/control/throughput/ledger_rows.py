"""SQL of what requests there were: shapes to plan by, and times to report."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from openfm.core.ledger import LedgerState
from openfm.scheduling.delivery import Served
from openfm.scheduling.sizing import Arrival, Shape
from openfm.store.ledger_tables import ledger

_MOST_ROWS = 500_000


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose requests for which model, since when (us since the epoch). No principal means everybody's."""

    entity_name: str
    since_us: int
    principal_id: str | None = None


def arrivals(connection: Connection, asked: Asked) -> Sequence[Arrival]:
    """The answered requests, some hundred thousand at most."""
    columns = ledger.c
    query = (
        select(columns.received_us, columns.generated_prompt, columns.generated_cached, columns.generated_completion)
        .where(
            columns.entity_name == asked.entity_name,
            columns.received_us >= asked.since_us,
            columns.state != LedgerState.RESERVED.value,
            columns.status < 400,
        )
        .order_by(columns.received_us.desc())
        .limit(_MOST_ROWS)
    )
    if asked.principal_id is not None:
        query = query.where(columns.principal_id == asked.principal_id)
    return [
        Arrival(row[0] // 60_000_000, Shape(prompt=row[1], completion=row[3], cached=row[2]))
        for row in connection.execute(query)
    ]


def served(connection: Connection, endpoint_id: str, since_us: int) -> Sequence[Served]:
    """The endpoint's closed requests, some hundred thousand at most."""
    columns = ledger.c
    query = (
        select(
            columns.received_us,
            columns.first_token_us,
            columns.finished_us,
            columns.status,
            columns.generated_prompt,
            columns.generated_cached,
            columns.generated_completion,
        )
        .where(
            columns.endpoint_id == endpoint_id,
            columns.received_us >= since_us,
            columns.finished_us.is_not(None),
            columns.status.is_not(None),
            columns.state != LedgerState.RESERVED.value,
        )
        .order_by(columns.received_us.desc())
        .limit(_MOST_ROWS)
    )
    return [Served(*row) for row in connection.execute(query)]
