"""`/oidc`: what OAuth clients look for and ask; and the routes that make and revoke their secrets."""

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import parse_qs, unquote_plus

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from openfm.control.endpoints.inputs import Input
from openfm.control.tokens.oauth import ACCESS_TOKEN_LIFETIME_S, ClientSecrets
from openfm.control.tokens.repository import ClientSecretRecord
from openfm.control.workspace.links import base_url

_SECRETS = "/api/2.0/accounts/servicePrincipals/{service_principal_id}/credentials/secrets"
_GRANT_TYPE = "client_credentials"
_MOST_FORM_BYTES = 64 * 1024
router = APIRouter()


class ClientSecretInput(Input):
    """Asks for a client secret that lives so many seconds, like `3600s`."""

    lifetime: str | None = None


@dataclass(frozen=True, slots=True)
class TokenForm:
    """A token request: who asks and what for. None of `client` where none could be read."""

    grant_type: str
    client: tuple[str, str] | None


def _client_secrets(request: Request) -> ClientSecrets:
    found: ClientSecrets = request.app.state.access.client_secrets
    return found


async def _form(request: Request) -> TokenForm:
    """The form and its client: HTTP Basic, or `client_id` and `client_secret` in the form (RFC 6749, 2.3.1)."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _MOST_FORM_BYTES:
            return TokenForm("", None)
    fields = parse_qs(body.decode("latin-1"), errors="replace")
    grant_type = fields.get("grant_type", [""])[0]
    basic = _basic(request.headers.get("authorization", ""))
    if basic is not None:
        return TokenForm(grant_type, basic)
    if "client_id" in fields and "client_secret" in fields:
        return TokenForm(grant_type, (fields["client_id"][0], fields["client_secret"][0]))
    return TokenForm(grant_type, None)


AtSecrets = Annotated[ClientSecrets, Depends(_client_secrets)]


@router.get("/oidc/.well-known/oauth-authorization-server")
def oauth_metadata(request: Request) -> dict[str, object]:
    """Where OAuth happens (RFC 8414); databricks-sdk reads it before any OAuth call."""
    issuer = f"{base_url(request.app.state.public_url, request.scope)}/oidc"
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/v1/authorize",
        "token_endpoint": f"{issuer}/v1/token",
        "grant_types_supported": [_GRANT_TYPE],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "response_types_supported": ["code"],
    }


@router.post("/oidc/v1/token")
def oauth_token(form: Annotated[TokenForm, Depends(_form)], client_secrets: AtSecrets) -> JSONResponse:
    """An access token for a service principal. Errors have the shape of RFC 6749."""
    if form.grant_type != _GRANT_TYPE:
        return _refused(400, "unsupported_grant_type", f"Only grant_type={_GRANT_TYPE} is supported here.")
    token = None if form.client is None else client_secrets.access_token(*form.client)
    if token is None:
        return _refused(
            401,
            "invalid_client",
            "No active service principal has this id and secret. client_id is its application id; "
            "make a secret with `openfm service-principals secret`.",
        )
    answer = {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": ACCESS_TOKEN_LIFETIME_S,
        "scope": "all-apis",
    }
    return JSONResponse(answer, headers={"cache-control": "no-store"})


@router.post(_SECRETS)
def create_secret(
    service_principal_id: str, client_secrets: AtSecrets, body: ClientSecretInput | None = None
) -> dict[str, Any]:
    """Another secret of a service principal; its value is shown this once."""
    made = client_secrets.create(service_principal_id, None if body is None else body.lifetime)
    return {**_info(made.secret), "secret": made.value}


@router.get(_SECRETS)
def list_secrets(service_principal_id: str, client_secrets: AtSecrets) -> dict[str, Any]:
    """The secrets of a service principal, without their values."""
    return {"secrets": [_info(secret) for secret in client_secrets.list(service_principal_id)]}


@router.delete(_SECRETS + "/{secret_id}")
def delete_secret(service_principal_id: str, secret_id: str, client_secrets: AtSecrets) -> dict[str, Any]:
    """Revoke a secret and the access tokens that it brought."""
    client_secrets.delete(service_principal_id, secret_id)
    return {}


def _refused(status: int, error: str, description: str) -> JSONResponse:
    headers = {"cache-control": "no-store"}
    if status == 401:
        headers["www-authenticate"] = 'Basic realm="openfm"'
    return JSONResponse({"error": error, "error_description": description}, status, headers)


def _basic(header: str) -> tuple[str, str] | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeError):
        return None
    return (unquote_plus(user), unquote_plus(password)) if colon else None


def _info(secret: ClientSecretRecord) -> dict[str, Any]:
    info = {
        "id": secret.id,
        "secret_hash": secret.digest,
        "status": "ACTIVE",
        "create_time": _time(secret.created_at),
        "update_time": _time(secret.created_at),
    }
    if secret.expires_at is not None:
        info["expire_time"] = _time(secret.expires_at)
    return info


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
