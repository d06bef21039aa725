"""The model registry: models, versions, aliases, and which file of a version has which content."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "registered_models",
        sa.Column("full_name", sa.String(767), primary_key=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("owner", sa.String(256), nullable=False),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("last_version", sa.Integer, nullable=False),
        *_audit(),
    )
    _make_versions()
    op.create_table(
        "model_aliases",
        sa.Column("full_name", sa.String(767), primary_key=True),
        sa.Column("alias", sa.String(255), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        _of_version(),
    )
    op.create_table(
        "model_files",
        sa.Column("full_name", sa.String(767), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("path", sa.String(1024), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("modified_at", sa.BigInteger, nullable=False),
        _of_version(),
    )
    op.create_index("ix_model_files_digest", "model_files", ["digest"])


def _make_versions() -> None:
    model = sa.ForeignKey("registered_models.full_name", ondelete="CASCADE", onupdate="CASCADE")
    op.create_table(
        "model_versions",
        sa.Column("full_name", sa.String(767), model, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("status_message", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("run_id", sa.String(256), nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("facts", sa.JSON, nullable=True),
        sa.Column("unservable_reason", sa.Text, nullable=True),
        sa.Column("digest", sa.String(64), nullable=True),
        *_audit(),
    )


def _audit() -> list[sa.Column[int] | sa.Column[str]]:
    return [
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("created_by", sa.String(256), nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("updated_by", sa.String(256), nullable=False),
    ]


def _of_version() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["full_name", "version"],
        ["model_versions.full_name", "model_versions.version"],
        ondelete="CASCADE",
        onupdate="CASCADE",
    )
