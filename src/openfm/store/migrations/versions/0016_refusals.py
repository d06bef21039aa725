"""Refusals are counted; the ledger says what provisioned throughput answered, and unit hours what was promised."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Add the table and the columns; what is there already was charged by its tokens."""
    op.create_table(
        "refusals",
        sa.Column("minute", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("endpoint_id", sa.String(64), nullable=False),
        sa.Column("endpoint_name", sa.Text, nullable=False),
        sa.Column("served_entity", sa.Text, nullable=False),
        sa.Column("entity_name", sa.Text, nullable=False),
        sa.Column("principal_id", sa.String(32), nullable=False),
        sa.Column("principal_name", sa.Text, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("requests", sa.BigInteger, nullable=False),
    )
    op.add_column("ledger", sa.Column("is_provisioned", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("unit_hours", sa.Column("throughput", sa.Integer, nullable=True))
