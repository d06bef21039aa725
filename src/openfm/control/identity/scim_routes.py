"""`/api/2.0/preview/scim/v2`: principals as SCIM 2.0 has them, and who the caller is."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AliasChoices, Field

from openfm.control.endpoints.inputs import Input
from openfm.control.identity.caller import Caller
from openfm.control.identity.principals import Principals
from openfm.control.identity.scim_filter import parse_filter, values_at
from openfm.control.identity.scim_patch import Operation
from openfm.control.identity.scim_resources import COLLECTIONS, Seen, parse_draft, projected, resource_of
from openfm.core.errors import InvalidParameterValue
from openfm.core.principal import PrincipalKind

_ROOT = "/api/2.0/preview/scim/v2"
_LIST_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
_MOST_RESULTS = 10_000


class ScimQuery(Input):
    """What a list should have."""

    filter: str = ""
    attributes: str = ""
    excluded_attributes: str = Field("", alias="excludedAttributes")
    sort_by: str = Field("", alias="sortBy")
    sort_order: str = Field("ascending", alias="sortOrder")
    start_index: int = Field(1, alias="startIndex")
    count: int = _MOST_RESULTS


class OperationInput(Input):
    """One change of a PATCH."""

    op: str
    path: str | None = None
    value: Any = None


class PatchInput(Input):
    """A PATCH; clients write its field with a big letter, as the standard does, or with a small one."""

    operations: list[OperationInput] = Field(
        default_factory=list, validation_alias=AliasChoices("Operations", "operations")
    )


def _principals(request: Request) -> Principals:
    principals: Principals = request.app.state.access.principals
    return principals


AtPrincipals = Annotated[Principals, Depends(_principals)]


def make_router() -> APIRouter:
    """The routes."""
    router = APIRouter(prefix=_ROOT)
    router.add_api_route("/Me", me, methods=["GET"])
    for kind, collection in COLLECTIONS.items():
        _add_routes(router, kind, f"/{collection}")
    return router


def me(caller: Caller, principals: AtPrincipals, request: Request, response: Response) -> dict[str, Any]:
    """The caller; the header names the workspace."""
    response.headers["x-databricks-org-id"] = request.app.state.workspace_id
    resource = resource_of(principals.get(caller.kind, caller.id))
    # As Databricks: a service principal's `userName` here is its application id.
    return {**resource, "userName": caller.name}


def _add_routes(router: APIRouter, kind: PrincipalKind, path: str) -> None:
    def list_all(principals: AtPrincipals, query: Annotated[ScimQuery, Query()]) -> dict[str, Any]:
        """Those that match, a piece of them."""
        return _listed(principals.list(kind), query)

    def create(body: dict[str, Any], principals: AtPrincipals) -> dict[str, Any]:
        """A new one."""
        return resource_of(principals.create(kind, parse_draft(kind, body)))

    def get(identifier: str, principals: AtPrincipals, query: Annotated[ScimQuery, Query()]) -> dict[str, Any]:
        """One."""
        resource = resource_of(principals.get(kind, identifier))
        return projected(resource, query.attributes, query.excluded_attributes)

    def put(identifier: str, body: dict[str, Any], principals: AtPrincipals) -> dict[str, Any]:
        """Replace it."""
        return resource_of(principals.replace(kind, identifier, body))

    def patch(identifier: str, body: PatchInput, principals: AtPrincipals) -> dict[str, Any]:
        """Change a part of it."""
        operations = [Operation(one.op, one.path, one.value) for one in body.operations]
        return resource_of(principals.patch(kind, identifier, operations))

    def delete(identifier: str, principals: AtPrincipals) -> Response:
        """Delete it, with its tokens and permissions."""
        principals.delete(kind, identifier)
        return Response(status_code=204)

    router.add_api_route(path, list_all, methods=["GET"], name=f"list_{path[1:]}")
    router.add_api_route(path, create, methods=["POST"], status_code=201, name=f"create_{path[1:]}")
    one = path + "/{identifier}"
    router.add_api_route(one, get, methods=["GET"], name=f"get_{path[1:]}")
    router.add_api_route(one, put, methods=["PUT"], name=f"put_{path[1:]}")
    router.add_api_route(one, patch, methods=["PATCH"], name=f"patch_{path[1:]}")
    router.add_api_route(one, delete, methods=["DELETE"], status_code=204, name=f"delete_{path[1:]}")


def _listed(seen: Sequence[Seen], query: ScimQuery) -> dict[str, Any]:
    if query.start_index < 1 or query.count < 0:
        raise InvalidParameterValue("startIndex counts from 1, and count cannot be negative.", param="startIndex")
    found = list(_matching(seen, query.filter))
    if query.sort_by:
        found.sort(
            key=lambda resource: str(next(iter(values_at(resource, query.sort_by)), "")).casefold(),
            reverse=query.sort_order.lower() == "descending",
        )
    first = query.start_index - 1
    shown = found[first : first + min(query.count, _MOST_RESULTS)]
    return {
        "schemas": [_LIST_SCHEMA],
        "totalResults": len(found),
        "startIndex": query.start_index,
        "itemsPerPage": len(shown),
        "Resources": [projected(resource, query.attributes, query.excluded_attributes) for resource in shown],
    }


def _matching(seen: Sequence[Seen], text: str) -> Iterator[dict[str, Any]]:
    matches = parse_filter(text) if text.strip() else None
    for one in seen:
        resource = resource_of(one)
        if matches is None or matches(resource):
            yield resource
