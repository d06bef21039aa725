"""Tables of the model registry. The files themselves are blobs on disk (`store/blobs.py`)."""

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, ForeignKeyConstraint, Integer, String, Table, Text

from openfm.store.tables import metadata

registered_models = Table(
    "registered_models",
    metadata,
    Column("full_name", String(767), primary_key=True, comment="catalog.schema.model in lower case"),
    Column("id", String(32), nullable=False, unique=True),
    Column("comment", Text, nullable=False),
    Column("owner", String(256), nullable=False),
    Column("tags", JSON, nullable=False, comment="{key: value}"),
    Column("last_version", Integer, nullable=False, comment="the highest ever given; numbers are not given twice"),
    Column("created_at", BigInteger, nullable=False, comment="ms since the epoch"),
    Column("created_by", String(256), nullable=False),
    Column("updated_at", BigInteger, nullable=False, comment="ms since the epoch"),
    Column("updated_by", String(256), nullable=False),
)

model_versions = Table(
    "model_versions",
    metadata,
    Column(
        "full_name",
        ForeignKey("registered_models.full_name", ondelete="CASCADE", onupdate="CASCADE"),
        primary_key=True,
    ),
    Column("version", Integer, primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("status", String(32), nullable=False, comment="core.registry.VersionStatus"),
    Column("status_message", Text, nullable=False),
    Column("source", Text, nullable=False, comment="where it came from, as the client said"),
    Column("run_id", String(256), nullable=False),
    Column("comment", Text, nullable=False),
    Column("tags", JSON, nullable=False, comment="{key: value}"),
    Column("facts", JSON(none_as_null=True), nullable=True, comment="weights.inspection.ModelFacts"),
    Column("unservable_reason", Text, nullable=True),
    Column("digest", String(64), nullable=True, comment="core.registry.manifest_digest"),
    Column("created_at", BigInteger, nullable=False, comment="ms since the epoch"),
    Column("created_by", String(256), nullable=False),
    Column("updated_at", BigInteger, nullable=False, comment="ms since the epoch"),
    Column("updated_by", String(256), nullable=False),
)

model_aliases = Table(
    "model_aliases",
    metadata,
    Column("full_name", String(767), primary_key=True),
    Column("alias", String(255), primary_key=True),
    Column("version", Integer, nullable=False),
    ForeignKeyConstraint(
        ["full_name", "version"],
        ["model_versions.full_name", "model_versions.version"],
        ondelete="CASCADE",
        onupdate="CASCADE",
    ),
)

model_files = Table(
    "model_files",
    metadata,
    Column("full_name", String(767), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("path", String(1024), primary_key=True, comment="relative, forward slashes"),
    Column("digest", String(64), nullable=False, index=True, comment="SHA-256 of the content"),
    Column("size", BigInteger, nullable=False, comment="bytes"),
    Column("modified_at", BigInteger, nullable=False, comment="ms since the epoch"),
    ForeignKeyConstraint(
        ["full_name", "version"],
        ["model_versions.full_name", "model_versions.version"],
        ondelete="CASCADE",
        onupdate="CASCADE",
    ),
)
