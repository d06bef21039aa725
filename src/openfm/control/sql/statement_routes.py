"""Databricks' SQL Statement Execution API: usage, and `ai_query`."""

import asyncio
import re
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from openfm.control.endpoints.inputs import Input
from openfm.control.identity.caller import Caller
from openfm.control.sql.statements import Statement, Statements
from openfm.control.sql.text import page_size, question_text
from openfm.core.errors import InvalidParameterValue, NotFound
from openfm.core.sql import SqlParameter, SqlQuestion
from openfm.wire.bearer import bearer_token
from openfm.wire.hang_up import ClientGone, until_hang_up

router = APIRouter(prefix="/api/2.0/sql/statements")

_SECONDS = re.compile(r"(\d{1,2})s")
_NAME = re.compile(r"[A-Za-z_]\w{0,254}")
_SHORTEST_S, _LONGEST_S, _USUAL_S = 5, 50, 10
_MOST_PARAMETERS = 256


class ParameterInput(Input):
    """What `:name` stands for; without a value, NULL."""

    name: str | None = None
    value: str | None = None
    type: str | None = None


class StatementInput(Input):
    """Databricks' body; the warehouse is this server."""

    statement: str | None = None
    row_limit: int | None = None
    parameters: list[ParameterInput] | None = None
    format: str | None = None
    disposition: str | None = None
    wait_timeout: str | None = None
    on_wait_timeout: str | None = None


@dataclass(frozen=True, slots=True)
class _Wait:
    """How long the client waits, and whether the statement is cancelled then."""

    seconds: int
    cancels: bool


def _statements(request: Request) -> Statements:
    statements: Statements = request.app.state.statements
    return statements


AtStatements = Annotated[Statements, Depends(_statements)]


@router.post("", include_in_schema=False)
@router.post("/")
async def execute_statement(
    body: StatementInput, request: Request, caller: Caller, statements: AtStatements
) -> dict[str, Any]:
    """Run a SELECT, and wait for it as long as the client says; what cannot be asked is a statement that FAILED."""
    if body.format not in (None, "JSON_ARRAY") or body.disposition not in (None, "INLINE"):
        raise InvalidParameterValue("Answers come INLINE as JSON_ARRAY. Leave format and disposition out.")
    text, most = question_text(body.statement, "statement"), page_size(body.row_limit, "row_limit")
    question = SqlQuestion(text, most, parameters=_parameters(body.parameters or []))
    wait = _wait(body)
    statement = statements.begin(question, caller, bearer_token(request.scope["headers"]))
    try:
        await until_hang_up(request.receive, asyncio.wait({statement.work}, timeout=wait.seconds))
    except (ClientGone, asyncio.CancelledError):  # nobody knows its id: nobody could come back for it
        statement.work.cancel()
        raise
    if wait.cancels:
        await _cancelled(statement)
    return statement.shown()


@router.get("/{statement_id}")
async def get_statement(statement_id: str, caller: Caller, statements: AtStatements) -> dict[str, Any]:
    """How a statement stands; its answer, once it has one."""
    return statements.of(statement_id, caller).shown()


@router.get("/{statement_id}/result/chunks/{chunk_index}")
async def get_chunk(statement_id: str, chunk_index: int, caller: Caller, statements: AtStatements) -> dict[str, Any]:
    """The rows again; there is one chunk. Raises `NotFound`."""
    shown = statements.of(statement_id, caller).shown()
    if chunk_index != 0 or "result" not in shown:
        raise NotFound(f"Statement {statement_id} has no chunk {chunk_index}: a statement that SUCCEEDED has chunk 0.")
    result: dict[str, Any] = shown["result"]
    return result


@router.post("/{statement_id}/cancel")
async def cancel_statement(statement_id: str, caller: Caller, statements: AtStatements) -> dict[str, Any]:
    """End it; one that has ended stays what it is."""
    await _cancelled(statements.of(statement_id, caller))
    return {}


async def _cancelled(statement: Statement) -> None:
    statement.work.cancel()
    await asyncio.wait({statement.work})


def _wait(body: StatementInput) -> _Wait:
    if body.on_wait_timeout not in (None, "CONTINUE", "CANCEL"):
        raise InvalidParameterValue("on_wait_timeout must be CONTINUE or CANCEL.", param="on_wait_timeout")
    if body.wait_timeout is None:
        return _Wait(_USUAL_S, body.on_wait_timeout == "CANCEL")
    match = _SECONDS.fullmatch(body.wait_timeout)
    seconds = int(match[1]) if match else -1
    if seconds != 0 and not _SHORTEST_S <= seconds <= _LONGEST_S:
        raise InvalidParameterValue(
            f"wait_timeout must be 0s, or {_SHORTEST_S}s to {_LONGEST_S}s.", param="wait_timeout"
        )
    return _Wait(seconds, body.on_wait_timeout == "CANCEL" and seconds > 0)


def _parameters(given: list[ParameterInput]) -> list[SqlParameter]:
    if len(given) > _MOST_PARAMETERS or len({one.name for one in given}) < len(given):
        raise InvalidParameterValue(
            f"parameters must be {_MOST_PARAMETERS} at most, each with a name of its own.", param="parameters"
        )
    if any(not _NAME.fullmatch(one.name or "") for one in given):
        raise InvalidParameterValue(
            "Each of the parameters needs a name of letters, digits and _ that :name in the statement stands for.",
            param="parameters",
        )
    return [SqlParameter(one.name or "", one.value, one.type or "STRING") for one in given]
