"""Events become rows of the ledger, idempotent by request id; SQL only."""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from sqlalchemy import BindParameter, Connection, bindparam, delete, func, insert, select, update

from openfm.core.ledger import LedgerState
from openfm.core.price_book import PriceBook
from openfm.core.usage import TokenCounts
from openfm.metering.folding import Row, Story, abandoned_part, checkpoint_part, fold, reserved_row, settled_part
from openfm.metering.journal_lines import Event
from openfm.store.ledger_tables import journal_positions, ledger

log = structlog.get_logger(__name__)

_ABANDONED_AT_ONCE = 1000
_KEY = "of_request"

Rows = dict[str, Row]


class LedgerRows:
    """The ledger's rows as one transaction sees them."""

    def __init__(self, connection: Connection, book: PriceBook) -> None:
        self._connection = connection
        self._book = book

    def write(self, events: Sequence[Event], gateway: str) -> None:
        """Add what a gateway's events say that is not in the rows yet."""
        stories = fold(events)
        known = self._known(list(stories))
        new: Rows = {}
        closed: Rows = {}
        advanced: Rows = {}
        for request_id, story in stories.items():
            row = known.get(request_id)
            if row is None and story.entry is None:
                log.error("ledger.unknown_request", request_id=request_id, gateway=gateway)
            elif row is None and story.entry is not None:
                new[request_id] = reserved_row(story.entry, gateway) | self._known_end(story)
            elif row is not None and row.state == LedgerState.RESERVED:
                self._advance(story, row, closed=closed, advanced=advanced)
        self._number([row for row in (*new.values(), *closed.values()) if row.get("currency") is not None])
        if new:
            self._connection.execute(insert(ledger), list(new.values()))
        self._update(closed)
        self._update(advanced)

    def abandon(self, gateway: str) -> int:
        """Close what a dead gateway left open; how many rows, a bounded number: ask again until it is none."""
        is_open = (ledger.c.gateway == gateway) & (ledger.c.state == LedgerState.RESERVED.value)
        rows = self._connection.execute(select(ledger).where(is_open).limit(_ABANDONED_AT_ONCE)).all()
        closed: Rows = {}
        for row in rows:
            billed = TokenCounts(row.billed_prompt, row.billed_completion, row.billed_cached, row.billed_reasoning)
            last_heard_us = row.received_us if row.finished_us is None else row.finished_us
            price = self._book.price(row.endpoint_name, row.entity_name, row.received_us)
            closed[row.request_id] = abandoned_part(billed, last_heard_us, price, is_provisioned=row.is_provisioned)
        self._number(list(closed.values()))
        self._update(closed)
        return len(rows)

    def _known(self, request_ids: Sequence[str]) -> Mapping[str, Any]:
        columns = (
            ledger.c.request_id,
            ledger.c.state,
            ledger.c.endpoint_name,
            ledger.c.received_us,
            ledger.c.billed_prompt,
            ledger.c.billed_completion,
        )
        rows = self._connection.execute(select(*columns).where(ledger.c.request_id.in_(request_ids)))
        return {row.request_id: row for row in rows}

    def _known_end(self, story: Story) -> Row:
        entry = story.entry
        if story.settlement is not None and entry is not None:
            price = self._book.price(entry.endpoint_name, story.settlement.entity_name, entry.received_us)
            return settled_part(story.settlement, price)
        return {} if story.checkpoint is None else checkpoint_part(story.checkpoint)

    def _advance(self, story: Story, row: Any, *, closed: Rows, advanced: Rows) -> None:
        if story.settlement is not None:
            price = self._book.price(row.endpoint_name, story.settlement.entity_name, row.received_us)
            closed[row.request_id] = settled_part(story.settlement, price)
        elif story.checkpoint is not None and _total(row) <= story.checkpoint.delivered.total:
            # One that is read for the second time takes nothing back of what a later one said.
            advanced[row.request_id] = checkpoint_part(story.checkpoint)

    def _number(self, closed: Sequence[Row]) -> None:
        last = self._connection.execute(select(func.max(ledger.c.closing_number))).scalar_one() or 0
        for number, row in enumerate(closed, last + 1):
            row["closing_number"] = number

    def _update(self, rows: Rows) -> None:
        if not rows:
            return
        columns = next(iter(rows.values()))
        statement = update(ledger).where(ledger.c.request_id == bindparam(_KEY))
        values: dict[str, BindParameter[Any]] = {column: bindparam(column) for column in columns}
        self._connection.execute(statement.values(values), [{_KEY: key, **row} for key, row in rows.items()])


def _total(row: Any) -> int:
    return int(row.billed_prompt + row.billed_completion)


def position(connection: Connection, file: str) -> int:
    """How many bytes of a journal are in the ledger."""
    query = select(journal_positions.c.position).where(journal_positions.c.file == file)
    return connection.execute(query).scalar_one_or_none() or 0


def set_position(connection: Connection, file: str, to: int) -> None:
    """Remember it; in the transaction that wrote the rows."""
    changed = connection.execute(
        update(journal_positions).where(journal_positions.c.file == file).values(position=to)
    ).rowcount
    if not changed:
        connection.execute(insert(journal_positions).values(file=file, position=to))


def forget_positions(connection: Connection, files: Sequence[str]) -> None:
    """The journals are to be deleted."""
    connection.execute(delete(journal_positions).where(journal_positions.c.file.in_(files)))
