"""Budgets, what is spent of them, and how far the ledger was counted for that."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "budgets",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(63), nullable=False, unique=True),
        sa.Column("scope", sa.String(32), nullable=False),
        sa.Column("principal_id", sa.String(32), sa.ForeignKey("principals.id", ondelete="CASCADE"), nullable=True),
        sa.Column(
            "endpoint_id", sa.String(32), sa.ForeignKey("serving_endpoints.id", ondelete="CASCADE"), nullable=True
        ),
        sa.Column("tag", sa.Text, nullable=True),
        sa.Column("amount_micro", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("period", sa.String(16), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("alerts", sa.JSON, nullable=False),
    )
    for column in ("principal_id", "endpoint_id"):
        op.create_index(f"ix_budgets_{column}", "budgets", [column])
    op.create_table(
        "budget_spent",
        sa.Column("budget_id", sa.String(32), sa.ForeignKey("budgets.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("start_us", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("pico", sa.Text, nullable=False),
        sa.Column("alerted_percent", sa.Integer, nullable=False),
    )
    op.create_table(
        "ledger_readers",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("closing_number", sa.BigInteger, nullable=False),
    )
