"""Who am I: the SCIM route that Databricks' clients ask, and the OAuth routes that they look for."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from openfm.control.identity.caller import Caller
from openfm.control.workspace.links import base_url

router = APIRouter()


class ScimGroup(BaseModel):
    """A group of which the caller is a member."""

    display: str


class ScimEmail(BaseModel):
    """An address of the caller."""

    value: str
    primary: bool = True


class ScimMe(BaseModel):
    """The caller (SCIM 2.0 core User)."""

    schemas: list[str] = ["urn:ietf:params:scim:schemas:core:2.0:User"]
    id: str
    user_name: str = Field(serialization_alias="userName")
    display_name: str = Field(serialization_alias="displayName")
    active: bool = True
    emails: list[ScimEmail]
    groups: list[ScimGroup]


@router.get("/api/2.0/preview/scim/v2/Me")
def me(caller: Caller, request: Request, response: Response) -> ScimMe:
    """The caller; the header names the workspace."""
    response.headers["x-databricks-org-id"] = request.app.state.workspace_id
    return ScimMe(
        id=caller.id,
        user_name=caller.name,
        display_name=caller.name,
        emails=[ScimEmail(value=caller.name)],
        groups=[ScimGroup(display=name) for name in (("admins", "users") if caller.is_admin else ("users",))],
    )


@router.get("/oidc/.well-known/oauth-authorization-server")
def oauth_metadata(request: Request) -> dict[str, object]:
    """Where OAuth would happen (RFC 8414); databricks-sdk reads it before any OAuth call."""
    issuer = f"{base_url(request.app.state.public_url, request.scope)}/oidc"
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/v1/authorize",
        "token_endpoint": f"{issuer}/v1/token",
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        "response_types_supported": ["code"],
    }


@router.post("/oidc/v1/token")
def oauth_token() -> JSONResponse:
    """Refuse every client: this version has no service principals. The shape is RFC 6749's."""
    return JSONResponse(
        {
            "error": "invalid_client",
            "error_description": "No service principal has this id and secret. Use an openfm access token instead.",
        },
        status_code=401,
    )
