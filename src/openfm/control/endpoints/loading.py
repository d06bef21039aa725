"""Endpoints from the database."""

from collections.abc import Mapping

import structlog
from sqlalchemy import RowMapping

from openfm.control.endpoints import repository
from openfm.control.endpoints.ports import Models
from openfm.control.endpoints.stored import config_from_row, details_from_json
from openfm.core.endpoint import EndpointConfig, EndpointType, ServingEndpoint, UpdateState
from openfm.core.errors import ApiError
from openfm.core.model import Task
from openfm.store.database import Database

log = structlog.get_logger(__name__)


def load_endpoints(database: Database, models: Models) -> list[ServingEndpoint]:
    """Every endpoint. One whose model is no longer known is left out, and the log says so."""
    with database.transaction() as connection:
        configs = repository.config_rows(connection)
        rows = repository.endpoint_rows(connection)
    found = []
    for row in rows:
        try:
            found.append(_endpoint(row, configs, models))
        except ApiError as error:
            log.error("endpoint.not_loaded", endpoint=row["name"], reason=error.message)  # noqa: TRY400
    return found


def _endpoint(row: RowMapping, configs: Mapping[tuple[str, int], RowMapping], models: Models) -> ServingEndpoint:
    def config(version: int) -> EndpointConfig | None:
        return config_from_row(configs[row["name"], version], models) if version else None

    return ServingEndpoint(
        id=row["id"],
        name=row["name"],
        task=Task(row["task"]),
        endpoint_type=EndpointType(row["endpoint_type"]),
        creator=row["creator"],
        creation_timestamp=row["creation_timestamp"],
        last_updated_timestamp=row["last_updated_timestamp"],
        config=config(row["active_config_version"]),
        pending_config=config(row["pending_config_version"]),
        update=UpdateState(row["update_state"]),
        failures=row["update_failures"],
        is_stopped=row["is_stopped"],
        details=details_from_json(row["details"]),
    )
