"""SQL of secret scopes and of what is in them."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, delete, func, insert, select

from openfm.store.access_tables import scope_secrets, secret_scopes


@dataclass(frozen=True, slots=True)
class Scope:
    """A named set of secrets."""

    name: str
    id: str
    created_by: str
    created_at: int


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """A secret, encrypted. `size` is bytes of the value, `updated_at` ms since the epoch."""

    key: str
    ciphertext: str
    size: int
    updated_at: int


def find_scope(connection: Connection, name: str) -> Scope | None:
    """The scope of that name."""
    row = connection.execute(select(secret_scopes).where(secret_scopes.c.name == name)).one_or_none()
    return None if row is None else Scope(row.name, row.id, row.created_by, row.created_at)


def scopes(connection: Connection) -> Sequence[Scope]:
    """All scopes, by name."""
    rows = connection.execute(select(secret_scopes).order_by(secret_scopes.c.name))
    return [Scope(row.name, row.id, row.created_by, row.created_at) for row in rows]


def insert_scope(connection: Connection, scope: Scope) -> None:
    """Add one."""
    connection.execute(
        insert(secret_scopes).values(
            name=scope.name, id=scope.id, created_by=scope.created_by, created_at=scope.created_at
        )
    )


def delete_scope(connection: Connection, name: str) -> None:
    """Remove one with its secrets."""
    connection.execute(delete(secret_scopes).where(secret_scopes.c.name == name))


def find_secret(connection: Connection, scope: str, key: str) -> StoredSecret | None:
    """The secret of that key."""
    condition = and_(scope_secrets.c.scope == scope, scope_secrets.c.key == key)
    row = connection.execute(select(scope_secrets).where(condition)).one_or_none()
    return None if row is None else StoredSecret(row.key, row.ciphertext, row.size, row.updated_at)


def secrets_in(connection: Connection, scope: str) -> Sequence[StoredSecret]:
    """All secrets of a scope, by key."""
    query = select(scope_secrets).where(scope_secrets.c.scope == scope).order_by(scope_secrets.c.key)
    return [StoredSecret(row.key, row.ciphertext, row.size, row.updated_at) for row in connection.execute(query)]


def count_secrets(connection: Connection, scope: str) -> int:
    """How many secrets a scope has."""
    query = select(func.count()).select_from(scope_secrets).where(scope_secrets.c.scope == scope)
    return connection.execute(query).scalar_one()


def put_secret(connection: Connection, scope: str, secret: StoredSecret) -> None:
    """Add one, or replace the one of its key."""
    delete_secret(connection, scope, secret.key)
    connection.execute(
        insert(scope_secrets).values(
            scope=scope,
            key=secret.key,
            ciphertext=secret.ciphertext,
            size=secret.size,
            updated_at=secret.updated_at,
        )
    )


def delete_secret(connection: Connection, scope: str, key: str) -> None:
    """Remove one."""
    connection.execute(delete(scope_secrets).where(scope_secrets.c.scope == scope, scope_secrets.c.key == key))
