"""Answers as Databricks' statements have them: a manifest, and every value as text."""

import json
from collections.abc import Mapping
from typing import Any

from openfm.core.sql import Cell, SqlAnswer


def shown_answer(answer: SqlAnswer) -> dict[str, Any]:
    """`manifest` and `result`, in one chunk."""
    return {
        "manifest": _manifest(answer),
        "result": {
            "chunk_index": 0,
            "row_offset": 0,
            "row_count": len(answer.rows),
            "data_array": [[_as_text(cell) for cell in row] for row in answer.rows],
        },
    }


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
