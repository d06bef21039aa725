"""`/api/2.0/mlflow/unity-catalog`: the registry as MLflow calls it after `set_registry_uri("databricks-uc")`."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Query

from openfm.control.identity.caller import Caller
from openfm.control.registry.desk import AtRegistry
from openfm.control.registry.service import ModelChanges
from openfm.control.registry.uc_schemas import Input, Paging, TagInput, VersionSearch, tag_list, tags_of
from openfm.control.registry.versions import NewVersion
from openfm.core.errors import InvalidParameterValue, NotImplementedHere
from openfm.core.registry import ModelName, ModelVersion, RegisteredModel, checked_alias, version_number

_ROOT = "/api/2.0/mlflow/unity-catalog"
router = APIRouter(prefix=_ROOT)

_NAME_FILTER = re.compile(r"""\s*name\s*=\s*(?:'(?P<single>(?:[^']|'')*)'|"(?P<double>[^"]*)")\s*""")
_REPOSITORY_SWITCH = "/registered-models:is-databricks-sdk-models-artifact-repository-enabled"


class ModelBody(Input):
    """CreateRegisteredModelRequest and UpdateRegisteredModelRequest."""

    name: str
    new_name: str | None = None
    description: str | None = None
    tags: tuple[TagInput, ...] = ()


class NewVersionBody(Input):
    """CreateModelVersionRequest."""

    name: str
    source: str | None = None
    run_id: str | None = None
    description: str | None = None
    tags: tuple[TagInput, ...] = ()


class VersionBody(Input):
    """Names a version; `description` is for updates."""

    name: str
    version: str
    description: str | None = None


class AliasBody(Input):
    """Names an alias, and the version it shall point to."""

    name: str
    alias: str
    version: str | None = None


class TagBody(Input):
    """A tag of a model, or of the version that is named."""

    name: str
    version: str | None = None
    key: str
    value: str = ""


@router.post("/registered-models/create")
def create_model(body: ModelBody, caller: Caller, desk: AtRegistry) -> dict[str, Any]:
    """A new model."""
    model = desk.models.create(ModelName.parse(body.name), caller, body.description or "", tags_of(body.tags))
    return {"registered_model": _model(model)}


@router.get("/registered-models/get")
def get_model(name: str, caller: Caller, desk: AtRegistry) -> dict[str, Any]:
    """One model."""
    return {"registered_model": _model(desk.models.get(ModelName.parse(name), caller))}


@router.patch("/registered-models/update")
def update_model(body: ModelBody, caller: Caller, desk: AtRegistry) -> dict[str, Any]:
    """Change a model's description or name."""
    new_name = ModelName.parse(body.new_name) if body.new_name else None
    changes = ModelChanges(comment=body.description, new_name=new_name)
    return {"registered_model": _model(desk.models.update(ModelName.parse(body.name), caller, changes))}


@router.delete("/registered-models/delete")
def delete_model(body: ModelBody, caller: Caller, desk: AtRegistry) -> dict[str, Any]:
    """Remove a model with its versions."""
    name = ModelName.parse(body.name)
    desk.models.delete(name, caller)
    desk.imports.end_orphans()
    return {}


@router.get("/registered-models/search")
def search_models(caller: Caller, desk: AtRegistry, paging: Annotated[Paging, Query()]) -> dict[str, Any]:
    """The models that the caller may execute."""
    page = desk.models.list(caller, "", paging.max_results, paging.page_token)
    return {"registered_models": [_model(model) for model in page.models], "next_page_token": page.next_page_token}


@router.post("/model-versions/create")
def create_version(body: NewVersionBody, caller: Caller, desk: AtRegistry) -> dict[str, Any]:
    """A version that waits for its files."""
    new = NewVersion(body.source or "", body.run_id or "", body.description or "", tags_of(body.tags))
    return {"model_version": _version(desk.versions.create(ModelName.parse(body.name), caller, new))}


@router.get("/model-versions/get")
def get_version(name: str, version: str, caller: Caller, desk: AtRegistry) -> dict[str, Any]:
    """One version."""
    return {"model_version": _version(desk.versions.get(ModelName.parse(name), caller, version_number(version)))}


@router.patch("/model-versions/update")
def update_version(body: VersionBody, caller: Caller, desk: AtRegistry) -> dict[str, Any]:
    """Change a version's description."""
    number = version_number(body.version)
    changed = desk.versions.update(ModelName.parse(body.name), caller, number, body.description)
    return {"model_version": _version(changed)}


@router.delete("/model-versions/delete")
def delete_version(body: VersionBody, caller: Caller, desk: AtRegistry) -> dict[str, Any]:
    """Remove a version."""
    name, number = ModelName.parse(body.name), version_number(body.version)
    desk.versions.delete(name, caller, number)
    desk.imports.end_orphans()
    return {}


@router.get("/model-versions/search")
def search_versions(caller: Caller, desk: AtRegistry, search: Annotated[VersionSearch, Query()]) -> dict[str, Any]:
    """The versions of the model that the filter names, newest first."""
    page = desk.versions.list(_filtered_name(search.filter), caller, search.max_results, search.page_token)
    return {"model_versions": [_version(v) for v in page.versions], "next_page_token": page.next_page_token}


