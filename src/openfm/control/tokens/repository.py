"""SQL of access tokens and of the client secrets that OAuth clients get them with."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, insert, select, update

from openfm.store.access_tables import access_tokens, client_secrets


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """An access token without its value. Times are ms since the epoch; None of `expires_at` means never."""

    id: str
    owner_id: str
    digest: str
    client_secret_id: str | None
    comment: str
    created_by_id: str
    created_by: str
    created_at: int
    expires_at: int | None
    last_used_at: int | None = None


@dataclass(frozen=True, slots=True)
class ClientSecretRecord:
    """A client secret without its value. Times are ms since the epoch; None of `expires_at` means never."""

    id: str
    principal_id: str
    digest: str
    created_at: int
    expires_at: int | None


_is_personal = access_tokens.c.client_secret_id.is_(None)


def insert_token(connection: Connection, token: TokenRecord) -> None:
    """Add one."""
    connection.execute(
        insert(access_tokens).values(
            id=token.id,
            owner_id=token.owner_id,
            digest=token.digest,
            client_secret_id=token.client_secret_id,
            comment=token.comment,
            created_by_id=token.created_by_id,
            created_by=token.created_by,
            created_at=token.created_at,
            expires_at=token.expires_at,
            last_used_at=token.last_used_at,
        )
    )


def find_token(connection: Connection, token_id: str) -> TokenRecord | None:
    """The personal access token with that id."""
    query = select(access_tokens).where(access_tokens.c.id == token_id, _is_personal)
    row = connection.execute(query).one_or_none()
    return None if row is None else _token(row)


def personal_tokens(connection: Connection, owner_id: str | None = None) -> Sequence[TokenRecord]:
    """Personal access tokens, of one owner or of all, the oldest first."""
    condition: ColumnElement[bool] = _is_personal
    if owner_id is not None:
        condition = and_(condition, access_tokens.c.owner_id == owner_id)
    query = select(access_tokens).where(condition).order_by(access_tokens.c.created_at, access_tokens.c.id)
    return [_token(row) for row in connection.execute(query)]


def count_personal(connection: Connection, owner_id: str) -> int:
    """How many personal access tokens somebody has."""
    query = select(func.count()).select_from(access_tokens).where(access_tokens.c.owner_id == owner_id, _is_personal)
    return connection.execute(query).scalar_one()


def live_tokens(connection: Connection, now_ms: int) -> Sequence[TokenRecord]:
    """All tokens that have not ended, of OAuth clients too."""
    condition = access_tokens.c.expires_at.is_(None) | (access_tokens.c.expires_at > now_ms)
    return [_token(row) for row in connection.execute(select(access_tokens).where(condition))]


def change_comment(connection: Connection, token_id: str, comment: str) -> None:
    """Replace a token's comment."""
    connection.execute(update(access_tokens).where(access_tokens.c.id == token_id).values(comment=comment))


def delete_token(connection: Connection, token_id: str) -> None:
    """Remove one."""
    connection.execute(delete(access_tokens).where(access_tokens.c.id == token_id))


def delete_ended_oauth_tokens(connection: Connection, now_ms: int) -> None:
    """Remove tokens of OAuth clients that have ended; nobody lists them."""
    connection.execute(delete(access_tokens).where(~_is_personal, access_tokens.c.expires_at <= now_ms))


def delete_oldest_oauth_tokens(connection: Connection, client_secret_id: str, kept: int) -> None:
    """Remove the oldest tokens that a client got, all but `kept`."""
    of_client = access_tokens.c.client_secret_id == client_secret_id
    newest = select(access_tokens.c.id).where(of_client)
    newest = newest.order_by(access_tokens.c.created_at.desc(), access_tokens.c.id).limit(kept)
    ids = connection.execute(newest).scalars().all()
    connection.execute(delete(access_tokens).where(of_client, access_tokens.c.id.not_in(ids)))


def mark_used(connection: Connection, used: Mapping[str, int]) -> None:
    """Keep when tokens were used."""
    for token_id, used_at in used.items():
        connection.execute(update(access_tokens).where(access_tokens.c.id == token_id).values(last_used_at=used_at))


def insert_secret(connection: Connection, secret: ClientSecretRecord) -> None:
    """Add one."""
    connection.execute(
        insert(client_secrets).values(
            id=secret.id,
            principal_id=secret.principal_id,
            digest=secret.digest,
            created_at=secret.created_at,
            expires_at=secret.expires_at,
        )
    )


def secrets_of(connection: Connection, principal_id: str) -> Sequence[ClientSecretRecord]:
    """The client secrets of a service principal, the oldest first."""
    query = select(client_secrets).where(client_secrets.c.principal_id == principal_id)
    query = query.order_by(client_secrets.c.created_at, client_secrets.c.id)
    return [_secret(row) for row in connection.execute(query)]


def find_secret(connection: Connection, digest: str) -> ClientSecretRecord | None:
    """The client secret with that hash."""
    row = connection.execute(select(client_secrets).where(client_secrets.c.digest == digest)).one_or_none()
    return None if row is None else _secret(row)


def delete_secrets(connection: Connection, identifiers: Iterable[str]) -> None:
    """Remove these, with the tokens that they brought."""
    connection.execute(delete(client_secrets).where(client_secrets.c.id.in_(list(identifiers))))


def _token(row: Row[Any]) -> TokenRecord:
    return TokenRecord(
        id=row.id,
        owner_id=row.owner_id,
        digest=row.digest,
        client_secret_id=row.client_secret_id,
        comment=row.comment,
        created_by_id=row.created_by_id,
        created_by=row.created_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )


def _secret(row: Row[Any]) -> ClientSecretRecord:
    return ClientSecretRecord(row.id, row.principal_id, row.digest, row.created_at, row.expires_at)
