"""`/api/2.0/token`: one's own tokens. `/api/2.0/token-management`: everybody's, for admins."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from openfm.control.endpoints.inputs import Input
from openfm.control.identity.caller import Caller
from openfm.control.tokens.repository import TokenRecord
from openfm.control.tokens.service import NewToken, TokenRequest, Tokens, check_scopes
from openfm.core.errors import InvalidParameterValue

_DAY_MS = 24 * 3600 * 1000
_NEVER = -1
router = APIRouter()


class TokenInput(Input):
    """Asks for a token."""

    comment: str | None = None
    lifetime_seconds: int | None = None
    scopes: list[str] | None = None

    @property
    def request(self) -> TokenRequest:
        """What is asked for."""
        return TokenRequest(self.comment, self.lifetime_seconds, self.scopes)


class BehalfInput(TokenInput):
    """Asks for a token of a service principal."""

    application_id: str


class TokenIdInput(Input):
    """Names a token."""

    token_id: str


class TokenFields(Input):
    """What can be changed of a token."""

    comment: str | None = None
    scopes: list[str] | None = None


class TokenPatch(Input):
    """Changes a token; `update_mask` names the fields, with commas between."""

    token: TokenFields
    update_mask: str = "comment"


def _tokens(request: Request) -> Tokens:
    tokens: Tokens = request.app.state.access.tokens
    return tokens


AtTokens = Annotated[Tokens, Depends(_tokens)]


@router.post("/api/2.0/token/create")
def create_token(body: TokenInput, caller: Caller, tokens: AtTokens) -> dict[str, Any]:
    """A new token of the caller's; its value is shown this once."""
    made = tokens.create(caller, body.request)
    return {"token_value": made.value, "token_info": _own_info(made.token)}


@router.get("/api/2.0/token/list")
def list_tokens(caller: Caller, tokens: AtTokens) -> dict[str, Any]:
    """The caller's tokens."""
    return {"token_infos": [_own_info(token) | _use(token) for token in tokens.own(caller)]}


@router.post("/api/2.0/token/delete")
def delete_token(body: TokenIdInput, caller: Caller, tokens: AtTokens) -> dict[str, Any]:
    """Revoke one of the caller's tokens."""
    tokens.delete(body.token_id, caller)
    return {}


@router.patch("/api/2.0/token/{token_id}")
def update_token(token_id: str, body: TokenPatch, caller: Caller, tokens: AtTokens) -> dict[str, Any]:
    """Change the comment of one of the caller's tokens."""
    tokens.change_comment(token_id, caller, _new_comment(body))
    return {}


@router.get("/api/2.0/token-management/tokens")
def list_all_tokens(
    tokens: AtTokens, request: Request, created_by_id: str | None = None, created_by_username: str | None = None
) -> dict[str, Any]:
    """Everybody's tokens, or those that one principal made."""
    found = tokens.every(created_by_id, created_by_username)
    return {"token_infos": [_info(token, request) for token in found]}


@router.get("/api/2.0/token-management/tokens/{token_id}")
def get_any_token(token_id: str, tokens: AtTokens, request: Request) -> dict[str, Any]:
    """Anybody's token."""
    return {"token_info": _info(tokens.get(token_id), request)}


@router.patch("/api/2.0/token-management/tokens/{token_id}")
def update_any_token(token_id: str, body: TokenPatch, tokens: AtTokens, request: Request) -> dict[str, Any]:
    """Change the comment of anybody's token."""
    return _info(tokens.change_comment(token_id, None, _new_comment(body)), request)


@router.delete("/api/2.0/token-management/tokens/{token_id}")
def delete_any_token(token_id: str, tokens: AtTokens) -> dict[str, Any]:
    """Revoke anybody's token."""
    tokens.delete(token_id, None)
    return {}


@router.post("/api/2.0/token-management/on-behalf-of/tokens")
def create_token_for(body: BehalfInput, caller: Caller, tokens: AtTokens, request: Request) -> dict[str, Any]:
    """A token of a service principal, or of a user by name; its value is shown this once."""
    made: NewToken = tokens.create_for(caller, body.application_id, body.request)
    return {"token_value": made.value, "token_info": _info(made.token, request)}


def _new_comment(body: TokenPatch) -> str:
    fields = {field.strip() for field in body.update_mask.split(",")}
    if "scopes" in fields:
        check_scopes(body.token.scopes)
    if not fields & {"comment", "scopes", "*"}:
        raise InvalidParameterValue("Only comment can be changed; name it in update_mask.", param="update_mask")
    if body.token.comment is None:
        raise InvalidParameterValue("token.comment is missing.", param="token.comment")
    return body.token.comment


def _own_info(token: TokenRecord) -> dict[str, Any]:
    return {
        "token_id": token.id,
        "creation_time": token.created_at,
        "expiry_time": _NEVER if token.expires_at is None else token.expires_at,
        "comment": token.comment,
    }


def _info(token: TokenRecord, request: Request) -> dict[str, Any]:
    return {
        **_own_info(token),
        "created_by_id": int(token.created_by_id),
        "created_by_username": token.created_by,
        "owner_id": int(token.owner_id),
        "workspace_id": int(request.app.state.workspace_id),
        **_use(token),
    }


def _use(token: TokenRecord) -> dict[str, int]:
    return {} if token.last_used_at is None else {"last_used_day": token.last_used_at // _DAY_MS * _DAY_MS}
