"""Tables of calibrations, and of the throughput profiles that came of them."""

from sqlalchemy import JSON, BigInteger, Boolean, Column, Float, ForeignKey, Integer, String, Table, Text

from openfm.store.tables import metadata


def _version() -> Column[str]:
    return Column(
        "version_id",
        String(32),
        ForeignKey("model_versions.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
        comment="a profile ends with its model version",
    )


calibrations = Table(
    "calibrations",
    metadata,
    Column("id", String(32), primary_key=True),
    _version(),
    Column("entity_name", Text, nullable=False),
    Column("entity_version", String(16), nullable=False),
    Column("state", String(16), nullable=False, comment="core.calibration.CalibrationState"),
    Column("is_provisional", Boolean, nullable=False),
    Column("progress", Float, nullable=False, comment="0 to 1"),
    Column("message", Text, nullable=False, comment="what it is doing, or why it failed"),
    Column("objective", JSON, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("fingerprint", String(64), nullable=False, comment="of hardware and engine: points of others are not used"),
    Column("points", JSON, nullable=False, comment="what was measured so far; empty once it failed"),
    Column("created_at", BigInteger, nullable=False, comment="ms since the epoch"),
    Column("created_by", Text, nullable=False),
    Column("updated_at", BigInteger, nullable=False, comment="ms since the epoch"),
)

throughput_profiles = Table(
    "throughput_profiles",
    metadata,
    Column("version_id", String(32), ForeignKey("model_versions.id", ondelete="CASCADE"), primary_key=True),
    Column("engine", String(64), primary_key=True),
    Column("is_provisional", Boolean, nullable=False),
    Column("profile", JSON, nullable=False, comment="scheduling.profile.ThroughputProfile with its digest"),
    Column("created_at", BigInteger, nullable=False, comment="ms since the epoch"),
)
