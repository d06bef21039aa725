"""Endpoints can be updated, stopped, and carry details.

Only ADD COLUMN: SQLite would copy the table for anything else, and dropping the old one takes every config with it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns; what is there goes on as not updating and not stopped."""
    added = (
        sa.Column("pending_config_version", sa.Integer, nullable=False, server_default="0"),
        sa.Column("update_state", sa.String(32), nullable=False, server_default="NOT_UPDATING"),
        sa.Column("update_failures", sa.JSON, nullable=False, server_default="{}"),
        sa.Column("is_stopped", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("details", sa.JSON, nullable=False, server_default="{}"),
    )
    for column in added:
        op.add_column("serving_endpoints", column)
    op.add_column("endpoint_configs", sa.Column("auto_capture_config", sa.JSON, nullable=True))
