"""The money: the ledger, its corrections, prices, and how far journals were read."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables."""
    op.create_table("ledger", *_who_and_what(), *_how_it_ended(), sa.UniqueConstraint("closing_number"))
    for column in ("principal_id", "endpoint_id", "received_us"):
        op.create_index(f"ix_ledger_{column}", "ledger", [column])
    is_open = sa.text("state = 'RESERVED'")
    op.create_index("ix_ledger_open", "ledger", ["gateway"], sqlite_where=is_open, postgresql_where=is_open)
    _make_corrections()
    op.create_table(
        "prices",
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("unit", sa.String(32), primary_key=True),
        sa.Column("target_kind", sa.String(16), nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("amount_micro", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("effective_from_us", sa.BigInteger, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
    )
    op.create_table(
        "journal_positions",
        sa.Column("file", sa.String(128), primary_key=True),
        sa.Column("position", sa.BigInteger, nullable=False),
    )


def _who_and_what() -> list[sa.Column[Any]]:
    return [
        sa.Column("request_id", sa.String(64), primary_key=True),
        sa.Column("gateway", sa.String(64), nullable=False),
        sa.Column("principal_id", sa.String(32), nullable=False),
        sa.Column("principal_name", sa.Text, nullable=False),
        sa.Column("principal_kind", sa.String(32), nullable=False),
        sa.Column("token_id", sa.String(64), nullable=True),
        sa.Column("endpoint_id", sa.String(64), nullable=False),
        sa.Column("endpoint_name", sa.Text, nullable=False),
        sa.Column("served_entity", sa.Text, nullable=False),
        sa.Column("entity_name", sa.Text, nullable=False),
        sa.Column("entity_version", sa.Text, nullable=False),
        sa.Column("config_version", sa.Integer, nullable=False),
        sa.Column("task", sa.String(64), nullable=False),
        sa.Column("client_request_id", sa.Text, nullable=True),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("idempotency_key", sa.String(64), nullable=True),
        sa.Column("idempotency_body", sa.String(64), nullable=True),
        sa.Column("is_streaming", sa.Boolean, nullable=False),
        sa.Column("received_us", sa.BigInteger, nullable=False),
        sa.Column("reserved_prompt_tokens", sa.BigInteger, nullable=False),
        sa.Column("reserved_completion_tokens", sa.BigInteger, nullable=False),
    ]


def _how_it_ended() -> list[sa.Column[Any]]:
    kinds = ("prompt", "completion", "cached", "reasoning")
    counts = [f"{which}_{kind}" for which in ("generated", "billed") for kind in kinds]
    return [
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("status", sa.Integer, nullable=True),
        sa.Column("finish_reason", sa.Text, nullable=True),
        sa.Column("admitted_us", sa.BigInteger, nullable=True),
        sa.Column("first_token_us", sa.BigInteger, nullable=True),
        sa.Column("finished_us", sa.BigInteger, nullable=True),
        sa.Column("queue_us", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in counts),
        sa.Column("is_estimated", sa.Boolean, nullable=False),
        sa.Column("cost_pico", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String(3), nullable=True),
        sa.Column("price_version", sa.Integer, nullable=True),
        sa.Column("closing_number", sa.BigInteger, nullable=True),
    ]


def _make_corrections() -> None:
    op.create_table(
        "ledger_corrections",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("cost_pico", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("price_version", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
    )
    for column in ("request_id", "created_us"):
        op.create_index(f"ix_ledger_corrections_{column}", "ledger_corrections", [column])
