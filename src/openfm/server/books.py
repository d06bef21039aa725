"""The ledger of a running server: its journal, and the writer that brings it into the database."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from openfm.control.usage.routes import UsageDesk
from openfm.metering.invoices import InvoiceDesk
from openfm.metering.journal import OpenJournal, open_journal
from openfm.metering.journal_folder import JournalFolder
from openfm.metering.price_list import PriceList
from openfm.metering.writer import LedgerWriter
from openfm.store.database import Database


@asynccontextmanager
async def open_books(database: Database, folder: Path) -> AsyncIterator[OpenJournal]:
    """The journal, for the gateway; on the way out, all that is in it is in the database. Raises `OSError`."""
    journals = JournalFolder(folder)
    journal = await asyncio.to_thread(open_journal, journals, _now_us)
    writer = LedgerWriter(database, journals)
    writing = asyncio.create_task(writer.run())
    try:
        yield journal
    finally:
        await asyncio.to_thread(journal.close)
        writer.stop()
        await writing
        await asyncio.to_thread(writer.drain)


def usage_desk(database: Database) -> UsageDesk:
    """What the management routes of prices and invoices work on."""
    return UsageDesk(PriceList(database, _now_us), InvoiceDesk(database, _now_us))


def _now_us() -> int:
    return time.time_ns() // 1000
