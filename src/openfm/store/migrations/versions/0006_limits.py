"""The operator's limits."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "limits",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("scope", sa.String(32), nullable=False),
        sa.Column("principal_id", sa.String(32), sa.ForeignKey("principals.id", ondelete="CASCADE"), nullable=True),
        sa.Column(
            "endpoint_id", sa.String(32), sa.ForeignKey("serving_endpoints.id", ondelete="CASCADE"), nullable=True
        ),
        sa.Column("measure", sa.String(32), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("window_s", sa.Integer, nullable=True),
    )
    for column in ("principal_id", "endpoint_id"):
        op.create_index(f"ix_limits_{column}", "limits", [column])
