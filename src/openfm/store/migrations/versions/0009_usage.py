"""Daily sums of the ledger, hours of model units, and payloads of requests."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make the tables."""
    _days()
    _unit_hours()
    _payloads()


def _days() -> None:
    op.create_table(
        "ledger_days",
        sa.Column("day_us", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("principal_id", sa.String(32), nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("principal_name", "endpoint_name", "entity_name")),
        sa.Column("price_version", sa.Integer, nullable=False),
        sa.Column("tags", sa.JSON, nullable=False),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("requests", "prompt", "cached", "completion", "cost_micro", "cost_rest")
        ),
    )


def _unit_hours() -> None:
    op.create_table(
        "unit_hours",
        sa.Column("deployment_id", sa.String(128), primary_key=True),
        sa.Column("from_s", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("to_s", sa.BigInteger, nullable=False),
        sa.Column("units", sa.Integer, nullable=False),
        sa.Column("principal_id", sa.String(32), nullable=False),
        sa.Column("principal_name", sa.Text, nullable=False),
        sa.Column("endpoint_id", sa.String(64), nullable=False),
        sa.Column("endpoint_name", sa.Text, nullable=False),
        sa.Column("entity_name", sa.Text, nullable=False),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("cost_pico", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("price_version", sa.Integer, nullable=False),
    )
    op.create_index("ix_unit_hours_to_s", "unit_hours", ["to_s"])


def _payloads() -> None:
    op.create_table(
        "payloads",
        sa.Column("databricks_request_id", sa.String(64), primary_key=True),
        sa.Column("endpoint_id", sa.String(64), nullable=False),
        sa.Column("client_request_id", sa.Text, nullable=True),
        sa.Column("request_time_us", sa.BigInteger, nullable=False),
        sa.Column("status_code", sa.Integer, nullable=False),
        sa.Column("sampling_fraction", sa.Float, nullable=False),
        sa.Column("execution_duration_ms", sa.BigInteger, nullable=False),
        sa.Column("request", sa.Text, nullable=True),
        sa.Column("response", sa.Text, nullable=True),
        sa.Column("served_entity_id", sa.Text, nullable=False),
        sa.Column("logging_error_codes", sa.JSON, nullable=False),
        sa.Column("requester", sa.Text, nullable=False),
    )
    op.create_index("ix_payloads_page", "payloads", ["endpoint_id", "request_time_us", "databricks_request_id"])
    op.create_index("ix_payloads_request_time_us", "payloads", ["request_time_us"])
