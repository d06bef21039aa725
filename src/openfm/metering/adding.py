"""Adds to tables of daily sums: by day and by what a sum is about."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, and_, bindparam, insert, select, update

SUMS = ("requests", "prompt", "cached", "completion", "cost_micro", "cost_rest")
"""The columns that are added to."""

SumKey = tuple[int, str]
"""A day's first microsecond, and the digest of what its sum is about."""


def digest(facts: Mapping[str, Any]) -> str:
    """Of what a sum is about: one key, however long names and tags are."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def add_sums(connection: Connection, table: Table, lines: Mapping[SumKey, Mapping[str, Any]]) -> None:
    """Add each line to the one of its key, or begin that one. A line is what it is about, and `SUMS`."""
    known = _known(connection, table, list(lines))
    begun = [{"day_us": key[0], "digest": key[1], **line} for key, line in lines.items() if key not in known]
    if begun:
        connection.execute(insert(table), begun)
    _increase(connection, table, {key: line for key, line in lines.items() if key in known})


def _known(connection: Connection, table: Table, keys: Sequence[SumKey]) -> frozenset[SumKey]:
    days, digests = {day_us for day_us, _ in keys}, {found for _, found in keys}
    query = select(table.c.day_us, table.c.digest).where(table.c.day_us.in_(days), table.c.digest.in_(digests))
    return frozenset((row.day_us, row.digest) for row in connection.execute(query))


def _increase(connection: Connection, table: Table, lines: Mapping[SumKey, Mapping[str, Any]]) -> None:
    more: dict[str, Any] = {name: table.c[name] + bindparam(f"more_{name}") for name in SUMS}
    is_it = and_(table.c.day_us == bindparam("of_day"), table.c.digest == bindparam("of_digest"))
    rows = [
        {"of_day": day_us, "of_digest": found, **{f"more_{name}": line[name] for name in SUMS}}
        for (day_us, found), line in lines.items()
    ]
    if rows:
        connection.execute(update(table).where(is_it).values(more), rows)
