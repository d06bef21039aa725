"""SQL of serving endpoints."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from openfm.control.endpoints.stored import entity_to_json, entity_without_key
from openfm.core.endpoint import EndpointConfig, ServingEndpoint
from openfm.store.tables import deleted_endpoints, endpoint_configs, serving_endpoints


def names(connection: Connection) -> frozenset[str]:
    """The names that are taken."""
    return frozenset(connection.execute(select(serving_endpoints.c.name)).scalars())


def endpoint_rows(connection: Connection) -> Sequence[RowMapping]:
    """Every endpoint, by name."""
    return connection.execute(select(serving_endpoints).order_by(serving_endpoints.c.name)).mappings().all()


def config_rows(connection: Connection) -> dict[tuple[str, int], RowMapping]:
    """The configs that endpoints use now, active or pending, by endpoint and version."""
    of_endpoint = endpoint_configs.c.endpoint_name == serving_endpoints.c.name
    is_used = endpoint_configs.c.version.in_(
        (serving_endpoints.c.active_config_version, serving_endpoints.c.pending_config_version)
    )
    query = select(endpoint_configs).select_from(endpoint_configs.join(serving_endpoints, of_endpoint)).where(is_used)
    return {(row["endpoint_name"], row["version"]): row for row in connection.execute(query).mappings()}


def last_version(connection: Connection, name: str) -> int:
    """The highest config version the endpoint ever had; 0 for none."""
    query = select(func.max(endpoint_configs.c.version)).where(endpoint_configs.c.endpoint_name == name)
    return connection.execute(query).scalar_one() or 0


def insert_endpoint(connection: Connection, endpoint: ServingEndpoint) -> None:
    """A new endpoint with its configs."""
    connection.execute(insert(serving_endpoints).values(name=endpoint.name, **_endpoint_values(endpoint)))
    for config in (endpoint.config, endpoint.pending_config):
        if config is not None:
            insert_config(connection, endpoint.name, config)


def insert_config(connection: Connection, name: str, config: EndpointConfig) -> None:
    """A new version of the endpoint's config."""
    connection.execute(insert(endpoint_configs).values(endpoint_name=name, **_config_values(config)))


def update_endpoint(connection: Connection, endpoint: ServingEndpoint) -> None:
    """Everything of the endpoint's row but its name."""
    connection.execute(
        update(serving_endpoints).where(serving_endpoints.c.name == endpoint.name).values(_endpoint_values(endpoint))
    )


def delete_endpoint(connection: Connection, name: str, deleted_ms: int) -> None:
    """The endpoint and all its configs; what usage says of them is kept."""
    this = serving_endpoints.c.name == name
    row = connection.execute(select(serving_endpoints).where(this)).mappings().one()
    configs = connection.execute(select(endpoint_configs).where(endpoint_configs.c.endpoint_name == name)).mappings()
    kept = [
        {
            "version": config["version"],
            "created_timestamp": config["created_timestamp"],
            "served_entities": [entity_without_key(entity) for entity in config["served_entities"]],
        }
        for config in configs
    ]
    facts = {column: row[column] for column in ("id", "name", "task", "endpoint_type", "creator")}
    connection.execute(insert(deleted_endpoints).values(**facts, deleted_timestamp=deleted_ms, configs=kept))
    connection.execute(delete(serving_endpoints).where(this))


def _endpoint_values(endpoint: ServingEndpoint) -> Mapping[str, Any]:
    return {
        "id": endpoint.id,
        "task": endpoint.task,
        "endpoint_type": endpoint.endpoint_type,
        "creator": endpoint.creator,
        "creation_timestamp": endpoint.creation_timestamp,
        "last_updated_timestamp": endpoint.last_updated_timestamp,
        "active_config_version": endpoint.config.version if endpoint.config else 0,
        "pending_config_version": endpoint.pending_config.version if endpoint.pending_config else 0,
        "update_state": endpoint.update,
        "update_failures": dict(endpoint.failures),
        "is_stopped": endpoint.is_stopped,
        "details": asdict(endpoint.details),
    }


def _config_values(config: EndpointConfig) -> Mapping[str, Any]:
    return {
        "version": config.version,
        "served_entities": [entity_to_json(entity) for entity in config.served_entities],
        "routes": [asdict(route) for route in config.routes],
        "created_timestamp": config.start_timestamp,
        "auto_capture_config": config.auto_capture_config,
    }
