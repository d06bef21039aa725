"""What happened to endpoints."""

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, String, Table, Text

from openfm.store.tables import metadata

endpoint_events = Table(
    "endpoint_events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("endpoint_id", ForeignKey("serving_endpoints.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("timestamp", BigInteger, nullable=False, comment="ms since the epoch"),
    Column("kind", String(32), nullable=False, comment="core.event.EventKind"),
    Column("served_entity", Text, nullable=False, comment="its name; empty for what concerns the whole endpoint"),
    Column("actor", Text, nullable=False, comment="who asked for it; empty for what the server did by itself"),
    Column("message", Text, nullable=False),
)
