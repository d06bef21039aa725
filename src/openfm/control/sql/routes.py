"""`/api/2.0/openfm/sql`, and usage as a file."""

import base64
import binascii
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse

from openfm.control.endpoints.inputs import Input
from openfm.control.identity.caller import Caller
from openfm.control.sql.ports import Sql
from openfm.control.sql.text import page_size, question_text
from openfm.core.days import Days
from openfm.core.errors import InvalidParameterValue
from openfm.core.sql import Cell, SqlAnswer, SqlQuestion
from openfm.wire.hang_up import until_hang_up

router = APIRouter(prefix="/api/2.0")

_PIECE_BYTES = 1 << 18
_MEDIA = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}


class SqlInput(Input):
    """A question. `max_rows` is the size of a page; `page_token` is of the page before."""

    query: str | None = None
    max_rows: int | None = None
    page_token: str | None = None


def _sql(request: Request) -> Sql:
    sql: Sql = request.app.state.sql
    return sql


def _days(first: Annotated[str, Query(alias="from")], last: Annotated[str, Query(alias="to")]) -> Days:
    return Days.parse(first, last)


AtSql = Annotated[Sql, Depends(_sql)]


@router.post("/openfm/sql")
async def ask(body: SqlInput, request: Request, caller: Caller, sql: AtSql) -> dict[str, Any]:
    """Ask about usage; rows as JSON objects, page by page. An ORDER BY keeps pages apart from one another."""
    most = page_size(body.max_rows, "max_rows")
    offset = _read_token(body.page_token)
    question = SqlQuestion(question_text(body.query, "query"), most, offset)
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


def _named(answer: SqlAnswer, row: Sequence[Cell]) -> dict[str, Cell]:
    return dict(zip((column.name for column in answer.columns), row, strict=True))


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
