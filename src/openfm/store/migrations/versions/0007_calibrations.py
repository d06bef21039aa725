"""Calibrations and throughput profiles."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "calibrations",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("version_id", sa.String(32), sa.ForeignKey("model_versions.id", ondelete="CASCADE"), nullable=False),
        sa.Column("entity_name", sa.Text, nullable=False),
        sa.Column("entity_version", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("is_provisional", sa.Boolean, nullable=False),
        sa.Column("progress", sa.Float, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("objective", sa.JSON, nullable=False),
        sa.Column("seed", sa.Integer, nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("points", sa.JSON, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_calibrations_version_id", "calibrations", ["version_id"])
    op.create_table(
        "throughput_profiles",
        sa.Column(
            "version_id", sa.String(32), sa.ForeignKey("model_versions.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("engine", sa.String(64), primary_key=True),
        sa.Column("is_provisional", sa.Boolean, nullable=False),
        sa.Column("profile", sa.JSON, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
