"""`/api/2.1/unity-catalog/models`: the registry as databricks-sdk's `registered_models`, `model_versions` call it."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from openfm.control.identity.caller import Caller
from openfm.control.registry.desk import AtRegistry
from openfm.control.registry.service import ModelChanges
from openfm.control.registry.uc_schemas import (
    AliasInput,
    ModelInput,
    ModelUpdateInput,
    Paging,
    SchemaPaging,
    VersionInput,
    VersionUpdateInput,
    alias_info,
    model_info,
    tags_of,
    version_info,
)
from openfm.control.registry.versions import NewVersion
from openfm.core.errors import InvalidParameterValue, NotImplementedHere
from openfm.core.registry import ModelName, checked_alias, version_number

router = APIRouter(prefix="/api/2.1/unity-catalog")


@router.post("/models")
def create_model(body: ModelInput, caller: Caller, desk: AtRegistry) -> dict[str, Any]:
    """A new registered model."""
    return model_info(desk.models.create(_name_in(body), caller, body.comment or "", tags_of(body.tags)))


@router.get("/models")
def list_models(
    caller: Caller,
    desk: AtRegistry,
    paging: Annotated[SchemaPaging, Query()],
) -> dict[str, Any]:
    """The models that the caller may execute, of one schema or of all."""
    if paging.schema_name and not paging.catalog_name:
        raise InvalidParameterValue("Give catalog_name together with schema_name.", param="catalog_name")
    prefix = "".join(f"{level.lower()}." for level in (paging.catalog_name, paging.schema_name) if level)
    page = desk.models.list(caller, prefix, paging.max_results, paging.page_token)
    return {"registered_models": [model_info(model) for model in page.models]} | _next(page.next_page_token)


@router.get("/models/{full_name}")
def get_model(full_name: str, caller: Caller, desk: AtRegistry) -> dict[str, Any]:
    """One model, with its aliases."""
    return model_info(desk.models.get(ModelName.parse(full_name), caller))


@router.patch("/models/{full_name}")
def update_model(full_name: str, body: ModelUpdateInput, caller: Caller, desk: AtRegistry) -> dict[str, Any]:
    """Change comment, owner or name."""
    name = ModelName.parse(full_name)
    new_name = _renamed(name, body.new_name) if body.new_name else None
    return model_info(desk.models.update(name, caller, ModelChanges(body.comment, body.owner, new_name)))


@router.delete("/models/{full_name}")
def delete_model(full_name: str, caller: Caller, desk: AtRegistry) -> dict[str, Any]:
    """Remove a model with all its versions."""
    name = ModelName.parse(full_name)
    desk.models.delete(name, caller)
    desk.imports.end_orphans()
    return {}


@router.put("/models/{full_name}/aliases/{alias}")
def set_alias(full_name: str, alias: str, body: AliasInput, caller: Caller, desk: AtRegistry) -> dict[str, Any]:
    """Point an alias to a version."""
    name, number = ModelName.parse(full_name), version_number(body.version_num)
    desk.models.set_alias(name, caller, alias, number)
    return alias_info(name, alias, number)


@router.delete("/models/{full_name}/aliases/{alias}")
def delete_alias(full_name: str, alias: str, caller: Caller, desk: AtRegistry) -> dict[str, Any]:
    """Remove an alias."""
    desk.models.delete_alias(ModelName.parse(full_name), caller, alias)
    return {}


@router.get("/models/{full_name}/aliases/{alias}")
def get_by_alias(full_name: str, alias: str, caller: Caller, desk: AtRegistry) -> dict[str, Any]:
    """The version an alias points to."""
    return version_info(desk.models.by_alias(ModelName.parse(full_name), caller, checked_alias(alias)))


@router.get("/catalogs")
def list_catalogs(caller: Caller, desk: AtRegistry) -> dict[str, Any]:
    """The catalogs that have models."""
    names = sorted({catalog for catalog, _ in desk.models.schemas(caller)})
    return {"catalogs": [{"name": name, "full_name": name} for name in names]}


@router.get("/schemas")
def list_schemas(caller: Caller, desk: AtRegistry, catalog_name: str) -> dict[str, Any]:
    """The schemas of one catalog that have models."""
    found = [schema for catalog, schema in desk.models.schemas(caller) if catalog == catalog_name.lower()]
    catalog = catalog_name.lower()
    return {"schemas": [{"name": s, "catalog_name": catalog, "full_name": f"{catalog}.{s}"} for s in found]}


@router.post("/models/versions")
def create_version(body: VersionInput, caller: Caller, desk: AtRegistry) -> dict[str, Any]:
    """A version that waits for its files."""
    name = ModelName.parse(f"{body.catalog_name}.{body.schema_name}.{body.model_name}")
    new = NewVersion(body.source or "", body.run_id or "", body.comment or "", tags_of(body.tags))
    return version_info(desk.versions.create(name, caller, new))


@router.get("/models/{full_name}/versions")
def list_versions(
    full_name: str, caller: Caller, desk: AtRegistry, paging: Annotated[Paging, Query()]
) -> dict[str, Any]:
    """The versions of a model, newest first."""
    page = desk.versions.list(ModelName.parse(full_name), caller, paging.max_results, paging.page_token)
    return {"model_versions": [version_info(version) for version in page.versions]} | _next(page.next_page_token)


@router.get("/models/{full_name}/versions/{version}")
def get_version(full_name: str, version: str, caller: Caller, desk: AtRegistry) -> dict[str, Any]:
    """One version."""
    return version_info(desk.versions.get(ModelName.parse(full_name), caller, version_number(version)))


@router.patch("/models/{full_name}/versions/{version}")
def update_version(
    full_name: str, version: str, body: VersionUpdateInput, caller: Caller, desk: AtRegistry
) -> dict[str, Any]:
    """Change a version's comment."""
    name = ModelName.parse(full_name)
    return version_info(desk.versions.update(name, caller, version_number(version), body.comment))


