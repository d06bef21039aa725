"""Limits name endpoints that stand in for others, too."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add the column."""
    op.add_column("limits", sa.Column("alias", sa.Text, nullable=True))
