"""Which `Idempotency-Key`s were used lately, out of the ledger: a restart must not answer one twice."""

from collections.abc import Sequence

from sqlalchemy import or_, select

from openfm.core.ledger import Attempt, KnownAttempt, LedgerState
from openfm.store.database import Database
from openfm.store.ledger_tables import ledger


def recent_attempts(database: Database, since_us: int) -> Sequence[KnownAttempt]:
    """Those of requests that were billed something, or run still. Blocks."""
    columns = ledger.c
    counts = or_(columns.billed_prompt > 0, columns.billed_completion > 0, columns.state == LedgerState.RESERVED.value)
    query = select(columns.idempotency_key, columns.idempotency_body, columns.request_id, columns.received_us).where(
        columns.received_us >= since_us, columns.idempotency_key.is_not(None), counts
    )
    with database.transaction() as connection:
        rows = connection.execute(query).all()
    return [KnownAttempt(Attempt(row[0], row[1]), row[2], row[3] / 1_000_000) for row in rows]
