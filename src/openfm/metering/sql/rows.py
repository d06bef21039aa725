"""What a question is answered from, out of the database, as JSON lines."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from openfm.metering.sql.tables import CORRECTION_COLUMNS, LEDGER_COLUMNS, PRICE_COLUMNS, REFUSAL_COLUMNS
from openfm.store.ledger_tables import ledger, ledger_corrections, prices
from openfm.store.tables import endpoint_configs, serving_endpoints
from openfm.store.usage_tables import refusals

Rows = Sequence[Mapping[str, Any]]


def closed_rows(connection: Connection, after: int, most: int) -> Rows:
    """Closed rows of the ledger with a higher closing number, in its order."""
    number = ledger.c.closing_number
    columns = [ledger.c[name] for name in LEDGER_COLUMNS]
    query = select(*columns).where(number > after).order_by(number).limit(most)
    return [dict(row) for row in connection.execute(query).mappings()]


def price_rows(connection: Connection) -> Rows:
    """Every price."""
    query = select(*(prices.c[name] for name in PRICE_COLUMNS))
    return [dict(row) for row in connection.execute(query).mappings()]


def refusal_rows(connection: Connection, most: int) -> Rows:
    """The latest sums of refused requests."""
    columns = [refusals.c[name] for name in REFUSAL_COLUMNS]
    query = select(*columns).order_by(refusals.c.minute.desc()).limit(most)
    return [dict(row) for row in connection.execute(query).mappings()]


def correction_rows(connection: Connection) -> Rows:
    """Every correction, with what it is about."""
    names = CORRECTION_COLUMNS.keys()
    columns = [ledger_corrections.c[name] if name in ledger_corrections.c else ledger.c[name] for name in names]
    query = select(*columns).join(ledger, ledger.c.request_id == ledger_corrections.c.request_id)
    return [dict(row) for row in connection.execute(query).mappings()]


def entity_rows(connection: Connection, endpoint_ids: frozenset[str] | None) -> Rows:
    """Every served entity of each config version; of these endpoints, or of all."""
    query = select(
        serving_endpoints.c.id,
        serving_endpoints.c.name,
        serving_endpoints.c.task,
        serving_endpoints.c.endpoint_type,
        endpoint_configs.c.version,
        endpoint_configs.c.created_timestamp,
        endpoint_configs.c.served_entities,
    ).join(endpoint_configs, endpoint_configs.c.endpoint_name == serving_endpoints.c.name)
    rows = connection.execute(query.order_by(serving_endpoints.c.name, endpoint_configs.c.version))
    return [
        entity
        for row in rows.mappings()
        if endpoint_ids is None or row["id"] in endpoint_ids
        for entity in _entities(row)
    ]


def _entities(row: Mapping[Any, Any]) -> Iterator[Mapping[str, Any]]:
    for entity in row["served_entities"]:
        kind = "EXTERNAL_MODEL" if "external" in entity else row["endpoint_type"]
        yield {
            "endpoint_id": row["id"],
            "endpoint_name": row["name"],
            "config_version": row["version"],
            "served_entity": entity["name"],
            "entity_name": entity["entity_name"],
            "entity_version": entity["entity_version"],
            "entity_type": "FOUNDATION_MODEL" if kind == "FOUNDATION_MODEL_API" else kind,
            "task": row["task"],
            "created_by": entity.get("creator", ""),
            "changed_ms": row["created_timestamp"],
        }


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> str | None:
    """One JSON object a line; where they are, or None for none. Raises `OSError`."""
    lines = [json.dumps(row) for row in rows]
    if not lines:
        return None
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)
