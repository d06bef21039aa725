"""Daily sums of the ledger's rows, for invoices and reports."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0009"


def upgrade() -> None:
    """Make the table; the server fills it."""
    op.create_table(
        "ledger_sums",
        sa.Column("day_us", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("principal_id", sa.String(32), nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("principal_name", "endpoint_name", "entity_name")),
        sa.Column("price_version", sa.Integer, nullable=False),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("requests", "prompt", "cached", "completion", "cost_micro", "cost_rest")
        ),
    )
