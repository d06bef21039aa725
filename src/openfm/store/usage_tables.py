"""What is kept of usage beside the ledger's rows: daily sums of rows, hours of model units, refusals, payloads."""

from sqlalchemy import JSON, BigInteger, Column, Float, Index, Integer, String, Table, Text

from openfm.store.ledger_tables import CHARGE_NUMBER
from openfm.store.tables import metadata


def _sum(name: str, comment: str | None = None) -> Column[int]:
    return Column(name, BigInteger, nullable=False, comment=comment)


ledger_days = Table(
    "ledger_days",
    metadata,
    Column("day_us", BigInteger, primary_key=True, autoincrement=False, comment="its first microsecond, UTC"),
    Column("digest", String(64), primary_key=True, comment="SHA-256 of what follows, up to tags"),
    Column("currency", String(3), nullable=False),
    Column("principal_id", String(32), nullable=False),
    Column("principal_name", Text, nullable=False),
    Column("endpoint_name", Text, nullable=False),
    Column("entity_name", Text, nullable=False),
    Column("price_version", Integer, nullable=False),
    Column("tags", JSON, nullable=False),
    _sum("requests"),
    _sum("prompt", "cached ones among them"),
    _sum("cached"),
    _sum("completion"),
    _sum("cost_micro", "whole 10^-6 of the currency"),
    _sum("cost_rest", "and 10^-12, less than 10^6 a row"),
)

ledger_sums = Table(
    "ledger_sums",
    metadata,
    Column("day_us", BigInteger, primary_key=True, autoincrement=False, comment="its first microsecond, UTC"),
    Column("digest", String(64), primary_key=True, comment="SHA-256 of what follows, up to price_version"),
    Column("currency", String(3), nullable=False),
    Column("principal_id", String(32), nullable=False),
    Column("principal_name", Text, nullable=False),
    Column("endpoint_name", Text, nullable=False),
    Column("entity_name", Text, nullable=False),
    Column("price_version", Integer, nullable=False),
    _sum("requests", "rows that are there, up to the closing number of the ledger's reader 'sums'"),
    _sum("prompt", "cached ones among them"),
    _sum("cached"),
    _sum("completion"),
    _sum("cost_micro", "whole 10^-6 of the currency"),
    _sum("cost_rest", "and 10^-12, less than 10^6 a row"),
)

unit_hours = Table(
    "unit_hours",
    metadata,
    Column("deployment_id", String(128), primary_key=True, comment="core.endpoint.ServedEntity.deployment_id"),
    Column("from_s", BigInteger, primary_key=True, autoincrement=False, comment="s since the epoch, as to_s"),
    Column("to_s", BigInteger, nullable=False, index=True, comment="READY from from_s up to here"),
    Column("units", Integer, nullable=False, comment="model units"),
    Column("throughput", Integer, nullable=True, comment="what was promised, tokens/s; null where it was not noted"),
    Column("principal_id", String(32), nullable=False, comment="the endpoint's creator"),
    Column("principal_name", Text, nullable=False),
    Column("endpoint_id", String(64), nullable=False),
    Column("endpoint_name", Text, nullable=False),
    Column("entity_name", Text, nullable=False),
    Column("tags", JSON, nullable=False, comment="the endpoint's"),
    Column("cost_pico", BigInteger, nullable=False, comment="10^-12 of the currency: core.unit_hours.unit_cost"),
    Column("currency", String(3), nullable=False),
    Column("price_version", Integer, nullable=False, comment="prices.version; 0 where none was set"),
    Column("charge_number", BigInteger, nullable=True, index=True, unique=True, comment=CHARGE_NUMBER),
)

refusals = Table(
    "refusals",
    metadata,
    Column("minute", BigInteger, primary_key=True, autoincrement=False, comment="in which they came; since the epoch"),
    Column("digest", String(64), primary_key=True, comment="SHA-256 of what follows, up to code"),
    Column("endpoint_id", String(64), nullable=False),
    Column("endpoint_name", Text, nullable=False),
    Column("served_entity", Text, nullable=False),
    Column("entity_name", Text, nullable=False),
    Column("principal_id", String(32), nullable=False, comment="empty where too many were refused to tell them apart"),
    Column("principal_name", Text, nullable=False),
    Column("status", Integer, nullable=False, comment="HTTP"),
    Column("code", String(64), nullable=False, comment="core.errors.ApiError.code"),
    _sum("requests", "that were refused before they were dispatched: the ledger has none of them"),
)

payloads = Table(
    "payloads",
    metadata,
    Column("databricks_request_id", String(64), primary_key=True, comment="the x-request-id header of the answer"),
    Column("endpoint_id", String(64), nullable=False),
    Column("client_request_id", Text, nullable=True),
    Column("request_time_us", BigInteger, nullable=False, comment="us since the epoch"),
    Column("status_code", Integer, nullable=False),
    Column("sampling_fraction", Float, nullable=False),
    Column("execution_duration_ms", BigInteger, nullable=False),
    Column("request", Text, nullable=True, comment="as it came; null where it was too large"),
    Column("response", Text, nullable=True, comment="as it was sent; null where it was too large"),
    Column("served_entity_id", Text, nullable=False),
    Column("logging_error_codes", JSON, nullable=False),
    Column("requester", Text, nullable=False),
    Index("ix_payloads_page", "endpoint_id", "request_time_us", "databricks_request_id"),
    Index("ix_payloads_request_time_us", "request_time_us"),
)
