"""Configs as the database has them: plain JSON, without what the registry knows about a model."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import RowMapping

from openfm.control.endpoints.external import external_profile
from openfm.control.endpoints.ports import Models
from openfm.core.endpoint import (
    EndpointConfig,
    EndpointDetails,
    EntitySettings,
    Route,
    ServedEntity,
    WorkloadSize,
)
from openfm.core.errors import NotFound
from openfm.core.external import ExternalModel, SecretReference, StoredKey
from openfm.core.model import ModelProfile, Task


def entity_to_json(entity: ServedEntity) -> dict[str, Any]:
    """The entity's row."""
    stored: dict[str, Any] = {
        "name": entity.name,
        "entity_name": entity.entity_name,
        "entity_version": entity.entity_version,
        "deployment_id": entity.deployment_id,
        "settings": asdict(entity.settings),
        "version_ids": sorted(entity.version_ids),
        "creator": entity.creator,
        "creation_timestamp": entity.creation_timestamp,
    }
    if entity.external is not None:
        stored["external"] = asdict(entity.external) | {"task": entity.model.task}
    return stored


def entity_without_key(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The entity's row, of another provider's model only whose it is."""
    if "external" not in stored:
        return dict(stored)
    return {**stored, "external": {"provider": stored["external"]["provider"]}}


def entity_from_json(stored: Mapping[str, Any], models: Models) -> ServedEntity:
    """The entity of a row; one that an early version wrote has names alone. Raises `NotFound` for its model."""
    if "external" in stored:
        external = _external(stored["external"])
        model = external_profile(external, Task(stored["external"]["task"]))
        return replace(_entity(stored, model), external=external)
    found = models.served(stored["entity_name"], stored["entity_version"])
    if stored.get("version_ids") and found.version_ids != frozenset(stored["version_ids"]):
        raise NotFound(
            f"Version {stored['entity_version']} of '{stored['entity_name']}' is not the one that the endpoint was "
            "made for: that one was deleted. Update the endpoint to another version, or delete it."
        )
    return replace(_entity(stored, found.profile), version_ids=found.version_ids)


def lost_entity(stored: Mapping[str, Any], task: Task) -> ServedEntity:
    """The entity of a row whose model is gone: to be shown, not to be run."""
    name = stored["entity_name"]
    model = ModelProfile(name, name, name, "", "", task, context_length=1)
    return replace(_entity(stored, model), version_ids=frozenset(stored.get("version_ids", ())))


def _entity(stored: Mapping[str, Any], model: ModelProfile) -> ServedEntity:
    settings = dict(stored.get("settings", {}))
    if "workload_size" in settings:
        settings["workload_size"] = WorkloadSize(settings["workload_size"])
    return ServedEntity(
        name=stored["name"],
        entity_name=stored["entity_name"],
        entity_version=stored["entity_version"],
        model=model,
        deployment_id=stored.get("deployment_id") or shared_deployment_id(stored["name"]),
        settings=EntitySettings(**settings),
        creator=stored.get("creator", ""),
        creation_timestamp=stored.get("creation_timestamp", 0),
    )


def shared_deployment_id(endpoint_name: str) -> str:
    """The replicas of a pay-per-token model: one set for the endpoint of that name and all its aliases."""
    return endpoint_name


def config_from_row(row: RowMapping, entities: Iterable[ServedEntity]) -> EndpointConfig:
    """The config of a row of `endpoint_configs`, with the entities that were read of it."""
    return EndpointConfig(
        version=row["version"],
        served_entities=tuple(entities),
        routes=tuple(Route(route["served_entity_name"], route["traffic_percentage"]) for route in row["routes"]),
        auto_capture_config=row["auto_capture_config"],
        start_timestamp=row["created_timestamp"],
    )


def details_from_json(stored: Mapping[str, Any]) -> EndpointDetails:
    """The details of a row; `{}` is an endpoint without any."""
    return EndpointDetails(**dict(stored) | {"rate_limits": tuple(stored.get("rate_limits", ()))})


def _external(stored: Mapping[str, Any]) -> ExternalModel:
    key = stored["key"]
    reference = None if key["reference"] is None else SecretReference(**key["reference"])
    return ExternalModel(
        provider=stored["provider"],
        name=stored["name"],
        url=stored["url"],
        key=StoredKey(reference, key["ciphertext"]),
        header=stored["header"],
        shown=stored["shown"],
    )
