"""One question answered, or one file written, by a process of its own that ends with it (see `fork_server`).

What it was given is loaded first; then its configuration is locked with nothing in reach but those files, and only
then is the question looked at.
"""

import json
import os
import resource
import signal
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from openfm.metering.sql.calls import bind, rewrite, with_markers
from openfm.metering.sql.judge import Node, Refused, judge
from openfm.metering.sql.kinds import UnknownKind, duckdb_kind
from openfm.metering.sql.lookup import Lookup
from openfm.metering.sql.sources import (
    ALL_CORRECTIONS,
    ALL_REFUSALS,
    CORRECTION_COLUMNS,
    CORRECTIONS,
    ENTITIES,
    ENTITY_COLUMNS,
    LEDGER,
    LEDGER_COLUMNS,
    NEW,
    PAYLOAD_COLUMNS,
    PRICE_COLUMNS,
    PRICES,
    REFUSAL_COLUMNS,
    REFUSALS,
    UNIT_HOUR_COLUMNS,
    UNIT_HOURS,
)
from openfm.metering.sql.tables import EXPORT_FORMS, PAYLOADS, TABLES, view_name

_CPU_GRACE_S = 5
_BESIDE_BYTES = 1 << 30
_MOST_ANSWER_BYTES = 16 << 20


def answer(line: bytes) -> bytes:
    """The answer to a job, both a line of JSON. Limits this process for good: it ends when the job's time is over."""
    job: dict[str, Any] = json.loads(line)
    signal.setitimer(signal.ITIMER_REAL, job["seconds"])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (int(job["seconds"]) + _CPU_GRACE_S,) * 2)
    # DuckDB's own limit does not count values of a single cell, nor what Python makes of them.
    resource.setrlimit(resource.RLIMIT_AS, (int(job["memory_bytes"]) + _BESIDE_BYTES,) * 2)
    try:
        found = _KINDS[job["kind"]](job)
    except Refused as refused:
        found = {"refused": str(refused)}
    except (duckdb.OutOfMemoryException, MemoryError):
        found = {"refused": "The question needs more memory than it may have. Ask for less at a time, or for sums."}
    except duckdb.Error as error:
        found = {"refused": f"The question cannot be answered: {str(error).splitlines()[0]}"}
    return json.dumps(found).encode()


def _written(job: Mapping[str, Any]) -> dict[str, Any]:
    """Parquet of rows (JSON lines) or of other Parquet files, which come in the order of their closing."""
    connection = _connection(job)
    for part in job["parts"]:
        source = _json_rows(part["rows"], LEDGER_COLUMNS) if part["rows"] else _parquet(part["files"])
        connection.execute(f"COPY (SELECT * FROM {source}) TO {_quoted(part['to'])} (FORMAT parquet, COMPRESSION zstd)")
        with Path(part["to"]).open("rb") as file:
            os.fsync(file.fileno())
    return {"done": True}


def _exported(job: Mapping[str, Any]) -> dict[str, Any]:
    """A file of usage for people: the caller's, received on these days."""
    connection = _connection(job)
    _load(connection, job)
    form = str(job["form"])
    _create_views(connection, job, EXPORT_FORMS[form])
    connection.execute(
        f"COPY ({EXPORT_FORMS[form]} WHERE CAST(request_time AS DATE) BETWEEN DATE {_quoted(job['first'])} "
        f"AND DATE {_quoted(job['last'])}) TO {_quoted(job['to'])} (FORMAT {form})"
    )
    return {"done": True}


def _answered(job: Mapping[str, Any]) -> dict[str, Any]:
    connection = _connection(job)
    _load(connection, job)
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    lookup = None if job.get("outcomes") is None else Lookup(json.loads(Path(job["outcomes"]).read_bytes()))
    question = _readable(connection, job, lookup)
    _create_views(connection, job, question)
    try:
        found = _page(connection, job, question)
    except duckdb.Error:
        if lookup is not None and lookup.refusal is not None:
            raise lookup.refusal from None
        raise
    return {"questions": lookup.questions()} if lookup is not None and lookup.missing else found


def _page(connection: duckdb.DuckDBPyConnection, job: Mapping[str, Any], question: str) -> dict[str, Any]:
    offset, most = int(job["offset"]), int(job["max_rows"])
    result = connection.execute(f"SELECT * FROM ({question}) LIMIT {most + 1} OFFSET {offset}")
    columns = [{"name": column[0], "type": str(column[1])} for column in result.description or ()]
    rows: list[list[Any]] = []
    left = _MOST_ANSWER_BYTES
    while (row := result.fetchone()) is not None:
        shown = [_plain(cell) for cell in row]
        left -= len(json.dumps(shown))
        if len(rows) == most or (left < 0 and rows):
            return {"columns": columns, "rows": rows, "has_more": True}
        if left < 0:
            raise Refused(f"A row of the answer has more than {_MOST_ANSWER_BYTES >> 20} MiB. Ask for less of it.")
        rows.append(shown)
    return {"columns": columns, "rows": rows, "has_more": False}


def _connection(job: Mapping[str, Any]) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:")
    for setting in (
        f"memory_limit = '{int(job['memory_bytes'])}B'",
        "temp_directory = ''",
        "threads = 2",
        "autoinstall_known_extensions = false",
        "autoload_known_extensions = false",
        "TimeZone = 'UTC'",
        "python_enable_replacements = false",
    ):
        connection.execute(f"SET {setting}")
    return connection


