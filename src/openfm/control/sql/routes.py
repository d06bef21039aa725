"""`/api/2.0/openfm/sql`, and Databricks' SQL Statement Execution API as far as it reads usage."""

import base64
import binascii
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse

from openfm.control.endpoints.inputs import Input
from openfm.control.identity.caller import Caller
from openfm.control.sql.ports import Sql
from openfm.core.days import Days
from openfm.core.errors import ApiError, InvalidParameterValue, NotFound
from openfm.core.sql import Cell, SqlAnswer, SqlQuestion
from openfm.wire.hang_up import until_hang_up

router = APIRouter(prefix="/api/2.0")

_MOST_ROWS = 10_000
_LONGEST_QUESTION = 100_000
_PIECE_BYTES = 1 << 18
_MEDIA = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}


class SqlInput(Input):
    """A question. `max_rows` is the size of a page; `page_token` is of the page before."""

    query: str | None = None
    max_rows: int | None = None
    page_token: str | None = None


class StatementInput(Input):
    """Databricks' body; the warehouse is this server."""

    statement: str | None = None
    row_limit: int | None = None
    parameters: list[dict[str, Any]] | None = None
    format: str | None = None
    disposition: str | None = None


def _sql(request: Request) -> Sql:
    sql: Sql = request.app.state.sql
    return sql


def _days(first: Annotated[str, Query(alias="from")], last: Annotated[str, Query(alias="to")]) -> Days:
    return Days.parse(first, last)


AtSql = Annotated[Sql, Depends(_sql)]


@router.post("/openfm/sql")
async def ask(body: SqlInput, request: Request, caller: Caller, sql: AtSql) -> dict[str, Any]:
    """Ask about usage; rows as JSON objects, page by page. An ORDER BY keeps pages apart from one another."""
    most = _page_size(body.max_rows)
    offset = _read_token(body.page_token)
    question = SqlQuestion(_text(body.query, "query"), most, offset)
    answer = await until_hang_up(request.receive, sql.ask(question, caller))
    shown: dict[str, Any] = {
        "columns": [{"name": column.name, "type": column.type} for column in answer.columns],
        "rows": [_named(answer, row) for row in answer.rows],
    }
    if answer.has_more:
        shown["next_page_token"] = _token(offset + len(answer.rows))
    return shown


@router.get("/openfm/usage/export")
async def export(
    request: Request,
    caller: Caller,
    sql: AtSql,
    days: Annotated[Days, Depends(_days)],
    form: Annotated[str, Query(alias="format")] = "csv",
) -> StreamingResponse:
    """A file with a row for each request of these days, as in system.serving.endpoint_usage."""
    file = await until_hang_up(request.receive, sql.export(days, form, caller))
    return StreamingResponse(_pieces(file), media_type=_MEDIA[form])


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE_BYTES):
            yield piece


@router.post("/sql/statements", include_in_schema=False)
@router.post("/sql/statements/")
async def execute_statement(body: StatementInput, request: Request, caller: Caller, sql: AtSql) -> dict[str, Any]:
    """Databricks' way of asking: the answer comes at once; what cannot be asked is a statement that FAILED."""
    identifier = str(uuid.uuid4())
    if body.parameters:
        raise InvalidParameterValue("Parameters are not read here. Write the values into the statement.")
    if body.format not in (None, "JSON_ARRAY") or body.disposition not in (None, "INLINE"):
        raise InvalidParameterValue("Answers come INLINE as JSON_ARRAY. Leave format and disposition out.")
    question = SqlQuestion(_text(body.statement, "statement"), _page_size(body.row_limit))
    try:
        answer = await until_hang_up(request.receive, sql.ask(question, caller))
    except ApiError as error:
        status = {"state": "FAILED", "error": {"error_code": error.error_code, "message": error.message}}
        return {"statement_id": identifier, "status": status}
    return {
        "statement_id": identifier,
        "status": {"state": "SUCCEEDED"},
        "manifest": _manifest(answer),
        "result": {
            "chunk_index": 0,
            "row_offset": 0,
            "row_count": len(answer.rows),
            "data_array": [[_as_text(cell) for cell in row] for row in answer.rows],
        },
    }


@router.get("/sql/statements/{statement_id}")
def get_statement(statement_id: str) -> dict[str, Any]:
    """Answers come with the statement and are not kept. Raises `NotFound`."""
    raise NotFound(f"There is no statement {statement_id}: answers come at once and are not kept. Send it again.")


def _manifest(answer: SqlAnswer) -> Mapping[str, Any]:
    columns = [
        {"name": column.name, "type_text": column.type, "type_name": _type_name(column.type), "position": number}
        for number, column in enumerate(answer.columns)
    ]
    return {
        "format": "JSON_ARRAY",
        "schema": {"column_count": len(columns), "columns": columns},
        "total_row_count": len(answer.rows),
        "total_chunk_count": 1,
        "truncated": answer.has_more,
    }


_TYPE_NAMES = {
    "VARCHAR": "STRING",
    "BIGINT": "LONG",
    "HUGEINT": "DECIMAL",
    "INTEGER": "INT",
    "SMALLINT": "SHORT",
    "TINYINT": "BYTE",
    "DOUBLE": "DOUBLE",
    "FLOAT": "FLOAT",
    "BOOLEAN": "BOOLEAN",
    "DATE": "DATE",
    "INTERVAL": "INTERVAL",
    "BLOB": "BINARY",
}


def _type_name(duckdb_type: str) -> str:
    """Databricks' `ColumnInfoTypeName` of a type."""
    for prefix, name in (("DECIMAL", "DECIMAL"), ("TIMESTAMP", "TIMESTAMP"), ("MAP", "MAP"), ("STRUCT", "STRUCT")):
        if duckdb_type.startswith(prefix):
            return name
    return "ARRAY" if duckdb_type.endswith("[]") else _TYPE_NAMES.get(duckdb_type, "STRING")


def _as_text(cell: Cell) -> str | None:
    """Every value is a string in a JSON_ARRAY."""
    if cell is None or isinstance(cell, str):
        return cell
    return json.dumps(cell)


def _named(answer: SqlAnswer, row: Sequence[Cell]) -> dict[str, Cell]:
    return dict(zip((column.name for column in answer.columns), row, strict=True))


def _text(given: str | None, field: str) -> str:
    if not given or not given.strip():
        raise InvalidParameterValue(f"{field} is missing: send a SELECT.", param=field)
    if len(given) > _LONGEST_QUESTION:
        raise InvalidParameterValue(f"{field} is longer than {_LONGEST_QUESTION} characters.", param=field)
    return given


def _page_size(given: int | None) -> int:
    if given is None:
        return _MOST_ROWS
    if not 1 <= given <= _MOST_ROWS:
        raise InvalidParameterValue(f"max_rows must be 1 to {_MOST_ROWS}.", param="max_rows")
    return given


def _token(offset: int) -> str:
    return base64.urlsafe_b64encode(b"%d" % offset).decode()


def _read_token(token: str | None) -> int:
    if not token:
        return 0
    try:
        offset = int(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, binascii.Error):
        raise _no_token() from None
    if not 0 <= offset < 2**53:
        raise _no_token()
    return offset


def _no_token() -> InvalidParameterValue:
    return InvalidParameterValue("page_token is not one of ours. Leave it out to begin.", param="page_token")
