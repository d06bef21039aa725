"""`/api/2.1/unity-catalog/permissions`: privileges on registered models."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from openfm.control.endpoints.inputs import Input
from openfm.control.identity.caller import Caller
from openfm.control.permissions.model_grants import Change, ModelPrivileges
from openfm.core.errors import InvalidParameterValue

_ROOT = "/api/2.1/unity-catalog"
_PATH = "/{securable_type}/{full_name}"
_MODEL_WORDS = frozenset({"function", "model", "registered_model"})  # Unity Catalog keeps models among functions
router = APIRouter(prefix=_ROOT)


class ChangeInput(Input):
    """What changes for one principal."""

    principal: str
    add: list[str] | None = None
    remove: list[str] | None = None


class ChangesInput(Input):
    """What changes."""

    changes: list[ChangeInput] = Field(default_factory=list)


def _privileges(request: Request) -> ModelPrivileges:
    privileges: ModelPrivileges = request.app.state.access.model_privileges
    return privileges


AtPrivileges = Annotated[ModelPrivileges, Depends(_privileges)]


@router.get("/permissions" + _PATH)
@router.get("/privilege-assignments" + _PATH)
def get_grants(
    securable_type: str, full_name: str, caller: Caller, privileges: AtPrivileges, principal: str | None = None
) -> dict[str, Any]:
    """Who has which privileges on the model."""
    _check_type(securable_type)
    return _answer(privileges.get(caller, full_name, principal))


@router.patch("/permissions" + _PATH)
def update_grants(
    securable_type: str, full_name: str, body: ChangesInput, caller: Caller, privileges: AtPrivileges
) -> dict[str, Any]:
    """Give and take privileges."""
    _check_type(securable_type)
    changes = [Change(change.principal, change.add or (), change.remove or ()) for change in body.changes]
    return _answer(privileges.update(caller, full_name, changes))


@router.get("/effective-permissions" + _PATH)
def get_effective_grants(
    securable_type: str, full_name: str, caller: Caller, privileges: AtPrivileges, principal: str | None = None
) -> dict[str, Any]:
    """The same: nothing is inherited from catalogs and schemas."""
    _check_type(securable_type)
    found = privileges.get(caller, full_name, principal)
    return {
        "privilege_assignments": [
            {"principal": name, "privileges": [{"privilege": level} for level in levels]}
            for name, levels in found.items()
        ]
    }


def _check_type(securable_type: str) -> None:
    if securable_type.lower().replace("-", "_") not in _MODEL_WORDS:
        raise InvalidParameterValue(
            "Privileges are kept on registered models only: use the securable type 'function' or 'registered_model' "
            "and a full name like main.default.model. Catalogs and schemas are open to all.",
            param="securable_type",
        )


def _answer(found: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    return {"privilege_assignments": [{"principal": name, "privileges": levels} for name, levels in found.items()]}
