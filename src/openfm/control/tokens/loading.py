"""The database's tokens as the token book keeps them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from sqlalchemy import Connection

from openfm.control.identity import repository as identity
from openfm.control.identity.records import callers
from openfm.control.identity.token_book import KnownToken
from openfm.control.permissions.objects import ALL_TOKENS, ObjectType
from openfm.control.tokens import repository
from openfm.control.tokens.repository import TokenRecord
from openfm.core.principal import Principal


class Levels(Protocol):
    """Knows who may do what (`permissions.book`)."""

    def levels(self, caller: Principal, thing_type: ObjectType, thing: str) -> frozenset[str]:
        """The levels that the caller has."""
        ...


def read_tokens(connection: Connection, grants: Levels, now_ms: int) -> Mapping[bytes, KnownToken]:
    """By their hash, the tokens whose owners are active and may use them."""
    tokens = repository.live_tokens(connection, now_ms)
    owners = callers(identity.everybody(connection), identity.memberships(connection))
    allowed = {owner.id for owner in owners.values() if may_use_tokens(grants, owner)}
    return {
        bytes.fromhex(token.digest): known_token(token, owners[token.owner_id])
        for token in tokens
        if token.owner_id in (allowed if token.client_secret_id is None else owners)
    }


def known_token(token: TokenRecord, owner: Principal) -> KnownToken:
    """How the book keeps it."""
    return KnownToken(replace(owner, token_id=token.id), token.expires_at)


def may_use_tokens(grants: Levels, owner: Principal) -> bool:
    """Whether the owner may make and use personal access tokens."""
    return owner.is_admin or bool(grants.levels(owner, ObjectType.TOKENS, ALL_TOKENS))
