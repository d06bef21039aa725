"""Tables of who may do what: principals, their tokens and client secrets, grants, secrets.

Of a token or client secret only the SHA-256 is kept: both are 256 random bits, which no hash of them gives away.
"""

from sqlalchemy import JSON, BigInteger, Boolean, Column, ForeignKey, Integer, String, Table, Text, UniqueConstraint

from openfm.store.tables import metadata

principals = Table(
    "principals",
    metadata,
    Column("id", String(32), primary_key=True, comment="decimal: clients read it as a number"),
    Column("kind", String(32), nullable=False, comment="core.principal.PrincipalKind"),
    Column("name", String(256), nullable=False, comment="user name, application id, or display name of a group"),
    Column("display_name", String(256), nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("attributes", JSON, nullable=False, comment="what SCIM clients keep here: emails, externalId, ..."),
    Column("created_at", BigInteger, nullable=False, comment="ms since the epoch"),
    UniqueConstraint("kind", "name"),
)


def _principal(name: str, *, is_key: bool = False) -> Column[str]:
    target = ForeignKey("principals.id", ondelete="CASCADE")
    return Column(name, String(32), target, nullable=False, primary_key=is_key, index=not is_key)


group_members = Table(
    "group_members",
    metadata,
    _principal("group_id", is_key=True),
    _principal("member_id", is_key=True),
)

client_secrets = Table(
    "client_secrets",
    metadata,
    Column("id", String(32), primary_key=True),
    _principal("principal_id"),
    Column("digest", String(64), nullable=False, unique=True, comment="SHA-256 of the secret"),
    Column("created_at", BigInteger, nullable=False, comment="ms since the epoch"),
    Column("expires_at", BigInteger, nullable=True, comment="ms since the epoch; null never"),
)

access_tokens = Table(
    "access_tokens",
    metadata,
    Column("id", String(64), primary_key=True),
    _principal("owner_id"),
    Column("digest", String(64), nullable=False, unique=True, comment="SHA-256 of the token"),
    Column(
        "client_secret_id",
        String(32),
        ForeignKey("client_secrets.id", ondelete="CASCADE"),
        nullable=True,
        index=True,
        comment="null for a personal access token",
    ),
    Column("comment", Text, nullable=False),
    Column("created_by_id", String(32), nullable=False),
    Column("created_by", String(256), nullable=False),
    Column("created_at", BigInteger, nullable=False, comment="ms since the epoch"),
    Column("expires_at", BigInteger, nullable=True, comment="ms since the epoch; null never"),
    Column("last_used_at", BigInteger, nullable=True, comment="ms since the epoch"),
)

grants = Table(
    "grants",
    metadata,
    Column("object_type", String(32), primary_key=True, comment="control.permissions.objects.ObjectType"),
    Column("object_id", String(256), primary_key=True),
    _principal("principal_id", is_key=True),
    Column("level", String(32), primary_key=True),
    Column("is_owner", Boolean, nullable=False, comment="the creator's: nobody takes it away"),
)

secret_scopes = Table(
    "secret_scopes",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("created_by", String(256), nullable=False),
    Column("created_at", BigInteger, nullable=False, comment="ms since the epoch"),
)

scope_secrets = Table(
    "scope_secrets",
    metadata,
    Column("scope", String(128), ForeignKey("secret_scopes.name", ondelete="CASCADE"), primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("ciphertext", Text, nullable=False),
    Column("size", Integer, nullable=False, comment="bytes of the value"),
    Column("updated_at", BigInteger, nullable=False, comment="ms since the epoch"),
)
