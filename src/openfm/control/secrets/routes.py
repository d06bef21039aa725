"""`/api/2.0/secrets`: scopes, secrets, and who may read them."""

import base64
import binascii
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from openfm.control.endpoints.inputs import Input
from openfm.control.identity.caller import Caller
from openfm.control.secrets.service import Place, SecretStore
from openfm.core.errors import InvalidParameterValue, NotFound

router = APIRouter(prefix="/api/2.0/secrets")


class NewScopeInput(Input):
    """A scope to make."""

    scope: str
    initial_manage_principal: str | None = None
    scope_backend_type: str | None = None


class ScopeInput(Input):
    """Names a scope."""

    scope: str


class KeyInput(ScopeInput):
    """Names a secret."""

    key: str


class SecretInput(KeyInput):
    """A secret: text, or bytes in base64."""

    string_value: str | None = None
    bytes_value: str | None = None


class PrincipalInput(ScopeInput):
    """Names a principal of a scope."""

    principal: str


class AclInput(PrincipalInput):
    """A level for a principal."""

    permission: str


def _secrets(request: Request) -> SecretStore:
    store: SecretStore = request.app.state.access.secrets
    return store


AtSecrets = Annotated[SecretStore, Depends(_secrets)]


@router.post("/scopes/create")
def create_scope(body: NewScopeInput, caller: Caller, secrets: AtSecrets) -> dict[str, Any]:
    """A new scope."""
    if body.scope_backend_type not in (None, "DATABRICKS"):
        raise InvalidParameterValue("scope_backend_type can be DATABRICKS only.", param="scope_backend_type")
    secrets.create_scope(caller, body.scope, body.initial_manage_principal)
    return {}


@router.get("/scopes/list")
def list_scopes(caller: Caller, secrets: AtSecrets) -> dict[str, Any]:
    """The scopes that the caller may read."""
    return {"scopes": [{"name": scope.name, "backend_type": "DATABRICKS"} for scope in secrets.scopes(caller)]}


@router.post("/scopes/delete")
def delete_scope(body: ScopeInput, caller: Caller, secrets: AtSecrets) -> dict[str, Any]:
    """Delete a scope with its secrets."""
    secrets.delete_scope(caller, body.scope)
    return {}


@router.post("/put")
def put_secret(body: SecretInput, caller: Caller, secrets: AtSecrets) -> dict[str, Any]:
    """Keep a secret."""
    secrets.put(caller, Place(body.scope, body.key), _value(body))
    return {}


@router.get("/list")
def list_secrets(scope: str, caller: Caller, secrets: AtSecrets) -> dict[str, Any]:
    """The keys in a scope."""
    found = secrets.list(caller, scope)
    return {"secrets": [{"key": one.key, "last_updated_timestamp": one.updated_at} for one in found]}


@router.get("/get")
def get_secret(scope: str, key: str, caller: Caller, secrets: AtSecrets) -> dict[str, Any]:
    """A secret's value, in base64."""
    value = secrets.get(caller, Place(scope, key))
    return {"key": key, "value": base64.b64encode(value).decode()}


@router.post("/delete")
def delete_secret(body: KeyInput, caller: Caller, secrets: AtSecrets) -> dict[str, Any]:
    """Forget a secret."""
    secrets.delete(caller, Place(body.scope, body.key))
    return {}


@router.get("/acls/list")
def list_acls(scope: str, caller: Caller, secrets: AtSecrets) -> dict[str, Any]:
    """Who may do what with a scope."""
    return {"items": [_acl(name, level) for name, level in secrets.acls(caller, scope).items()]}


@router.get("/acls/get")
def get_acl(scope: str, principal: str, caller: Caller, secrets: AtSecrets) -> dict[str, Any]:
    """What a principal may do with a scope."""
    level = secrets.acls(caller, scope).get(principal)
    if level is None:
        raise NotFound(f"'{principal}' has no permission of its own on the scope '{scope}'.")
    return _acl(principal, level)


@router.post("/acls/put")
def put_acl(body: AclInput, caller: Caller, secrets: AtSecrets) -> dict[str, Any]:
    """Let a principal read, write or manage a scope."""
    secrets.put_acl(caller, body.scope, body.principal, body.permission)
    return {}


@router.post("/acls/delete")
def delete_acl(body: PrincipalInput, caller: Caller, secrets: AtSecrets) -> dict[str, Any]:
    """Take a principal's permission away."""
    secrets.delete_acl(caller, body.scope, body.principal)
    return {}


def _value(body: SecretInput) -> bytes:
    if (body.string_value is None) == (body.bytes_value is None):
        raise InvalidParameterValue("Send either string_value or bytes_value.", param="string_value")
    if body.string_value is not None:
        return body.string_value.encode()
    try:
        return base64.b64decode(body.bytes_value or "", validate=True)
    except binascii.Error:
        raise InvalidParameterValue("bytes_value must be base64.", param="bytes_value") from None


def _acl(principal: str, level: str) -> dict[str, str]:
    return {"principal": principal, "permission": level}
