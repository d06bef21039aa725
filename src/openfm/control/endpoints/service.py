"""Which endpoints there are: the default pay-per-token endpoints, and names that stand in for missing models."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlalchemy import RowMapping

from openfm.catalog.catalog import Catalog, CatalogModel
from openfm.control.endpoints import repository
from openfm.core.endpoint import EndpointConfig, EndpointType, Route, ServedEntity, ServingEndpoint
from openfm.core.model import Task
from openfm.store.database import Database

_SYSTEM = "system"


def ensure_default_endpoints(database: Database, catalog: Catalog, now_ms: int) -> None:
    """Make the pay-per-token endpoint of every default model that has none yet."""
    with database.transaction() as connection:
        taken = repository.names(connection)
        for model in catalog.defaults:
            if model.endpoint_name not in taken:
                repository.insert_endpoint(connection, _pay_per_token(model, now_ms))


def active_endpoints(database: Database, catalog: Catalog) -> list[ServingEndpoint]:
    """Every endpoint with its active config."""
    with database.transaction() as connection:
        return [_endpoint(row, catalog) for row in repository.active_rows(connection)]


def alias_endpoints(catalog: Catalog, served: Iterable[ServingEndpoint]) -> list[ServingEndpoint]:
    """An endpoint for every catalogue name not served here, backed by the default model of its task.

    So code written for Databricks runs on a laptop; `served-model-name` in the answer tells who really spoke.
    """
    by_name = {endpoint.name: endpoint for endpoint in served}
    aliases = []
    for model in catalog.models:
        default = catalog.default_for(model.profile.task)
        stand_in = by_name.get(default.endpoint_name) if default else None
        if model.endpoint_name in by_name or stand_in is None:
            continue
        aliases.append(
            replace(
                stand_in,
                id=uuid.uuid5(uuid.NAMESPACE_URL, model.endpoint_name).hex,
                name=model.endpoint_name,
                task=model.profile.task,
                is_alias=True,
            )
        )
    return aliases


def _pay_per_token(model: CatalogModel, now_ms: int) -> ServingEndpoint:
    entity = ServedEntity(model.endpoint_name, model.entity_name, model.entity_version, model.profile)
    return ServingEndpoint(
        id=uuid.uuid4().hex,
        name=model.endpoint_name,
        task=model.profile.task,
        endpoint_type=EndpointType.FOUNDATION_MODEL_API,
        creator=_SYSTEM,
        creation_timestamp=now_ms,
        last_updated_timestamp=now_ms,
        config=EndpointConfig(1, (entity,), (Route(entity.name, 100),)),
    )


def _endpoint(row: RowMapping, catalog: Catalog) -> ServingEndpoint:
    return ServingEndpoint(
        id=row["id"],
        name=row["name"],
        task=Task(row["task"]),
        endpoint_type=EndpointType(row["endpoint_type"]),
        creator=row["creator"],
        creation_timestamp=row["creation_timestamp"],
        last_updated_timestamp=row["last_updated_timestamp"],
        config=EndpointConfig(
            version=row["active_config_version"],
            served_entities=_entities(row["served_entities"], catalog),
            routes=tuple(Route(r["served_entity_name"], r["traffic_percentage"]) for r in row["routes"]),
        ),
    )


def _entities(stored: Sequence[dict[str, str]], catalog: Catalog) -> tuple[ServedEntity, ...]:
    return tuple(
        ServedEntity(e["name"], e["entity_name"], e["entity_version"], catalog.find(e["entity_name"]).profile)
        for e in stored
    )
