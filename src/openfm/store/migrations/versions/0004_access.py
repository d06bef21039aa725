"""Who may do what: principals, their tokens and client secrets, grants, secrets."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the tables."""
    _make_principals()
    _make_tokens()
    op.create_table(
        "grants",
        sa.Column("object_type", sa.String(32), primary_key=True),
        sa.Column("object_id", sa.String(256), primary_key=True),
        sa.Column("principal_id", sa.String(32), _of_principal(), primary_key=True),
        sa.Column("level", sa.String(32), primary_key=True),
        sa.Column("is_owner", sa.Boolean, nullable=False),
    )
    _make_secrets()


def _make_principals() -> None:
    op.create_table(
        "principals",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("name", sa.String(256), nullable=False),
        sa.Column("display_name", sa.String(256), nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("attributes", sa.JSON, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("kind", "name"),
    )
    op.create_table(
        "group_members",
        sa.Column("group_id", sa.String(32), _of_principal(), primary_key=True),
        sa.Column("member_id", sa.String(32), _of_principal(), primary_key=True),
    )


def _make_tokens() -> None:
    op.create_table(
        "client_secrets",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("principal_id", sa.String(32), _of_principal(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=True),
    )
    op.create_index("ix_client_secrets_principal_id", "client_secrets", ["principal_id"])
    op.create_table(
        "access_tokens",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("owner_id", sa.String(32), _of_principal(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column(
            "client_secret_id", sa.String(32), sa.ForeignKey("client_secrets.id", ondelete="CASCADE"), nullable=True
        ),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("created_by_id", sa.String(32), nullable=False),
        sa.Column("created_by", sa.String(256), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=True),
        sa.Column("last_used_at", sa.BigInteger, nullable=True),
    )
    for column in ("owner_id", "client_secret_id"):
        op.create_index(f"ix_access_tokens_{column}", "access_tokens", [column])


def _make_secrets() -> None:
    op.create_table(
        "secret_scopes",
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("created_by", sa.String(256), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "scope_secrets",
        sa.Column("scope", sa.String(128), sa.ForeignKey("secret_scopes.name", ondelete="CASCADE"), primary_key=True),
        sa.Column("key", sa.String(128), primary_key=True),
        sa.Column("ciphertext", sa.Text, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )


def _of_principal() -> sa.ForeignKey:
    return sa.ForeignKey("principals.id", ondelete="CASCADE")
