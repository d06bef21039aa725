"""The database's tables (SQLAlchemy Core). Change them by a migration in `migrations/versions/`, forward only."""

from sqlalchemy import JSON, BigInteger, Boolean, Column, ForeignKey, Integer, MetaData, String, Table, false

metadata = MetaData()

workspace = Table(
    "workspace",
    metadata,
    Column("id", String(32), primary_key=True, comment="decimal, as in X-Databricks-Workspace-Id"),
    Column("created_timestamp", BigInteger, nullable=False, comment="ms since the epoch"),
)

serving_endpoints = Table(
    "serving_endpoints",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("task", String(64), nullable=False),
    Column("endpoint_type", String(64), nullable=False),
    Column("creator", String(256), nullable=False),
    Column("creation_timestamp", BigInteger, nullable=False, comment="ms since the epoch"),
    Column("last_updated_timestamp", BigInteger, nullable=False, comment="ms since the epoch"),
    Column("active_config_version", Integer, nullable=False, comment="0 until the first one is deployed"),
    Column("pending_config_version", Integer, nullable=False, server_default="0", comment="0 when none is rolled out"),
    Column("update_state", String(32), nullable=False, server_default="NOT_UPDATING"),
    Column("update_failures", JSON, nullable=False, server_default="{}", comment="reason by served entity"),
    Column("is_stopped", Boolean, nullable=False, server_default=false()),
    Column("details", JSON, nullable=False, server_default="{}", comment="core.endpoint.EndpointDetails"),
)

endpoint_configs = Table(
    "endpoint_configs",
    metadata,
    Column("endpoint_name", ForeignKey("serving_endpoints.name", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("served_entities", JSON, nullable=False, comment="[core.endpoint.ServedEntity]"),
    Column("routes", JSON, nullable=False, comment="[{served_entity_name, traffic_percentage}]"),
    Column("created_timestamp", BigInteger, nullable=False, comment="ms since the epoch"),
    Column("auto_capture_config", JSON, nullable=True),
)

deleted_endpoints = Table(
    "deleted_endpoints",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(63), nullable=False, comment="others may have it since"),
    Column("task", String(64), nullable=False),
    Column("endpoint_type", String(64), nullable=False),
    Column("creator", String(256), nullable=False),
    Column("deleted_timestamp", BigInteger, nullable=False, comment="ms since the epoch"),
    Column("configs", JSON, nullable=False, comment="[{version, created_timestamp, served_entities}], without any key"),
)
