"""What is kept, for how long, and the work that forgets the rest."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError

from openfm.core.errors import ApiError
from openfm.metering.payloads import PayloadDesk
from openfm.metering.retention import LedgerRetention

log = structlog.get_logger(__name__)

_INTERVAL_S = 3600.0


@dataclass(frozen=True, slots=True)
class RetentionDesk:
    """Fulfils `control.usage.ports.Retention`; `run` does the same each hour. Its other calls block."""

    ledger: LedgerRetention
    payloads: PayloadDesk

    def kept(self) -> Mapping[str, object]:
        """See `Retention`."""
        kept = self.ledger.kept()
        oldest = None if kept.oldest_us is None else datetime.fromtimestamp(kept.oldest_us / 1_000_000, UTC)
        return {
            "ledger_retention_days": self.ledger.days,
            "ledger_rows": kept.rows,
            "ledger_oldest_row": None if oldest is None else oldest.isoformat(),
            "ledger_day_sums": kept.day_sums,
            "inference_table_retention_days": self.payloads.days,
            "inference_table_rows": self.payloads.count(),
        }

    def sweep(self) -> Mapping[str, object]:
        """See `Retention`."""
        rolled, forgotten = self.ledger.sweep(), self.payloads.sweep()
        if rolled or forgotten:
            log.info("retention.swept", ledger_rows=rolled, inference_table_rows=forgotten)
        return {**self.kept(), "swept_ledger_rows": rolled, "swept_inference_table_rows": forgotten}

    async def run(self) -> None:
        """Sweep each hour, until cancelled. What the database refuses is tried again then."""
        while True:
            try:
                await asyncio.to_thread(self.sweep)
            except (SQLAlchemyError, ApiError) as error:
                log.warning("retention.waits", reason=str(error))
            await asyncio.sleep(_INTERVAL_S)