@router.post("/model-versions/finalize")
def finalize_version(body: VersionBody, caller: Caller, desk: AtRegistry) -> dict[str, Any]:
    """Every file is here: look at them and make the version READY."""
    done = desk.versions.finalize(ModelName.parse(body.name), caller, version_number(body.version))
    return {"model_version": _version(done)}


@router.get("/model-versions/get-download-uri")
def get_download_uri(name: str, version: str, caller: Caller, desk: AtRegistry) -> dict[str, Any]:
    """Where the files are, for the Files API."""
    found = desk.versions.get(ModelName.parse(name), caller, version_number(version))
    return {"artifact_uri": found.storage_location}


@router.post("/model-versions/generate-temporary-credentials")
def temporary_credentials(caller: Caller) -> dict[str, Any]:
    """Refuse: there is no cloud storage to hand out credentials for."""
    del caller
    raise NotImplementedHere(
        "openfm keeps model files itself and gives out no storage credentials. Use an MLflow that uploads through the "
        f"Files API when GET {_ROOT}{_REPOSITORY_SWITCH} says true."
    )


@router.get(_REPOSITORY_SWITCH)
def uses_files_api(caller: Caller) -> dict[str, bool]:
    """Yes: files travel through the Files API of this host."""
    del caller
    return {"is_databricks_sdk_models_artifact_repository_enabled": True}


@router.post("/model-versions/emit-lineage")
def emit_lineage(caller: Caller) -> dict[str, Any]:
    """Take note of nothing: openfm keeps no lineage, and MLflow asks for no more than an answer."""
    del caller
    return {}


@router.post("/registered-models/alias")
def set_alias(body: AliasBody, caller: Caller, desk: AtRegistry) -> dict[str, Any]:
    """Point an alias to a version."""
    desk.models.set_alias(ModelName.parse(body.name), caller, body.alias, version_number(body.version or ""))
    return {}


@router.get("/registered-models/alias")
def get_by_alias(name: str, alias: str, caller: Caller, desk: AtRegistry) -> dict[str, Any]:
    """The version that an alias points to."""
    return {"model_version": _version(desk.models.by_alias(ModelName.parse(name), caller, checked_alias(alias)))}


@router.delete("/registered-models/alias")
def delete_alias(body: AliasBody, caller: Caller, desk: AtRegistry) -> dict[str, Any]:
    """Remove an alias."""
    desk.models.delete_alias(ModelName.parse(body.name), caller, body.alias)
    return {}


@router.post("/registered-models/set-tag")
def set_model_tag(body: TagBody, caller: Caller, desk: AtRegistry) -> dict[str, Any]:
    """Set a tag of a model."""
    desk.models.set_tags(ModelName.parse(body.name), caller, {body.key: body.value})
    return {}


@router.delete("/registered-models/delete-tag")
def delete_model_tag(body: TagBody, caller: Caller, desk: AtRegistry) -> dict[str, Any]:
    """Remove a tag of a model."""
    desk.models.set_tags(ModelName.parse(body.name), caller, {body.key: None})
    return {}


@router.post("/model-versions/set-tag")
def set_version_tag(body: TagBody, caller: Caller, desk: AtRegistry) -> dict[str, Any]:
    """Set a tag of a version."""
    number = version_number(body.version or "")
    desk.versions.set_tags(ModelName.parse(body.name), caller, number, {body.key: body.value})
    return {}


@router.delete("/model-versions/delete-tag")
def delete_version_tag(body: TagBody, caller: Caller, desk: AtRegistry) -> dict[str, Any]:
    """Remove a tag of a version."""
    number = version_number(body.version or "")
    desk.versions.set_tags(ModelName.parse(body.name), caller, number, {body.key: None})
    return {}


def _filtered_name(text: str) -> ModelName:
    match = _NAME_FILTER.fullmatch(text)
    if match is None:
        raise InvalidParameterValue("Filter by name: name='catalog.schema.model'.", param="filter")
    single = match["single"]
    return ModelName.parse(match["double"] if single is None else single.replace("''", "'"))


def _model(model: RegisteredModel) -> dict[str, Any]:
    return {
        "name": model.name.full_name,
        "creation_timestamp": model.created_at,
        "last_updated_timestamp": model.updated_at,
        "user_id": model.owner,
        "description": model.comment,
        "aliases": [{"alias": alias, "version": str(version)} for alias, version in model.aliases.items()],
        "tags": tag_list(model.tags.items()),
    }


def _version(version: ModelVersion) -> dict[str, Any]:
    return {
        "name": version.name.full_name,
        "version": str(version.version),
        "creation_timestamp": version.created_at,
        "last_updated_timestamp": version.updated_at,
        "user_id": version.created_by,
        "description": version.comment,
        "source": version.source,
        "run_id": version.run_id,
        "status": version.status.value,
        "status_message": version.status_message,
        "storage_location": version.storage_location,
        "aliases": [{"alias": alias, "version": str(version.version)} for alias in version.aliases],
        "tags": tag_list(version.tags.items()),
    }
