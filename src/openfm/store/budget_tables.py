"""Budgets, and what is spent of them: sums over closed rows of the ledger."""

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Integer, String, Table, Text, text

from openfm.store.tables import metadata

budgets = Table(
    "budgets",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(63), nullable=False, unique=True),
    Column("scope", String(32), nullable=False, comment="core.budget.BudgetScope"),
    Column("principal_id", ForeignKey("principals.id", ondelete="CASCADE"), nullable=True, index=True),
    Column("endpoint_id", ForeignKey("serving_endpoints.id", ondelete="CASCADE"), nullable=True, index=True),
    Column("tag", Text, nullable=True, comment="key=value"),
    Column("amount_micro", BigInteger, nullable=False, comment="10^-6 of the currency"),
    Column("currency", String(3), nullable=False),
    Column("period", String(16), nullable=False, comment="core.budget.BudgetPeriod"),
    Column("action", String(16), nullable=False, comment="core.budget.BudgetAction"),
    Column("alerts", JSON, nullable=False, comment="percentages, ascending"),
)

budget_spent = Table(
    "budget_spent",
    metadata,
    Column("budget_id", ForeignKey("budgets.id", ondelete="CASCADE"), primary_key=True),
    Column("start_us", BigInteger, primary_key=True, comment="when the period began, us since the epoch"),
    Column("pico", Text, nullable=False, comment="10^-12 of the currency, exact; may have more than 64 bits"),
    Column("alerted_percent", Integer, nullable=False, comment="the highest percentage that was told; 0 for none"),
)

ledger_readers = Table(
    "ledger_readers",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("closing_number", BigInteger, nullable=False, comment="of the ledger's last row that it has counted"),
    Column("charge_number", BigInteger, nullable=False, server_default=text("0"), comment="of the last such charge"),
)
