"""Principals as SCIM 2.0 resources, in the shapes of databricks-sdk's `iam.User`, `Group` and `ServicePrincipal`."""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from openfm.control.endpoints.inputs import Input
from openfm.control.identity.records import PrincipalRecord
from openfm.control.identity.texts import checked_name
from openfm.core.errors import InvalidParameterValue
from openfm.core.principal import PrincipalKind

_SCHEMAS: Mapping[PrincipalKind, str] = {
    PrincipalKind.USER: "urn:ietf:params:scim:schemas:core:2.0:User",
    PrincipalKind.GROUP: "urn:ietf:params:scim:schemas:core:2.0:Group",
    PrincipalKind.SERVICE_PRINCIPAL: "urn:ietf:params:scim:schemas:core:2.0:ServicePrincipal",
}
COLLECTIONS: Mapping[PrincipalKind, str] = {
    PrincipalKind.USER: "Users",
    PrincipalKind.GROUP: "Groups",
    PrincipalKind.SERVICE_PRINCIPAL: "ServicePrincipals",
}
_KEPT = ("name", "emails", "entitlements", "roles", "externalId")
_LONGEST_KEPT = 64 * 1024


class _Member(Input):
    value: str


class _Body(Input):
    userName: str | None = None  # noqa: N815  # SCIM's own names
    displayName: str | None = None  # noqa: N815
    applicationId: str | None = None  # noqa: N815
    active: bool | None = None
    members: list[_Member] | None = None
    name: dict[str, Any] | None = None
    emails: list[dict[str, Any]] | None = None
    entitlements: list[dict[str, Any]] | None = None
    roles: list[dict[str, Any]] | None = None
    externalId: str | None = None  # noqa: N815


@dataclass(frozen=True, slots=True)
class Draft:
    """A principal as a client wants it; `is_active` is None where nothing is said of it, `member_ids` are a group's."""

    name: str
    display_name: str
    is_active: bool | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    member_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Seen:
    """A principal with its groups, and a group with its members. `direct_ids` are the groups it is in by itself."""

    record: PrincipalRecord
    groups: Sequence[PrincipalRecord] = ()
    direct_ids: frozenset[str] = frozenset()
    members: Sequence[PrincipalRecord] = ()


def parse_draft(kind: PrincipalKind, resource: Mapping[str, Any]) -> Draft:
    """What the resource asks for. Raises `InvalidParameterValue`."""
    try:
        body = _Body.model_validate(resource)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidParameterValue(f"{where}: {first['msg']}.", param=where) from None
    attributes = {name: value for name in _KEPT if (value := getattr(body, name)) is not None}
    _check_kept(attributes)
    name, shown = _names(kind, body)
    members = frozenset(member.value for member in body.members or ())
    return Draft(name, shown, body.active, attributes, members)


def resource_of(seen: Seen) -> dict[str, Any]:
    """The resource's JSON."""
    record = seen.record
    resource: dict[str, Any] = {
        "schemas": [_SCHEMAS[record.kind]],
        "id": record.id,
        "displayName": record.display_name,
        **record.attributes,
        "groups": [_reference(group, type=_nearness(group, seen)) for group in seen.groups],
    }
    match record.kind:
        case PrincipalKind.USER:
            resource |= {"userName": record.name, "active": record.is_active}
            resource.setdefault("emails", [{"value": record.name, "type": "work", "primary": True}])
        case PrincipalKind.SERVICE_PRINCIPAL:
            resource |= {"applicationId": record.name, "active": record.is_active}
        case PrincipalKind.GROUP:
            resource["members"] = [_reference(member) for member in seen.members]
            resource["meta"] = {"resourceType": "WorkspaceGroup"}
    return resource


def projected(resource: Mapping[str, Any], attributes: str | None, excluded: str | None) -> dict[str, Any]:
    """The resource with only these attributes, or without those; `id` and `schemas` are always there."""
    wanted, unwanted = _names_in(attributes), _names_in(excluded)
    return {
        key: value
        for key, value in resource.items()
        if key in ("id", "schemas") or ((not wanted or key.lower() in wanted) and key.lower() not in unwanted)
    }


def _check_kept(attributes: Mapping[str, Any]) -> None:
    """Whatever is kept is answered again: it must be JSON in UTF-8, which Python reads more loosely than it writes."""
    try:
        kept = json.dumps(attributes, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise InvalidParameterValue(
            "An attribute holds half a surrogate pair, an infinite number or too deep an object.", param="attributes"
        ) from None
    if len(kept) > _LONGEST_KEPT or b"\\u0000" in kept:
        raise InvalidParameterValue(
            f"Attributes may have {_LONGEST_KEPT} bytes in all, and no NUL character.", param="attributes"
        )


def _names(kind: PrincipalKind, body: _Body) -> tuple[str, str]:
    match kind:
        case PrincipalKind.USER:
            name = checked_name(body.userName, "userName")
            return name, checked_name(body.displayName or name, "displayName")
        case PrincipalKind.GROUP:
            name = checked_name(body.displayName, "displayName")
            return name, name
        case PrincipalKind.SERVICE_PRINCIPAL:
            name = _application_id(body.applicationId)
            return name, checked_name(body.displayName or name, "displayName")


def _application_id(given: str | None) -> str:
    if not given:
        return str(uuid.uuid4())
    try:
        return str(uuid.UUID(given))
    except ValueError:
        raise InvalidParameterValue(
            "applicationId must be a UUID; leave it out to get one.", param="applicationId"
        ) from None


def _reference(record: PrincipalRecord, **more: str) -> dict[str, Any]:
    return {
        "display": record.display_name,
        "value": record.id,
        "$ref": f"{COLLECTIONS[record.kind]}/{record.id}",
        **more,
    }


def _nearness(group: PrincipalRecord, seen: Seen) -> str:
    return "direct" if group.id in seen.direct_ids else "indirect"


def _names_in(text: str | None) -> Iterable[str]:
    return {name.strip().split(".")[0].lower() for name in (text or "").split(",") if name.strip()}
