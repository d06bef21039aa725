"""The catalogue's default models as registered models: `system.ai.…`, version 1, as Databricks has its own."""

import uuid
from collections.abc import Mapping
from typing import Any

from openfm.catalog.catalog import Catalog, CatalogModel
from openfm.control.registry import repository
from openfm.control.registry.repository import Stamp
from openfm.core.registry import ModelName, ModelVersion, RegisteredModel, VersionStatus, version_number
from openfm.store.database import Database

_OWNER = "System user"
_SOURCE = "catalog"


def ensure_catalogue_models(database: Database, catalog: Catalog, now_ms: int) -> None:
    """Register every default model that is not yet; what the catalogue says of the others is kept up to date."""
    stamp = Stamp(_OWNER, now_ms)
    with database.transaction() as connection:
        for model in catalog.defaults:
            name, number = ModelName.parse(model.entity_name), version_number(model.entity_version)
            known = repository.find_model(connection, name)
            if known is None:
                repository.insert_model(connection, _registered(name, model, stamp))
            elif known.comment != model.profile.description:
                repository.change_model(connection, name, {"comment": model.profile.description}, stamp)
            version = repository.find_version(connection, name, number)
            if version is None:
                repository.change_model(connection, name, {"last_version": number}, stamp)
                repository.insert_version(connection, _version(name, number, model, stamp))
            elif version.facts != _facts(model):
                repository.change_version(connection, name, number, {"facts": _facts(model)}, stamp)


def _registered(name: ModelName, model: CatalogModel, stamp: Stamp) -> RegisteredModel:
    return RegisteredModel(
        name=name,
        id=uuid.uuid4().hex,
        comment=model.profile.description,
        owner=_OWNER,
        created_at=stamp.at,
        created_by=stamp.by,
        updated_at=stamp.at,
        updated_by=stamp.by,
    )


def _facts(model: CatalogModel) -> Mapping[str, Any]:
    """For people who choose a model; serving goes by the catalogue itself."""
    profile = model.profile
    return {
        "task": profile.task.value,
        "architecture": model.architecture,
        "context_length": profile.context_length,
        "weight_bytes": model.size_bytes,
        "license": model.license,
        "has_function_calling": profile.has_function_calling,
    }


def _version(name: ModelName, number: int, model: CatalogModel, stamp: Stamp) -> ModelVersion:
    return ModelVersion(
        name=name,
        version=number,
        id=uuid.uuid4().hex,
        status=VersionStatus.READY,
        status_message="",
        source=_SOURCE,
        run_id="",
        comment=model.profile.description,
        facts=_facts(model),
        created_at=stamp.at,
        created_by=stamp.by,
        updated_at=stamp.at,
        updated_by=stamp.by,
    )
