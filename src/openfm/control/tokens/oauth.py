"""OAuth client credentials (RFC 6749, 4.4): service principals' secrets, and the access tokens that they bring.

An access token lives an hour and is kept, by its hash, in the database: a client that has one notices no restart.
"""

import re
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from openfm.control.identity import repository as identity
from openfm.control.identity.books import Books
from openfm.control.identity.records import PrincipalRecord, callers
from openfm.control.identity.token_book import KnownToken, hash_token
from openfm.control.tokens import repository
from openfm.control.tokens.loading import known_token
from openfm.control.tokens.repository import ClientSecretRecord, TokenRecord
from openfm.control.tokens.service import expiry
from openfm.core.errors import InvalidParameterValue, NotFound
from openfm.core.principal import PrincipalKind

ACCESS_TOKEN_LIFETIME_S = 3600
_SECRET_PREFIX = "dose"  # as Databricks' client secrets begin
_MOST_SECRETS = 5  # of one service principal, as Databricks has it
_MOST_LIVE_TOKENS = 1000  # of one secret: some clients ask for a token at every call
_LIFETIME = re.compile(r"([0-9]{1,12})s?")


@dataclass(frozen=True, slots=True)
class NewClientSecret:
    """A client secret and its value, which is shown this once."""

    value: str
    secret: ClientSecretRecord


class ClientSecrets:
    """What service principals identify themselves with. Every method blocks."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def create(self, principal_id: str, lifetime: str | None) -> NewClientSecret:
        """Another secret; `lifetime` is like `3600s`. Raises `NotFound` for what is no service principal."""
        now_ms, value = self._books.now_ms(), _SECRET_PREFIX + secrets.token_hex(32)
        expires_at = expiry(_seconds(lifetime), now_ms, "lifetime")
        record = ClientSecretRecord(uuid.uuid4().hex, principal_id, hash_token(value).hex(), now_ms, expires_at)
        with self._books.change() as connection:
            _service_principal(connection, principal_id)
            if len(repository.secrets_of(connection, principal_id)) >= _MOST_SECRETS:
                raise InvalidParameterValue(
                    f"A service principal may have {_MOST_SECRETS} secrets. Delete one that is not used any more."
                )
            repository.insert_secret(connection, record)
        return NewClientSecret(value, record)

    def list(self, principal_id: str) -> Sequence[ClientSecretRecord]:
        """The secrets of a service principal. Raises `NotFound`."""
        with self._books.database.transaction() as connection:
            _service_principal(connection, principal_id)
            return repository.secrets_of(connection, principal_id)

    def delete(self, principal_id: str, secret_id: str) -> None:
        """Revoke a secret and the access tokens that it brought. Raises `NotFound`."""
        with self._books.change() as connection:
            _service_principal(connection, principal_id)
            known = [secret.id for secret in repository.secrets_of(connection, principal_id)]
            if secret_id not in known:
                raise NotFound(f"This service principal has no secret with the id '{secret_id}'.")
            repository.delete_secrets(connection, [secret_id])

    def access_token(self, client_id: str, client_secret: str) -> str | None:
        """A new access token for this client, or None where id and secret are not of an active service principal."""
        books, value = self._books, secrets.token_urlsafe(48)
        digest, issued = hash_token(value), dict[bytes, KnownToken]()
        # Known before the next transaction, which may revoke it. Reading all tokens again would take too long here.
        with books.database.transaction(lambda _: partial(books.tokens.add, issued)) as connection:
            token = _issued(connection, client_id, client_secret, digest, books.now_ms())
            if token is not None:
                issued[digest] = token
        return value if issued else None


def _issued(
    connection: Connection, client_id: str, client_secret: str, digest: bytes, now_ms: int
) -> KnownToken | None:
    secret = repository.find_secret(connection, hash_token(client_secret).hex())
    if secret is None or (secret.expires_at is not None and secret.expires_at <= now_ms):
        return None
    owners = callers(identity.everybody(connection), identity.memberships(connection))
    owner = owners.get(secret.principal_id)
    if owner is None or owner.name != client_id:
        return None
    token = _access_token(secret, owner.name, digest.hex(), now_ms)
    repository.delete_ended_oauth_tokens(connection, now_ms)
    repository.delete_oldest_oauth_tokens(connection, secret.id, _MOST_LIVE_TOKENS - 1)
    repository.insert_token(connection, token)
    return known_token(token, owner)


def _access_token(secret: ClientSecretRecord, client_id: str, digest: str, now_ms: int) -> TokenRecord:
    end = now_ms + ACCESS_TOKEN_LIFETIME_S * 1000
    return TokenRecord(
        id=uuid.uuid4().hex,
        owner_id=secret.principal_id,
        digest=digest,
        client_secret_id=secret.id,
        comment="",
        created_by_id=secret.principal_id,
        created_by=client_id,
        created_at=now_ms,
        expires_at=end if secret.expires_at is None else min(end, secret.expires_at),
    )


def _service_principal(connection: Connection, principal_id: str) -> PrincipalRecord:
    found = identity.find(connection, principal_id)
    if found is None or found.kind is not PrincipalKind.SERVICE_PRINCIPAL:
        raise NotFound(f"No service principal has the id '{principal_id}'. Use its id, not its application id.")
    return found


def _seconds(lifetime: str | None) -> int | None:
    if lifetime is None:
        return None
    found = _LIFETIME.fullmatch(lifetime)
    if found is None:
        raise InvalidParameterValue("lifetime must be seconds, like '86400s'.", param="lifetime")
    return int(found[1])
