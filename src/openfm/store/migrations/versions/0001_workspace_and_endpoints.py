"""The workspace, serving endpoints and their configs."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the first tables."""
    op.create_table(
        "workspace",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("created_timestamp", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "serving_endpoints",
        sa.Column("name", sa.String(63), primary_key=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("task", sa.String(64), nullable=False),
        sa.Column("endpoint_type", sa.String(64), nullable=False),
        sa.Column("creator", sa.String(256), nullable=False),
        sa.Column("creation_timestamp", sa.BigInteger, nullable=False),
        sa.Column("last_updated_timestamp", sa.BigInteger, nullable=False),
        sa.Column("active_config_version", sa.Integer, nullable=False),
    )
    op.create_table(
        "endpoint_configs",
        sa.Column(
            "endpoint_name",
            sa.String(63),
            sa.ForeignKey("serving_endpoints.name", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("served_entities", sa.JSON, nullable=False),
        sa.Column("routes", sa.JSON, nullable=False),
        sa.Column("created_timestamp", sa.BigInteger, nullable=False),
    )
