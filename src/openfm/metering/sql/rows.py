"""What a question is answered from, out of the database, as JSON lines."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from openfm.core.price import PriceUnit
from openfm.core.principal import Principal
from openfm.metering.price_list import load_prices
from openfm.metering.sql.sources import CORRECTION_COLUMNS, LEDGER_COLUMNS, REFUSAL_COLUMNS
from openfm.store.ledger_tables import ledger, ledger_corrections
from openfm.store.tables import deleted_endpoints, endpoint_configs, serving_endpoints
from openfm.store.usage_tables import refusals

Rows = Sequence[Mapping[str, Any]]

_ENDPOINT = ("id", "name", "task", "endpoint_type", "creator")
_SETTINGS = (
    *("min_provisioned_throughput", "max_provisioned_throughput", "provisioned_model_units"),
    *("scale_to_zero_enabled", "workload_type"),
)


def closed_rows(connection: Connection, after: int, most: int) -> Rows:
    """Closed rows of the ledger with a higher closing number, in its order."""
    number = ledger.c.closing_number
    columns = [ledger.c[name] for name in LEDGER_COLUMNS]
    query = select(*columns).where(number > after).order_by(number).limit(most)
    return [dict(row) for row in connection.execute(query).mappings()]


def price_rows(connection: Connection) -> Rows:
    """Every price, with an amount for each unit: what a price leaves out costs nothing, or what the prompt does."""
    return [
        {
            "version": price.version,
            "unit": unit,
            "target_kind": price.target.kind,
            "target": price.target.name,
            "amount_micro": price.micro(unit),
            "currency": price.currency,
            "effective_from_us": price.effective_from_us,
        }
        for price in load_prices(connection)
        for unit in PriceUnit
    ]


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


def entity_rows(connection: Connection, caller: Principal, visible: frozenset[str]) -> Rows:
    """Every served entity of each config version, of deleted endpoints too.

    `is_visible`: the caller may see its endpoint (`visible` has their ids), or made one that is gone.
    """
    query = select(
        *(serving_endpoints.c[name] for name in _ENDPOINT),
        endpoint_configs.c.version,
        endpoint_configs.c.created_timestamp,
        endpoint_configs.c.served_entities,
    ).join(endpoint_configs, endpoint_configs.c.endpoint_name == serving_endpoints.c.name)
    rows = connection.execute(query.order_by(serving_endpoints.c.name, endpoint_configs.c.version)).mappings()
    found = [
        {**entity, "deleted_ms": None, "is_visible": caller.is_admin or row["id"] in visible}
        for row in rows
        for entity in _entities(row, row)
    ]
    for row in connection.execute(select(deleted_endpoints).order_by(deleted_endpoints.c.id)).mappings():
        known = {
            "deleted_ms": row["deleted_timestamp"],
            "is_visible": caller.is_admin or row["creator"] == caller.name,
        }
        found += [entity | known for config in row["configs"] for entity in _entities(row, config)]
    return found


def _entities(endpoint: Mapping[Any, Any], config: Mapping[Any, Any]) -> Iterator[dict[str, Any]]:
    for entity in config["served_entities"]:
        kind = "EXTERNAL_MODEL" if "external" in entity else endpoint["endpoint_type"]
        settings = entity.get("settings", {})
        yield {
            "endpoint_id": endpoint["id"],
            "endpoint_name": endpoint["name"],
            "config_version": config["version"],
            "served_entity": entity["name"],
            "entity_name": entity["entity_name"],
            "entity_version": entity["entity_version"],
            "entity_type": "FOUNDATION_MODEL" if kind == "FOUNDATION_MODEL_API" else kind,
            "task": endpoint["task"],
            "created_by": entity.get("creator", ""),
            "endpoint_creator": endpoint["creator"],
            "changed_ms": config["created_timestamp"],
            "provider": entity.get("external", {}).get("provider"),
            **{name: settings.get(name) for name in _SETTINGS},
        }


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> str | None:
    """One JSON object a line; where they are, or None for none. Raises `OSError`."""
    lines = [json.dumps(row) for row in rows]
    if not lines:
        return None
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)