def _load(connection: duckdb.DuckDBPyConnection, job: Mapping[str, Any]) -> None:
    """What our tables are made of: exactly the files that the job names."""
    files: Sequence[str] = job["files"]
    read_later = [*files, *(table["rows"] for table in job["payloads"])]
    if read_later:
        paths = ", ".join(_quoted(file) for file in read_later)
        connection.execute(f"SET allowed_paths = [{paths}]")
    _table(connection, NEW, job["rows"], LEDGER_COLUMNS)
    _table(connection, ENTITIES, job["entities"], ENTITY_COLUMNS)
    _table(connection, PRICES, job["prices"], PRICE_COLUMNS)
    _table(connection, ALL_CORRECTIONS, job["corrections"], CORRECTION_COLUMNS)
    _table(connection, ALL_REFUSALS, job["refusals"], REFUSAL_COLUMNS)
    _table(connection, UNIT_HOURS, job["unit_hours"], UNIT_HOUR_COLUMNS)
    connection.execute("SET VARIABLE workspace_id = $1", [job["workspace_id"]])
    parts = [f"SELECT * FROM {NEW}", *([f"SELECT * FROM {_parquet(files)}"] if files else [])]
    own = "" if job["principal_id"] is None else f" WHERE principal_id = {_quoted(job['principal_id'])}"
    connection.execute(
        # Files from before throughput could be provisioned do not say so.
        f"CREATE VIEW {LEDGER} AS SELECT * REPLACE (coalesce(is_provisioned, false) AS is_provisioned) "
        f"FROM ({' UNION ALL BY NAME '.join(parts)}){own}"
    )
    connection.execute(f"CREATE VIEW {CORRECTIONS} AS SELECT * FROM {ALL_CORRECTIONS}{own}")
    connection.execute(f"CREATE VIEW {REFUSALS} AS SELECT * FROM {ALL_REFUSALS}{own}")


def _create_views(connection: duckdb.DuckDBPyConnection, job: Mapping[str, Any], query: str) -> None:
    """The tables that the query names, by their views; to make all of them takes longer than many an answer."""
    views = {view_name(name): select for name, select in TABLES.items()}
    for number, table in enumerate(job["payloads"]):
        views[f"payloads_{number}"] = f"{PAYLOADS} FROM {_json_rows(table['rows'], PAYLOAD_COLUMNS)}"
    for name, select in views.items():
        if name in query:
            connection.execute(f"CREATE VIEW {name} AS {select}")


def _table(connection: duckdb.DuckDBPyConnection, name: str, path: str | None, columns: Mapping[str, str]) -> None:
    if path is None:
        typed = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
        connection.execute(f"CREATE TABLE {name} ({typed})")
    else:
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM {_json_rows(path, columns)}")


def _readable(connection: duckdb.DuckDBPyConnection, job: Mapping[str, Any], lookup: Lookup | None) -> str:
    """The question, judged, in DuckDB's own words. Raises `Refused`."""
    parameters: Sequence[Mapping[str, Any]] = job["parameters"]
    tree = _tree(connection, with_markers(str(job["text"]), [given["name"] for given in parameters]))
    bind(tree, {given["name"]: _value(connection, given) for given in parameters})
    payloads = {table["name"]: f"payloads_{number}" for number, table in enumerate(job["payloads"])}
    judged = judge(tree, payloads | {name: view_name(name) for name in TABLES})
    if rewrite(judged, job["embedding_endpoints"], partial(_casting, connection, "NULL")):
        if lookup is None:
            raise Refused(
                "ai_query is answered in SQL statements (POST /api/2.0/sql/statements/), and by `openfm batch` on your "
                "own files."
            )
        lookup.define(connection)
    ((written,),) = connection.execute("SELECT json_deserialize_sql($1::JSON)", [json.dumps(judged)]).fetchall()
    return str(written)


def _tree(connection: duckdb.DuckDBPyConnection, text: str) -> Node:
    ((found,),) = connection.execute("SELECT json_serialize_sql($1::VARCHAR)", [text]).fetchall()
    return dict(json.loads(found))


def _casting(connection: duckdb.DuckDBPyConnection, value: str, kind: str) -> Node:
    """The node of a value, as DuckDB writes it, cast to a type."""
    tree = _tree(connection, f"SELECT CAST({value} AS {kind})")
    return dict(tree["statements"][0]["node"]["select_list"][0])


def _value(connection: duckdb.DuckDBPyConnection, given: Mapping[str, Any]) -> Node:
    """The node of a parameter's value. Raises `Refused`."""
    try:
        kind = duckdb_kind(given["kind"])
    except UnknownKind:
        raise Refused(f"The parameter {given['name']} has no type that is known here. Say STRING, INT, DATE…") from None
    return _casting(connection, "NULL" if given["value"] is None else _quoted(given["value"]), kind)


def _json_rows(path: str, columns: Mapping[str, str]) -> str:
    typed = ", ".join(f"{_quoted(name)}: {_quoted(kind)}" for name, kind in columns.items())
    return f"read_json({_quoted(path)}, format = 'newline_delimited', columns = {{{typed}}})"


def _parquet(files: Sequence[str]) -> str:
    """Those with columns that others lack, too."""
    return f"read_parquet([{', '.join(_quoted(file) for file in files)}], union_by_name = true)"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _plain(cell: Any) -> Any:
    """As JSON has it, nothing lost."""
    if isinstance(cell, dict):
        return {str(key): _plain(value) for key, value in cell.items()}
    if isinstance(cell, (list, tuple)):
        return [_plain(value) for value in cell]
    if isinstance(cell, (datetime, date, time)):
        return cell.isoformat()
    if isinstance(cell, (bytes, bytearray)):
        return cell.hex()
    if isinstance(cell, Decimal):
        return format(cell, "f")
    if cell is None or isinstance(cell, (str, int, bool)):
        return cell
    if isinstance(cell, float) and cell == cell and cell not in (float("inf"), float("-inf")):  # noqa: PLR0124  # not NaN
        return cell
    return str(cell)


_KINDS = {"write": _written, "export": _exported, "answer": _answered}
