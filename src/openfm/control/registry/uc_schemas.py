"""Unity Catalog's JSON: RegisteredModelInfo, ModelVersionInfo and what creates them."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict

from openfm.core.registry import ModelName, ModelVersion, RegisteredModel


class Input(BaseModel):
    """A request body; unknown fields are ignored, numbers may be texts and texts numbers."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)


class TagInput(Input):
    """A key and its value."""

    key: str
    value: str = ""


class Paging(Input):
    """Which piece of a list: the token is of the page before."""

    max_results: int | None = None
    page_token: str = ""


class SchemaPaging(Paging):
    """A piece of the list of one schema's or one catalog's models."""

    catalog_name: str = ""
    schema_name: str = ""


class VersionSearch(Paging):
    """A piece of what a filter finds."""

    filter: str = ""


class ModelInput(Input):
    """CreateRegisteredModelRequest. `full_name` is taken where the three levels are not given one by one."""

    name: str | None = None
    catalog_name: str | None = None
    schema_name: str | None = None
    full_name: str | None = None
    comment: str | None = None
    tags: tuple[TagInput, ...] = ()


class ModelUpdateInput(Input):
    """UpdateRegisteredModelRequest."""

    comment: str | None = None
    owner: str | None = None
    new_name: str | None = None


class AliasInput(Input):
    """SetRegisteredModelAliasRequest."""

    version_num: str


class VersionInput(Input):
    """CreateModelVersionRequest."""

    catalog_name: str
    schema_name: str
    model_name: str
    source: str | None = None
    run_id: str | None = None
    comment: str | None = None
    tags: tuple[TagInput, ...] = ()


class VersionUpdateInput(Input):
    """UpdateModelVersionRequest."""

    comment: str | None = None


def tags_of(tags: Iterable[TagInput]) -> dict[str, str]:
    """Keys and values; of two with one key the last counts."""
    return {tag.key: tag.value for tag in tags}


def model_info(model: RegisteredModel, *, with_aliases: bool = True) -> dict[str, Any]:
    """RegisteredModelInfo."""
    name = model.name
    info = {
        "name": name.model,
        "catalog_name": name.catalog,
        "schema_name": name.schema,
        "full_name": name.full_name,
        "id": model.id,
        "comment": model.comment,
        "owner": model.owner,
        "storage_location": f"/Models/{name.catalog}/{name.schema}/{name.model}",
        "created_at": model.created_at,
        "created_by": model.created_by,
        "updated_at": model.updated_at,
        "updated_by": model.updated_by,
        "tags": tag_list(model.tags.items()),
    }
    if with_aliases:
        info["aliases"] = [alias_info(name, alias, version) for alias, version in model.aliases.items()]
    return info


def version_info(version: ModelVersion, *, with_aliases: bool = True) -> dict[str, Any]:
    """ModelVersionInfo, and beside it what openfm knows more: `status_message`, `unservable_reason`, `facts`."""
    name = version.name
    info: dict[str, Any] = {
        "model_name": name.model,
        "catalog_name": name.catalog,
        "schema_name": name.schema,
        "version": version.version,
        "id": version.id,
        "status": version.status.value,
        "status_message": version.status_message,
        "source": version.source,
        "run_id": version.run_id,
        "comment": version.comment,
        "storage_location": version.storage_location,
        "created_at": version.created_at,
        "created_by": version.created_by,
        "updated_at": version.updated_at,
        "updated_by": version.updated_by,
        "tags": tag_list(version.tags.items()),
    }
    if version.facts is not None:
        info["facts"] = {key: value for key, value in version.facts.items() if key != "chat_template"}
    if version.unservable_reason is not None:
        info["unservable_reason"] = version.unservable_reason
    if with_aliases:
        info["aliases"] = [alias_info(name, alias, version.version) for alias in version.aliases]
    return info


def alias_info(name: ModelName, alias: str, version: int) -> dict[str, Any]:
    """RegisteredModelAlias."""
    return {
        "alias_name": alias,
        "version_num": version,
        "catalog_name": name.catalog,
        "schema_name": name.schema,
        "model_name": name.model,
    }


def tag_list(tags: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    """Tags as both APIs write them."""
    return [{"key": key, "value": value} for key, value in tags]
