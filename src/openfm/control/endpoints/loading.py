"""Endpoints from the database."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from sqlalchemy import RowMapping

from openfm.control.endpoints import repository
from openfm.control.endpoints.ports import Models
from openfm.control.endpoints.stored import config_from_row, details_from_json, entity_from_json, lost_entity
from openfm.core.endpoint import EndpointConfig, EndpointType, ServedEntity, ServingEndpoint, UpdateState
from openfm.core.errors import ApiError, Unavailable
from openfm.core.model import Task
from openfm.store.database import Database

log = structlog.get_logger(__name__)


def load_endpoints(database: Database, models: Models) -> list[ServingEndpoint]:
    """Every endpoint. One whose model is no longer known has failed: it can be seen, updated and deleted.

    Raises `Unavailable` where the database does not answer: then nothing is known of any model.
    """
    with database.transaction() as connection:
        configs = repository.config_rows(connection)
        rows = repository.endpoint_rows(connection)
    return [_loaded(row, _Configs(configs, row["name"], Task(row["task"]), models)) for row in rows]


@dataclass(slots=True)
class _Configs:
    """Reads an endpoint's configs; `lost` says of which served entities the model is gone, and why."""

    rows: Mapping[tuple[str, int], RowMapping]
    endpoint: str
    task: Task
    models: Models
    lost: dict[str, str] = field(default_factory=dict)

    def read(self, version: int) -> EndpointConfig | None:
        """The config of that version; 0 is none."""
        if not version:
            return None
        row = self.rows[self.endpoint, version]
        return config_from_row(row, [self._entity(stored) for stored in row["served_entities"]])

    def _entity(self, stored: Mapping[str, Any]) -> ServedEntity:
        try:
            return entity_from_json(stored, self.models)
        except Unavailable:
            raise
        except ApiError as error:
            self.lost[stored["name"]] = error.message
            log.error("endpoint.model_lost", endpoint=self.endpoint, entity=stored["name"], reason=error.message)  # noqa: TRY400
            return lost_entity(stored, self.task)


def _loaded(row: RowMapping, configs: _Configs) -> ServingEndpoint:
    active = configs.read(row["active_config_version"])
    is_active_lost = bool(configs.lost)
    pending = configs.read(row["pending_config_version"])
    endpoint = ServingEndpoint(
        id=row["id"],
        name=row["name"],
        task=Task(row["task"]),
        endpoint_type=EndpointType(row["endpoint_type"]),
        creator=row["creator"],
        creation_timestamp=row["creation_timestamp"],
        last_updated_timestamp=row["last_updated_timestamp"],
        config=active,
        pending_config=pending,
        update=UpdateState(row["update_state"]),
        failures=row["update_failures"],
        is_stopped=row["is_stopped"],
        details=details_from_json(row["details"]),
    )
    if not configs.lost:
        return endpoint
    shown = active if is_active_lost else pending
    kept = None if is_active_lost else active
    return replace(endpoint, config=kept, pending_config=shown, update=UpdateState.FAILED, failures=configs.lost)
