"""Inference tables: what endpoints that have one were asked and answered. Written beside requests, read in pages."""

import asyncio
import base64
import binascii
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Row, and_, delete, func, insert, or_, select
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from openfm.core.errors import ApiError, InvalidParameterValue
from openfm.core.payload import Payload
from openfm.core.report import DAY_US
from openfm.store.database import Database
from openfm.store.tables import serving_endpoints
from openfm.store.usage_tables import payloads

log = structlog.get_logger(__name__)

MOST_BUFFERED = 64 << 20
"""Bytes that wait for the database; what comes then is left out, and counted."""

_BATCH = 200
_INTERVAL_S = 0.5
_PAGE_BYTES = 8 << 20
_GONE_AT_ONCE = 500
_WHOLE_ID = 64
_MISFITS = (DataError, IntegrityError, InvalidParameterValue)


class PayloadWriter:
    """Fulfils the gateway's `PayloadSink`. `on_dropped` is told of each that was left out. `run` must be running."""

    def __init__(self, database: Database, on_dropped: Callable[[], None]) -> None:
        self._database = database
        self._on_dropped = on_dropped
        self._waiting: deque[Payload] = deque()
        self._size = 0

    def record(self, payload: Payload) -> None:
        """See `PayloadSink`."""
        if self._size + payload.size > MOST_BUFFERED:
            self._on_dropped()
            return
        self._waiting.append(payload)
        self._size += payload.size

    async def run(self) -> None:
        """Write until cancelled, then what is left."""
        try:
            while True:
                await asyncio.sleep(_INTERVAL_S)
                await self.flush()
        finally:
            await self.flush()

    async def flush(self) -> None:
        """Write what waits. What the database refuses now is tried again, what it can never keep is left out."""
        while self._waiting:
            batch = [self._waiting[n] for n in range(min(_BATCH, len(self._waiting)))]
            try:
                await asyncio.to_thread(self._write, batch)
            except (SQLAlchemyError, ApiError) as error:
                log.warning("payloads.writer_waits", reason=str(error))
                return
            for payload in batch:
                self._waiting.popleft()
                self._size -= payload.size

    def _write(self, batch: Sequence[Payload]) -> None:
        try:
            self._insert(batch)
        except _MISFITS:
            for one in batch:
                self._write_if_it_fits(one)

    def _write_if_it_fits(self, payload: Payload) -> None:
        """One that the database cannot keep, or has already, must not hold up all others."""
        try:
            self._insert([payload])
        except _MISFITS:
            log.exception("payloads.not_kept", request_id=payload.request_id)
            self._on_dropped()

    def _insert(self, batch: Sequence[Payload]) -> None:
        with self._database.transaction() as connection:
            connection.execute(insert(payloads), [_row(one) for one in batch])


@dataclass(frozen=True, slots=True)
class PayloadDesk:
    """Reads inference tables, and forgets what is older than `days`. Its calls block."""

    database: Database
    days: int
    clock_us: Callable[[], int]

    def page(self, endpoint_id: str, token: str | None, most: int) -> tuple[Sequence[dict[str, Any]], str | None]:
        """The next rows, the latest first, and the token of the page after. Raises `InvalidParameterValue`."""
        query = select(payloads).where(payloads.c.endpoint_id == endpoint_id)
        if token is not None:
            at_us, request_id = _place(token)
            earlier = payloads.c.request_time_us < at_us
            same = and_(payloads.c.request_time_us == at_us, payloads.c.databricks_request_id < request_id)
            query = query.where(or_(earlier, same))
        query = query.order_by(payloads.c.request_time_us.desc(), payloads.c.databricks_request_id.desc())
        found: list[Row[Any]] = []
        size, is_more = 0, False
        with self.database.transaction() as connection:
            for row in connection.execute(query.limit(most + 1)):
                size += len(row.request or "") + len(row.response or "")
                if len(found) == most or (found and size > _PAGE_BYTES):
                    is_more = True
                    break
                found.append(row)
        return [row._asdict() for row in found], _token(found[-1]) if is_more else None

    def one(self, endpoint_id: str, request_id: str) -> dict[str, Any] | None:
        """The row of one request; None where none was kept."""
        query = select(payloads).where(
            payloads.c.endpoint_id == endpoint_id, payloads.c.databricks_request_id == request_id
        )
        with self.database.transaction() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else row._asdict()

    def count(self) -> int:
        """How many rows there are."""
        with self.database.transaction() as connection:
            return connection.execute(select(func.count()).select_from(payloads)).scalar_one()

    def sweep(self) -> int:
        """Forget what is old, and what was asked of endpoints that are gone; how many."""
        is_old = payloads.c.request_time_us < self.clock_us() - self.days * DAY_US
        is_lost = payloads.c.endpoint_id.not_in(select(serving_endpoints.c.id))
        total = 0
        for condition in (is_old, is_lost):
            while count := self._forget(condition):
                total += count
        return total

    def _forget(self, condition: Any) -> int:
        """Some at a time: readers and writers of the database take turns."""
        some = select(payloads.c.databricks_request_id).where(condition).limit(_GONE_AT_ONCE).scalar_subquery()
        with self.database.transaction() as connection:
            return connection.execute(delete(payloads).where(payloads.c.databricks_request_id.in_(some))).rowcount


def _row(payload: Payload) -> dict[str, Any]:
    return {
        "databricks_request_id": payload.request_id,
        "endpoint_id": payload.endpoint_id,
        "client_request_id": payload.client_request_id,
        "request_time_us": payload.request_time_us,
        "status_code": payload.status_code,
        "sampling_fraction": 1.0,
        "execution_duration_ms": payload.execution_duration_ms,
        "request": payload.request,
        "response": payload.response,
        "served_entity_id": payload.served_entity_id,
        "logging_error_codes": list(payload.error_codes),
        "requester": payload.requester,
    }


def _token(row: Row[Any]) -> str:
    return base64.urlsafe_b64encode(f"{row.request_time_us}/{row.databricks_request_id}".encode()).decode()


def _place(token: str) -> tuple[int, str]:
    try:
        at_us, _, request_id = base64.urlsafe_b64decode(token.encode()).decode().partition("/")
        place = int(at_us), request_id
    except (binascii.Error, ValueError):
        place = -1, ""
    if not 0 <= place[0] < 1 << 63 or not 0 < len(place[1]) <= _WHOLE_ID:
        raise InvalidParameterValue("page_token is none. Send next_page_token of the page before.", param="page_token")
    return place
