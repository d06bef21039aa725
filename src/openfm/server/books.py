"""The ledger of a running server: its journal, and the writer that brings it into the database."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from openfm.control.secrets.cipher import Cipher, ensure_secret_key
from openfm.control.usage.routes import UsageDesk
from openfm.core.ledger import KnownAttempt
from openfm.limits.key_store import REMEMBERED_S
from openfm.metering.attempts import recent_attempts
from openfm.metering.corrections import CorrectionDesk
from openfm.metering.invoices import InvoiceDesk
from openfm.metering.journal import OpenJournal, open_journal
from openfm.metering.journal_folder import JournalFolder
from openfm.metering.keeping import RetentionDesk
from openfm.metering.payloads import PayloadDesk
from openfm.metering.price_list import KnownPrices, PriceList
from openfm.metering.reports import ReportDesk
from openfm.metering.retention import LedgerRetention
from openfm.metering.writer import LedgerWriter
from openfm.server.background import cancelled, started
from openfm.server.housekeeping import housekeeping
from openfm.server.replays import FileReplays
from openfm.store.database import Database

log = structlog.get_logger(__name__)

_LEDGER, _REPLAYS = "ledger", "replays"


@dataclass(frozen=True, slots=True)
class Books:
    """What the gateway works on: the journal, and which `Idempotency-Key`s the ledger knows, with kept answers.

    `lag_bytes` tells how much of the journals is not in the database yet.
    """

    journal: OpenJournal
    known: Sequence[KnownAttempt]
    replays: FileReplays
    lag_bytes: Callable[[], int]


@asynccontextmanager
async def open_books(database: Database, home: Path) -> AsyncIterator[Books]:
    """What an earlier server left is closed first; on the way out, all of the journal is in the database.

    Raises `OSError`.
    """
    journals = JournalFolder(home / _LEDGER)
    writer = LedgerWriter(database, journals)
    await asyncio.to_thread(writer.drain)
    replays = await asyncio.to_thread(_replays, home)
    known = await _known(database)
    journal = await asyncio.to_thread(open_journal, journals, _now_us)
    writing = asyncio.create_task(writer.run())
    writing.add_done_callback(_tell)
    tidying = [started(housekeeping([replays.tidy]), "replays")]
    try:
        yield Books(journal, known, replays, lambda: writer.lag_bytes)
    finally:
        await cancelled(tidying)
        await asyncio.to_thread(journal.close)
        writer.stop()
        await asyncio.wait([writing])
        try:
            await asyncio.to_thread(writer.drain)
        except SQLAlchemyError as error:
            log.error("ledger.not_drained", reason=str(error), next_step="the next start goes on")  # noqa: TRY400


@asynccontextmanager
async def open_gateway_books(database: Database, home: Path) -> AsyncIterator[Books]:
    """The books of a gateway whose control server writes them into the database. Raises `OSError`."""
    journals = JournalFolder(home / _LEDGER)
    known, replays = await _known(database), await asyncio.to_thread(_replays, home)
    journal = await asyncio.to_thread(open_journal, journals, _now_us)
    try:
        yield Books(journal, known, replays, lambda: 0)
    finally:
        await asyncio.to_thread(journal.close)


def _replays(home: Path) -> FileReplays:
    return FileReplays(home / _REPLAYS, Cipher(ensure_secret_key(home)), time.time)


async def _known(database: Database) -> Sequence[KnownAttempt]:
    since_us = _now_us() - int(REMEMBERED_S * 1_000_000)
    return await asyncio.to_thread(recent_attempts, database, since_us)


def _tell(writing: asyncio.Task[None]) -> None:
    """A writer that ended by itself met a bug: what is billed stays in the journals until the next start."""
    if not writing.cancelled() and writing.exception() is not None:
        log.critical("ledger.writer_ended", exc_info=writing.exception())


def retention_desk(database: Database, ledger_days: int | None, payload_days: int) -> RetentionDesk:
    """What forgets; None days keep for ever."""
    ledger = LedgerRetention(database, ledger_days, _now_us)
    return RetentionDesk(ledger, PayloadDesk(database, payload_days, _now_us))


def usage_desk(database: Database, prices: KnownPrices, retention: RetentionDesk) -> UsageDesk:
    """What the management routes of prices and usage work on; `prices` knows each new price at once."""
    listed = PriceList(database, _now_us, prices.take_over)
    return UsageDesk(
        listed, InvoiceDesk(database, _now_us), ReportDesk(database), retention, CorrectionDesk(database, _now_us)
    )


def _now_us() -> int:
    return time.time_ns() // 1000
