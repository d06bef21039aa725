"""The operator's limits and weights. What an endpoint's owner sets is part of the endpoint."""

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Integer, String, Table, Text

from openfm.store.tables import metadata

limits = Table(
    "limits",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("scope", String(32), nullable=False, comment="core.limits.LimitScope"),
    Column("principal_id", ForeignKey("principals.id", ondelete="CASCADE"), nullable=True, index=True),
    Column("endpoint_id", ForeignKey("serving_endpoints.id", ondelete="CASCADE"), nullable=True, index=True),
    Column("alias", Text, nullable=True, comment="name of an endpoint that stands in for another, and has no row"),
    Column("measure", String(32), nullable=False, comment="core.limits.Measure"),
    Column("amount", BigInteger, nullable=False),
    Column("window_s", Integer, nullable=True, comment="null for concurrency"),
)

weights = Table(
    "weights",
    metadata,
    Column("principal_id", ForeignKey("principals.id", ondelete="CASCADE"), primary_key=True),
    Column("weight", Float, nullable=False, comment="the share of who calls; a group's is for its members"),
)
