"""Tables of the money: the ledger, its corrections, prices, and how far the gateways' journals were read.

Rows of `ledger` are inserted when a request is reserved and changed once, when it is closed; rows of the other tables
are never changed (but `journal_positions`).
"""

from sqlalchemy import JSON, BigInteger, Boolean, Column, Index, Integer, String, Table, Text, false, text

from openfm.store.tables import metadata

IS_OPEN = text("state = 'RESERVED'")
"""In these words, without a parameter: only so the database knows that it can use the index of open rows."""

CHARGE_NUMBER = "1, 2, ... over corrections and unit_hours, in the order of their commits; null before it was counted"


def _tokens(name: str, comment: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, comment=comment)


ledger = Table(
    "ledger",
    metadata,
    Column("request_id", String(64), primary_key=True, comment="the x-request-id header of the answer"),
    Column("gateway", String(64), nullable=False, comment="the process that served it: its journal's name"),
    Column("principal_id", String(32), nullable=False, index=True),
    Column("principal_name", Text, nullable=False),
    Column("principal_kind", String(32), nullable=False, comment="core.principal.PrincipalKind"),
    Column("token_id", String(64), nullable=True),
    Column("endpoint_id", String(64), nullable=False, index=True),
    Column("endpoint_name", Text, nullable=False),
    Column("served_entity", Text, nullable=False),
    Column("entity_name", Text, nullable=False),
    Column("entity_version", Text, nullable=False),
    Column("config_version", Integer, nullable=False),
    Column("task", String(64), nullable=False),
    Column("client_request_id", Text, nullable=True),
    Column("tags", JSON, nullable=False, comment="{name: value}: usage_context and the endpoint's tags"),
    Column("idempotency_key", String(64), nullable=True, comment="core.ledger.Attempt: hashes"),
    Column("idempotency_body", String(64), nullable=True),
    Column("is_streaming", Boolean, nullable=False),
    Column("is_provisioned", Boolean, nullable=False, server_default=false(), comment="its tokens cost nothing"),
    Column("received_us", BigInteger, nullable=False, index=True, comment="us since the epoch, as all times here"),
    Column("reserved_prompt_tokens", BigInteger, nullable=False),
    Column("reserved_completion_tokens", BigInteger, nullable=False),
    Column("state", String(16), nullable=False, comment="core.ledger.LedgerState"),
    Column("status", Integer, nullable=True, comment="HTTP; null while open, and when the gateway died"),
    Column("finish_reason", Text, nullable=True),
    Column("admitted_us", BigInteger, nullable=True),
    Column("first_token_us", BigInteger, nullable=True),
    Column("finished_us", BigInteger, nullable=True, comment="null while open"),
    Column("queue_us", BigInteger, nullable=False),
    _tokens("generated_prompt", "cached ones among them"),
    _tokens("generated_completion", "reasoning among them"),
    _tokens("generated_cached", "part of generated_prompt"),
    _tokens("generated_reasoning", "part of generated_completion"),
    _tokens("billed_prompt", "cached ones among them; of an open row: so far, as all of billed_*"),
    _tokens("billed_completion", "reasoning among them"),
    _tokens("billed_cached", "part of billed_prompt"),
    _tokens("billed_reasoning", "part of billed_completion"),
    Column("is_estimated", Boolean, nullable=False),
    Column("cost_pico", BigInteger, nullable=False, comment="10^-12 of the currency, exact; 0 while open"),
    Column("currency", String(3), nullable=True, comment="null while open"),
    Column("price_version", Integer, nullable=True, comment="prices.version; 0 where none was set; null while open"),
    Column(
        "closing_number",
        BigInteger,
        nullable=True,
        unique=True,
        comment="1, 2, ... in the order in which rows were closed and committed; null while open",
    ),
    Index("ix_ledger_open", "gateway", sqlite_where=IS_OPEN, postgresql_where=IS_OPEN),
)

ledger_corrections = Table(
    "ledger_corrections",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("request_id", String(64), nullable=False, index=True),
    Column("cost_pico", BigInteger, nullable=False, comment="added to the row's; negative where it reverses"),
    Column("currency", String(3), nullable=False),
    Column("price_version", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False, index=True),
    Column("charge_number", BigInteger, nullable=True, index=True, unique=True, comment=CHARGE_NUMBER),
)

prices = Table(
    "prices",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False, comment="1, 2, ...: one for each setting"),
    Column("unit", String(32), primary_key=True, comment="core.price.PriceUnit"),
    Column("target_kind", String(16), nullable=False, comment="core.price.TargetKind"),
    Column("target", Text, nullable=False, comment="endpoint name, with * for any text, or entity name"),
    Column("amount_micro", BigInteger, nullable=False, comment="10^-6 of the currency per unit"),
    Column("currency", String(3), nullable=False),
    Column("effective_from_us", BigInteger, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
)

journal_positions = Table(
    "journal_positions",
    metadata,
    Column("file", String(128), primary_key=True),
    Column("position", BigInteger, nullable=False, comment="bytes from its beginning that are in the ledger"),
)
