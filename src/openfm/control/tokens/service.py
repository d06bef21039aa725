"""Personal access tokens: made, listed, changed, revoked; each is effective, or refused, at the next request."""

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from openfm.control.identity import repository as identity
from openfm.control.identity.books import Books
from openfm.control.identity.records import PrincipalRecord, callers
from openfm.control.identity.texts import checked_comment
from openfm.control.identity.token_book import hash_token
from openfm.control.tokens import repository
from openfm.control.tokens.loading import may_use_tokens
from openfm.control.tokens.repository import TokenRecord
from openfm.core.errors import ApiError, InvalidParameterValue, NotFound, PermissionDenied
from openfm.core.principal import Principal, PrincipalKind

TOKEN_PREFIX = "dapi"  # what tools that look at the shape of a Databricks token expect
_ALL_SCOPES = ("all-apis",)
_LONGEST_LIFETIME_S = 100 * 366 * 24 * 3600
_MOST_TOKENS = 600  # of one owner, as Databricks has it; each is a row in memory


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What somebody asks for. `lifetime_s` is seconds; None never ends. `scopes` can only be all of them."""

    comment: str | None = None
    lifetime_s: int | None = None
    scopes: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token and its value, which is shown this once."""

    value: str
    token: TokenRecord


class Tokens:
    """Personal access tokens. Every method blocks."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def create(self, caller: Principal, request: TokenRequest) -> NewToken:
        """A token of the caller's own. Raises `PermissionDenied` for somebody who may not have tokens."""
        if not may_use_tokens(self._books.grants, caller):
            raise PermissionDenied("You may not use personal access tokens. Ask an admin for CAN_USE on tokens.")
        made = self._made(request, caller, caller.id)
        with self._books.change() as connection:
            self._insert(connection, made.token)
        return made

    def create_for(self, caller: Principal, application_id: str, request: TokenRequest) -> NewToken:
        """A token of a service principal, by its application id, or of a user, by name.

        Raises `NotFound`, `InvalidParameterValue` for one whose token would be refused.
        """
        with self._books.change() as connection:
            owner_id = _owner(connection, application_id).id
            owner = callers(identity.everybody(connection), identity.memberships(connection)).get(owner_id)
            if owner is None or not may_use_tokens(self._books.grants, owner):
                raise InvalidParameterValue(
                    f"'{application_id}' is deactivated, or has no CAN_USE on authorization/tokens: its token would be "
                    "refused. Change that first.",
                    param="application_id",
                )
            made = self._made(request, caller, owner_id)
            self._insert(connection, made.token)
        return made

    def own(self, caller: Principal) -> Sequence[TokenRecord]:
        """The caller's tokens."""
        self.flush_use()
        with self._books.database.transaction() as connection:
            return repository.personal_tokens(connection, caller.id)

    def every(self, created_by_id: str | None, created_by: str | None) -> Sequence[TokenRecord]:
        """All tokens, or those that one principal made."""
        self.flush_use()
        with self._books.database.transaction() as connection:
            tokens = repository.personal_tokens(connection)
        return [
            token
            for token in tokens
            if created_by_id in {None, token.created_by_id} and created_by in {None, token.created_by}
        ]

    def get(self, token_id: str) -> TokenRecord:
        """Anybody's token. Raises `NotFound`."""
        self.flush_use()
        with self._books.database.transaction() as connection:
            return _found(connection, token_id, None)

    def change_comment(self, token_id: str, owner: Principal | None, comment: str) -> TokenRecord:
        """Replace the comment of the owner's token, or of anybody's for None. Raises `NotFound`."""
        checked = checked_comment(comment)
        with self._books.database.transaction() as connection:
            token = _found(connection, token_id, owner)
            repository.change_comment(connection, token_id, checked)
        return replace(token, comment=checked)

    def delete(self, token_id: str, owner: Principal | None) -> None:
        """Revoke the owner's token, or anybody's for None. Raises `NotFound`."""
        with self._books.change() as connection:
            _found(connection, token_id, owner)
            repository.delete_token(connection, token_id)

    def flush_use(self) -> None:
        """Keep when tokens were used."""
        used = self._books.tokens.take_used()
        if not used:
            return
        try:
            with self._books.database.transaction() as connection:
                repository.mark_used(connection, used)
        except ApiError:
            self._books.tokens.note_used(used)  # for the next time
            raise

    def _made(self, request: TokenRequest, creator: Principal, owner_id: str) -> NewToken:
        check_scopes(request.scopes)
        now_ms, value = self._books.now_ms(), TOKEN_PREFIX + secrets.token_hex(32)
        token = TokenRecord(
            id=uuid.uuid4().hex,
            owner_id=owner_id,
            digest=hash_token(value).hex(),
            client_secret_id=None,
            comment=checked_comment(request.comment),
            created_by_id=creator.id,
            created_by=creator.name,
            created_at=now_ms,
            expires_at=expiry(request.lifetime_s, now_ms),
        )
        return NewToken(value, token)

    def _insert(self, connection: Connection, token: TokenRecord) -> None:
        if repository.count_personal(connection, token.owner_id) >= _MOST_TOKENS:
            raise InvalidParameterValue(f"Nobody may have more than {_MOST_TOKENS} tokens. Delete some first.")
        repository.insert_token(connection, token)


def expiry(lifetime_s: int | None, now_ms: int, field: str = "lifetime_seconds") -> int | None:
    """When something ends that lives so many seconds. Raises `InvalidParameterValue`."""
    if lifetime_s is None:
        return None
    if not 0 < lifetime_s <= _LONGEST_LIFETIME_S:
        raise InvalidParameterValue(
            f"{field} must be 1 to {_LONGEST_LIFETIME_S} seconds; leave it out for no end.", param=field
        )
    return now_ms + lifetime_s * 1000


def check_scopes(scopes: Sequence[str] | None) -> None:
    """Raise `InvalidParameterValue` for a token that should be able to do less: it would not."""
    if scopes and tuple(scopes) != _ALL_SCOPES:
        raise InvalidParameterValue(
            "Tokens here are not limited by scopes. Leave scopes out, and give the token's owner fewer permissions.",
            param="scopes",
        )


def _found(connection: Connection, token_id: str, owner: Principal | None) -> TokenRecord:
    token = repository.find_token(connection, token_id)
    if token is None or (owner is not None and token.owner_id != owner.id):
        raise NotFound(f"You have no token with the id '{token_id}'. List your tokens to see their ids.")
    return token


def _owner(connection: Connection, name: str) -> PrincipalRecord:
    for kind in (PrincipalKind.SERVICE_PRINCIPAL, PrincipalKind.USER):
        found = identity.find_named(connection, kind, name)
        if found is not None:
            return found
    raise NotFound(
        f"No service principal has the application id '{name}', and no user that name.", param="application_id"
    )
