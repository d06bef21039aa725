"""Databricks' words for types, in DuckDB's."""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

_PLAIN: Mapping[str, str] = MappingProxyType(
    {"STRING": "VARCHAR", "BIGINT": "BIGINT", "LONG": "BIGINT", "INT": "INTEGER", "INTEGER": "INTEGER"}
    | {"SMALLINT": "SMALLINT", "SHORT": "SMALLINT", "TINYINT": "TINYINT", "BYTE": "TINYINT", "FLOAT": "FLOAT"}
    | {"REAL": "FLOAT", "DOUBLE": "DOUBLE", "BOOLEAN": "BOOLEAN", "DATE": "DATE", "TIMESTAMP": "TIMESTAMPTZ"}
    | {"TIMESTAMP_NTZ": "TIMESTAMP", "DECIMAL": "DECIMAL(10, 0)", "NUMERIC": "DECIMAL(10, 0)"}
)
_DECIMAL = re.compile(r"(?:DECIMAL|NUMERIC)\s*\(\s*(\d{1,2})\s*(?:,\s*(\d{1,2})\s*)?\)", re.IGNORECASE)
_FIELD = re.compile(r"\s*`?(\w+)`?\s*(?::|\s)\s*(.+)", re.DOTALL)
_NESTED = re.compile(r"(ARRAY|MAP|STRUCT)\s*<(.*)>", re.IGNORECASE | re.DOTALL)
_DEEPEST = 8
_WIDEST = 38


class UnknownKind(Exception):
    """Nobody here knows the type."""


def duckdb_kind(kind: str, depth: int = 0) -> str:
    """The type's name in DuckDB. Raises `UnknownKind`."""
    kind = kind.strip()
    if (plain := _PLAIN.get(kind.upper())) is not None:
        return plain
    if match := _DECIMAL.fullmatch(kind):
        width, scale = int(match[1]), int(match[2] or 0)
        if 1 <= width <= _WIDEST and scale <= width:
            return f"DECIMAL({width}, {scale})"
    if (match := _NESTED.fullmatch(kind)) and depth < _DEEPEST:
        inner = _parts(match[2])
        return _OF[match[1].upper()](inner, depth + 1)
    raise UnknownKind(kind)


def _array(parts: list[str], depth: int) -> str:
    (inner,) = _of_length(parts, 1)
    return f"{duckdb_kind(inner, depth)}[]"


def _map(parts: list[str], depth: int) -> str:
    key, value = _of_length(parts, 2)
    return f"MAP({duckdb_kind(key, depth)}, {duckdb_kind(value, depth)})"


def _struct(parts: list[str], depth: int) -> str:
    fields = []
    for part in parts:
        match = _FIELD.fullmatch(part)
        if match is None:
            raise UnknownKind(part)
        fields.append(f'"{match[1]}" {duckdb_kind(match[2], depth)}')
    return f"STRUCT({', '.join(fields)})"


_OF: Mapping[str, Callable[[list[str], int], str]] = MappingProxyType({"ARRAY": _array, "MAP": _map, "STRUCT": _struct})


def _of_length(parts: list[str], length: int) -> list[str]:
    if len(parts) != length:
        raise UnknownKind(", ".join(parts))
    return parts


def _parts(text: str) -> list[str]:
    """What commas outside brackets are between."""
    parts, depth, begin = [], 0, 0
    for number, letter in enumerate(text):
        depth += (letter in "<(") - (letter in ">)")
        if letter == "," and depth == 0:
            parts.append(text[begin:number])
            begin = number + 1
    return [*parts, text[begin:]]
