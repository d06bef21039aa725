"""The endpoints that nobody has to ask for: pay-per-token models, and names that stand in for missing ones."""

import uuid
from collections.abc import Iterable
from dataclasses import replace

from openfm.catalog.catalog import Catalog, CatalogModel
from openfm.control.endpoints import repository
from openfm.control.endpoints.stored import shared_deployment_id
from openfm.core.endpoint import EndpointConfig, EndpointType, Route, ServedEntity, ServingEndpoint
from openfm.store.database import Database

_SYSTEM = "system"


def ensure_default_endpoints(database: Database, catalog: Catalog, now_ms: int) -> None:
    """Make the pay-per-token endpoint of every default model that has none yet."""
    with database.transaction() as connection:
        taken = repository.names(connection)
        for model in catalog.defaults:
            if model.endpoint_name not in taken:
                repository.insert_endpoint(connection, _pay_per_token(model, now_ms))


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
                id=alias_id(model.endpoint_name),
                name=model.endpoint_name,
                task=model.profile.task,
                is_alias=True,
            )
        )
    return aliases


def alias_id(name: str) -> str:
    """The id of the endpoint of that name where it is such a stand-in: the same on every server."""
    return uuid.uuid5(uuid.NAMESPACE_URL, name).hex


def alias_names(catalog: Catalog) -> frozenset[str]:
    """The names that `alias_endpoints` may make."""
    return frozenset(model.endpoint_name for model in catalog.models)


def _pay_per_token(model: CatalogModel, now_ms: int) -> ServingEndpoint:
    entity = ServedEntity(
        name=model.endpoint_name,
        entity_name=model.entity_name,
        entity_version=model.entity_version,
        model=model.profile,
        deployment_id=shared_deployment_id(model.endpoint_name),
        creator=_SYSTEM,
        creation_timestamp=now_ms,
    )
    return ServingEndpoint(
        id=uuid.uuid4().hex,
        name=model.endpoint_name,
        task=model.profile.task,
        endpoint_type=EndpointType.FOUNDATION_MODEL_API,
        creator=_SYSTEM,
        creation_timestamp=now_ms,
        last_updated_timestamp=now_ms,
        config=EndpointConfig(1, (entity,), (Route(entity.name, 100),), start_timestamp=now_ms),
    )
