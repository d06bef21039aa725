"""SQL of serving endpoints."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, insert, select

from openfm.core.endpoint import ServingEndpoint
from openfm.store.tables import endpoint_configs, serving_endpoints


def names(connection: Connection) -> frozenset[str]:
    """The names that are taken."""
    return frozenset(connection.execute(select(serving_endpoints.c.name)).scalars())


def active_rows(connection: Connection) -> Sequence[RowMapping]:
    """Every endpoint with its active config, by name."""
    is_active = and_(
        endpoint_configs.c.endpoint_name == serving_endpoints.c.name,
        endpoint_configs.c.version == serving_endpoints.c.active_config_version,
    )
    query = select(serving_endpoints, endpoint_configs.c.served_entities, endpoint_configs.c.routes).select_from(
        serving_endpoints.join(endpoint_configs, is_active)
    )
    return connection.execute(query.order_by(serving_endpoints.c.name)).mappings().all()


def insert_endpoint(connection: Connection, endpoint: ServingEndpoint) -> None:
    """A new endpoint with its first config."""
    connection.execute(
        insert(serving_endpoints).values(
            name=endpoint.name,
            id=endpoint.id,
            task=endpoint.task,
            endpoint_type=endpoint.endpoint_type,
            creator=endpoint.creator,
            creation_timestamp=endpoint.creation_timestamp,
            last_updated_timestamp=endpoint.last_updated_timestamp,
            active_config_version=endpoint.config.version,
        )
    )
    connection.execute(insert(endpoint_configs).values(_config_values(endpoint)))


def _config_values(endpoint: ServingEndpoint) -> dict[str, Any]:
    config = endpoint.config
    return {
        "endpoint_name": endpoint.name,
        "version": config.version,
        "served_entities": [
            {"name": e.name, "entity_name": e.entity_name, "entity_version": e.entity_version}
            for e in config.served_entities
        ],
        "routes": [
            {"served_entity_name": r.served_entity_name, "traffic_percentage": r.traffic_percentage}
            for r in config.routes
        ],
        "created_timestamp": endpoint.last_updated_timestamp,
    }
