"""What is known of endpoints that were deleted, so that their usage still says what it was of."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Add the table; what was deleted before is not known any more."""
    op.create_table(
        "deleted_endpoints",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("task", sa.String(64), nullable=False),
        sa.Column("endpoint_type", sa.String(64), nullable=False),
        sa.Column("creator", sa.String(256), nullable=False),
        sa.Column("deleted_timestamp", sa.BigInteger, nullable=False),
        sa.Column("configs", sa.JSON, nullable=False),
    )
