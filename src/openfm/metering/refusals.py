"""Requests that were refused before an engine was given them: counted in memory, and brought into the database in sums.

They are no rows of the ledger: a storm of refusals must neither fill the disk nor wait for it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import structlog
from sqlalchemy import Connection, and_, bindparam, delete, insert, select, update
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from openfm.core.errors import ApiError, InvalidParameterValue
from openfm.core.usage import UsageRecord
from openfm.metering.adding import digest
from openfm.store.database import Database
from openfm.store.usage_tables import refusals

log = structlog.get_logger(__name__)

MOST_TOLD_APART = 5_000
"""Sums that wait for the database. Beyond it principals are counted together, beyond twice as many nobody is."""

_AT_ONCE = 500
_INTERVAL_S = 2.0
_MISFITS = (DataError, IntegrityError, InvalidParameterValue)


@dataclass(frozen=True, slots=True)
class _Kind:
    """What one sum is about."""

    minute: int
    endpoint_id: str
    endpoint_name: str
    served_entity: str
    entity_name: str
    principal_id: str
    principal_name: str
    status: int
    code: str


class RefusalWriter:
    """A `UsageSink` that counts refusals; what is counted is in the database some seconds later, while `run` runs."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[_Kind, int] = {}

    def record(self, usage: UsageRecord) -> None:
        """See the gateway's `UsageSink`."""
        refused = usage.refused
        if refused is None:
            return
        kind = _Kind(
            minute=int(usage.received_s // 60),
            endpoint_id=refused.endpoint_id,
            endpoint_name=usage.endpoint,
            served_entity=usage.served_entity,
            entity_name=refused.entity_name,
            principal_id=refused.principal_id,
            principal_name=usage.principal,
            status=usage.status,
            code=refused.code,
        )
        self._add(kind, 1)

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
        counted, self._waiting = list(self._waiting.items()), {}
        for start in range(0, len(counted), _AT_ONCE):
            some = counted[start : start + _AT_ONCE]
            try:
                await asyncio.to_thread(self._write, some)
            except _MISFITS:
                log.exception("refusals.not_kept", sums=len(some))
            except (SQLAlchemyError, ApiError) as error:
                log.warning("refusals.writer_waits", reason=str(error))
                for kind, requests in some:
                    self._add(kind, requests)

    def _add(self, kind: _Kind, requests: int) -> None:
        if kind not in self._waiting and len(self._waiting) >= MOST_TOLD_APART:
            kind = replace(kind, principal_id="", principal_name="")
            if kind not in self._waiting and len(self._waiting) >= 2 * MOST_TOLD_APART:
                return
        self._waiting[kind] = self._waiting.get(kind, 0) + requests

    def _write(self, counted: Sequence[tuple[_Kind, int]]) -> None:
        lines = [_line(kind, requests) for kind, requests in counted]
        with self._database.transaction() as connection:
            known = _known(connection, lines)
            new = [line for line in lines if (line["minute"], line["digest"]) not in known]
            if new:
                connection.execute(insert(refusals), new)
            _increase(connection, [line for line in lines if (line["minute"], line["digest"]) in known])


def forget_refusals(database: Database, before_minute: int) -> int:
    """Drop the sums of earlier minutes; how many."""
    with database.transaction() as connection:
        return connection.execute(delete(refusals).where(refusals.c.minute < before_minute)).rowcount


def _line(kind: _Kind, requests: int) -> dict[str, Any]:
    facts = asdict(kind)
    return {**facts, "digest": digest(facts), "requests": requests}


def _known(connection: Connection, lines: Sequence[Mapping[str, Any]]) -> frozenset[tuple[int, str]]:
    query = select(refusals.c.minute, refusals.c.digest).where(
        refusals.c.minute.in_({line["minute"] for line in lines}),
        refusals.c.digest.in_([line["digest"] for line in lines]),
    )
    return frozenset((row.minute, row.digest) for row in connection.execute(query))


def _increase(connection: Connection, lines: Sequence[Mapping[str, Any]]) -> None:
    if not lines:
        return
    is_it = and_(refusals.c.minute == bindparam("of_minute"), refusals.c.digest == bindparam("of_digest"))
    more = update(refusals).where(is_it).values(requests=refusals.c.requests + bindparam("more"))
    rows = [{"of_minute": line["minute"], "of_digest": line["digest"], "more": line["requests"]} for line in lines]
    connection.execute(more, rows)