@router.delete("/models/{full_name}/versions/{version}")
def delete_version(full_name: str, version: str, caller: Caller, desk: AtRegistry) -> dict[str, Any]:
    """Remove a version."""
    name, number = ModelName.parse(full_name), version_number(version)
    desk.versions.delete(name, caller, number)
    desk.imports.end_orphans()
    return {}


@router.patch("/models/{full_name}/versions/{version}/finalize")
def finalize_version(full_name: str, version: str, caller: Caller, desk: AtRegistry) -> dict[str, Any]:
    """Every file is here: look at them and make the version READY."""
    return version_info(desk.versions.finalize(ModelName.parse(full_name), caller, version_number(version)))


@router.post("/temporary-model-version-credentials")
def temporary_credentials(caller: Caller) -> dict[str, Any]:
    """Refuse: there is no cloud storage to hand out credentials for."""
    del caller
    raise NotImplementedHere(
        "openfm keeps model files itself and gives out no storage credentials. "
        "Upload and download them through the Files API, below /api/2.0/fs/files/Models/CATALOG/SCHEMA/MODEL/VERSION/."
    )


def _name_in(body: ModelInput) -> ModelName:
    if body.catalog_name is None and body.schema_name is None:
        return ModelName.parse(body.full_name or body.name or "")
    for field in ("name", "catalog_name", "schema_name"):
        if not getattr(body, field):
            raise InvalidParameterValue(f"{field} is missing; give the name's three levels.", param=field)
    return ModelName.parse(f"{body.catalog_name}.{body.schema_name}.{body.name}")


def _renamed(name: ModelName, new_name: str) -> ModelName:
    """A new name: the last level alone, or all three."""
    return ModelName.parse(new_name if "." in new_name else f"{name.catalog}.{name.schema}.{new_name}")


def _next(token: str) -> dict[str, str]:
    return {"next_page_token": token} if token else {}
