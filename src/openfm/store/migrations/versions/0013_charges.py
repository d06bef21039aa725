"""Corrections and hours of model units have an order, so that budgets count each once."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add the columns; what is there already was not counted, and is not."""
    for table in ("ledger_corrections", "unit_hours"):
        op.add_column(table, sa.Column("charge_number", sa.BigInteger, nullable=True))
        op.create_index(f"ix_{table}_charge_number", table, ["charge_number"], unique=True)
    op.add_column(
        "ledger_readers", sa.Column("charge_number", sa.BigInteger, nullable=False, server_default=sa.text("0"))
    )
