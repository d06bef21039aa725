"""Statements: each runs by itself, and whoever sent it may come back for its answer, or cancel it."""

import asyncio
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import structlog

from openfm.batch.asking import Refusal
from openfm.batch.question import BatchError
from openfm.control.sql.json_array import shown_answer
from openfm.control.sql.ports import ModelsOf, Sql
from openfm.core.errors import ApiError, NotFound, RateLimited
from openfm.core.principal import Principal
from openfm.core.sql import SqlQuestion

log = structlog.get_logger(__name__)

_KEPT_S = 3600.0
_MOST_KEPT_BYTES = 64 << 20
_MOST_OPEN = 16
_BAD_REQUEST = "BAD_REQUEST"
# Databricks' `ServiceErrorCode` has no others.
_CODES: Mapping[int, str] = MappingProxyType(
    {401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL_ERROR", 501: "BAD_REQUEST"}
    | {502: "IO_ERROR", 503: "TEMPORARILY_UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}
)


@dataclass(slots=True)
class Statement:
    """One statement. `work` ends with what is shown of its answer; `ended_s` is when, on the clock of all."""

    id: str
    owner_id: str
    work: asyncio.Task[dict[str, Any]]
    ended_s: float | None = None
    size: int = 0

    def shown(self) -> dict[str, Any]:
        """As Databricks shows it."""
        told: dict[str, Any] = {"statement_id": self.id}
        if not self.work.done():
            return told | {"status": {"state": "RUNNING"}}
        if self.work.cancelled():
            return told | {"status": {"state": "CANCELED"}}
        error = self.work.exception()
        if error is not None:
            return told | {"status": {"state": "FAILED", "error": _told(error)}}
        return told | {"status": {"state": "SUCCEEDED"}} | self.work.result()


@dataclass(slots=True)
class Statements:
    """Every caller's. For the event loop alone. `clock` is in seconds.

    What has ended is kept for an hour, or until newer answers need the room.
    """

    sql: Sql
    models: ModelsOf
    clock: Callable[[], float]
    _all: dict[str, Statement] = field(default_factory=dict)

    def begin(self, question: SqlQuestion, caller: Principal, token: str) -> Statement:
        """It runs from now on."""
        self._forget()
        identifier = str(uuid.uuid4())
        running = sum(one.owner_id == caller.id and not one.work.done() for one in self._all.values())
        answer = self._answered(identifier, question, caller, token) if running < _MOST_OPEN else _too_many()
        work = asyncio.create_task(answer, name="statement")
        statement = self._all[identifier] = Statement(identifier, caller.id, work)
        work.add_done_callback(lambda _: self._end(statement))
        return statement

    def of(self, identifier: str, caller: Principal) -> Statement:
        """The caller's statement. Raises `NotFound`."""
        found = self._all.get(identifier)
        if found is None or found.owner_id != caller.id:
            raise NotFound(f"You have no statement {identifier}; answers are kept for an hour at most. Send it again.")
        return found

    async def close(self) -> None:
        """End them all."""
        running = [statement.work for statement in self._all.values() if not statement.work.done()]
        for work in running:
            work.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _answered(self, identifier: str, question: SqlQuestion, caller: Principal, token: str) -> dict[str, Any]:
        return shown_answer(await self.sql.ask(question, caller, self.models(identifier, caller, token)))

    def _end(self, statement: Statement) -> None:
        statement.ended_s = self.clock()
        if statement.work.cancelled():
            return
        error = statement.work.exception()
        if error is None:
            rows = statement.work.result()["result"]["data_array"]
            statement.size = sum(len(cell or "") for row in rows for cell in row)
        elif not isinstance(error, (ApiError, BatchError)):
            log.error("statement.failed", statement_id=statement.id, exc_info=error)

    def _forget(self) -> None:
        ended = [one for one in self._all.values() if one.ended_s is not None]
        size, oldest_s = sum(one.size for one in ended), self.clock() - _KEPT_S
        for one in ended:
            if size > _MOST_KEPT_BYTES or (one.ended_s or 0.0) < oldest_s:
                size -= one.size
                del self._all[one.id]


async def _too_many() -> dict[str, Any]:
    raise RateLimited(f"{_MOST_OPEN} of your statements are running. Wait for one of them, or cancel it.")


def _told(error: BaseException) -> dict[str, str]:
    if isinstance(error, ApiError):
        return {"error_code": _CODES.get(error.status, _BAD_REQUEST), "message": error.message}
    if isinstance(error, BatchError):
        status = error.__cause__.status if isinstance(error.__cause__, Refusal) else 0
        return {"error_code": _CODES.get(status, _BAD_REQUEST), "message": str(error)}
    return {"error_code": "INTERNAL_ERROR", "message": "The statement failed here. The server's log says why."}
