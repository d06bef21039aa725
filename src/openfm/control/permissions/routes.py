"""`/api/2.0/permissions`: who may do what with an endpoint, and who may use tokens."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from openfm.control.endpoints.inputs import Input
from openfm.control.identity.well_known import ADMINS
from openfm.control.permissions.objects import ALL_TOKENS, LEVEL_HELP, ObjectType
from openfm.control.permissions.repository import Grant, Holder, Thing
from openfm.control.permissions.service import Entry, Permissions
from openfm.core.errors import InvalidParameterValue
from openfm.core.principal import PrincipalKind

_ENDPOINT = "/api/2.0/permissions/serving-endpoints/{endpoint_id}"
_TOKENS = "/api/2.0/permissions/authorization/tokens"
router = APIRouter()


class EntryInput(Input):
    """A level for one user, group or service principal."""

    user_name: str | None = None
    group_name: str | None = None
    service_principal_name: str | None = None
    permission_level: str


class ListInput(Input):
    """An access control list."""

    access_control_list: list[EntryInput] = Field(default_factory=list)

    @property
    def entries(self) -> list[Entry]:
        """The entries. Raises `InvalidParameterValue` for one that names nobody, or more than one."""
        return [_entry(entry) for entry in self.access_control_list]


def _permissions(request: Request) -> Permissions:
    permissions: Permissions = request.app.state.access.permissions
    return permissions


AtPermissions = Annotated[Permissions, Depends(_permissions)]


@router.get(_ENDPOINT)
def get_endpoint_permissions(endpoint_id: str, permissions: AtPermissions) -> dict[str, Any]:
    """Who has which level on the endpoint."""
    thing = Thing(ObjectType.ENDPOINT, endpoint_id)
    return _answer(thing, permissions.get(thing))


@router.put(_ENDPOINT)
def set_endpoint_permissions(endpoint_id: str, body: ListInput, permissions: AtPermissions) -> dict[str, Any]:
    """Replace the levels on the endpoint; its creator keeps CAN_MANAGE."""
    thing = Thing(ObjectType.ENDPOINT, endpoint_id)
    return _answer(thing, permissions.replace(thing, body.entries))


@router.patch(_ENDPOINT)
def update_endpoint_permissions(endpoint_id: str, body: ListInput, permissions: AtPermissions) -> dict[str, Any]:
    """Add levels on the endpoint, or change those of whom the list names."""
    thing = Thing(ObjectType.ENDPOINT, endpoint_id)
    return _answer(thing, permissions.merge(thing, body.entries))


@router.get(_ENDPOINT + "/permissionLevels")
def get_endpoint_levels(endpoint_id: str) -> dict[str, Any]:
    """The levels that there are."""
    del endpoint_id
    return _levels(ObjectType.ENDPOINT)


@router.get(_TOKENS)
def get_token_permissions(permissions: AtPermissions) -> dict[str, Any]:
    """Who may use personal access tokens."""
    thing = Thing(ObjectType.TOKENS, ALL_TOKENS)
    return _answer(thing, permissions.get(thing))


@router.put(_TOKENS)
def set_token_permissions(body: ListInput, permissions: AtPermissions) -> dict[str, Any]:
    """Replace who may use personal access tokens; admins always may."""
    thing = Thing(ObjectType.TOKENS, ALL_TOKENS)
    return _answer(thing, permissions.replace(thing, body.entries))


@router.patch(_TOKENS)
def update_token_permissions(body: ListInput, permissions: AtPermissions) -> dict[str, Any]:
    """Let more principals use personal access tokens."""
    thing = Thing(ObjectType.TOKENS, ALL_TOKENS)
    return _answer(thing, permissions.merge(thing, body.entries))


@router.get(_TOKENS + "/permissionLevels")
def get_token_levels() -> dict[str, Any]:
    """The levels that there are."""
    return _levels(ObjectType.TOKENS)


def _entry(entry: EntryInput) -> Entry:
    given = [
        (kind, name)
        for kind, name in (
            (PrincipalKind.USER, entry.user_name),
            (PrincipalKind.GROUP, entry.group_name),
            (PrincipalKind.SERVICE_PRINCIPAL, entry.service_principal_name),
        )
        if name
    ]
    if len(given) != 1:
        raise InvalidParameterValue(
            "Each entry names one of user_name, group_name and service_principal_name.", param="access_control_list"
        )
    kind, name = given[0]
    return Entry(kind, name, entry.permission_level)


def _levels(thing_type: ObjectType) -> dict[str, Any]:
    levels = LEVEL_HELP[thing_type].items()
    return {"permission_levels": [{"permission_level": name, "description": text} for name, text in levels]}


def _answer(thing: Thing, grants: Sequence[Grant]) -> dict[str, Any]:
    root = "/serving-endpoints/" if thing.type is ObjectType.ENDPOINT else "/authorization/"
    entries = [
        {**_holder(grant.holder), "all_permissions": [{"permission_level": grant.level, "inherited": False}]}
        for grant in grants
    ]
    highest = list(LEVEL_HELP[thing.type])[-1]
    inherited = {"permission_level": highest, "inherited": True, "inherited_from_object": [root]}
    for entry in entries:
        if entry.get("group_name") == ADMINS:
            entry["all_permissions"] = [*entry["all_permissions"], inherited]
            break
    else:
        entries.append({"group_name": ADMINS, "all_permissions": [inherited]})
    return {"object_id": root + thing.id, "object_type": _object_type(thing), "access_control_list": entries}


def _object_type(thing: Thing) -> str:
    return "tokens" if thing.type is ObjectType.TOKENS else thing.type.value


def _holder(holder: Holder) -> dict[str, Any]:
    match holder.kind:
        case PrincipalKind.GROUP:
            return {"group_name": holder.name}
        case PrincipalKind.SERVICE_PRINCIPAL:
            return {"service_principal_name": holder.name, "display_name": holder.display_name}
        case PrincipalKind.USER:
            return {"user_name": holder.name, "display_name": holder.display_name}
