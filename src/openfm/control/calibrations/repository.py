"""SQL of calibrations and throughput profiles. Every function works inside the caller's transaction."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from openfm.control.calibrations.records import Calibration, CalibrationState
from openfm.core.objective import Objective
from openfm.store.calibration_tables import calibrations, throughput_profiles

_OPEN = (CalibrationState.PENDING.value, CalibrationState.RUNNING.value)


def insert_calibration(connection: Connection, one: Calibration) -> None:
    """A new calibration."""
    connection.execute(
        insert(calibrations).values(
            id=one.id,
            version_id=one.version_id,
            entity_name=one.entity_name,
            entity_version=one.entity_version,
            state=one.state.value,
            is_provisional=one.is_provisional,
            progress=one.progress,
            message=one.message,
            objective=one.objective.to_json(),
            seed=one.seed,
            fingerprint=one.fingerprint,
            points=list(one.points),
            created_at=one.created_at,
            created_by=one.created_by,
            updated_at=one.updated_at,
        )
    )


def find(connection: Connection, identifier: str) -> Calibration | None:
    """The calibration, or None."""
    row = connection.execute(select(calibrations).where(calibrations.c.id == identifier)).mappings().one_or_none()
    return None if row is None else _calibration(row)


def newest_first(connection: Connection, entity_name: str | None, limit: int) -> Sequence[Calibration]:
    """The newest ones, of one model or of all."""
    query = select(calibrations).order_by(calibrations.c.created_at.desc(), calibrations.c.id).limit(limit)
    if entity_name is not None:
        query = query.where(calibrations.c.entity_name == entity_name)
    return [_calibration(row) for row in connection.execute(query).mappings()]


def open_ones(connection: Connection) -> Sequence[Calibration]:
    """Those that are not final, the oldest first."""
    query = select(calibrations).where(calibrations.c.state.in_(_OPEN)).order_by(calibrations.c.created_at)
    return [_calibration(row) for row in connection.execute(query).mappings()]


def of_versions(connection: Connection, version_ids: Collection[str]) -> Sequence[Calibration]:
    """All of these model versions, the newest first."""
    query = select(calibrations).where(calibrations.c.version_id.in_(version_ids))
    newest = query.order_by(calibrations.c.created_at.desc(), calibrations.c.id)
    return [_calibration(row) for row in connection.execute(newest).mappings()]


def change(connection: Connection, identifier: str, values: Mapping[str, Any]) -> bool:
    """Set these columns of a calibration that is not final; whether there was one."""
    is_it = (calibrations.c.id == identifier) & calibrations.c.state.in_(_OPEN)
    return connection.execute(update(calibrations).where(is_it).values(**values)).rowcount > 0


def delete_calibration(connection: Connection, identifier: str) -> bool:
    """Forget one; whether there was one."""
    return connection.execute(delete(calibrations).where(calibrations.c.id == identifier)).rowcount > 0


def put_profile(connection: Connection, version_id: str, engine: str, profile: Mapping[str, Any], now_ms: int) -> None:
    """Keep a profile in the place of the version's last one for this engine."""
    is_it = (throughput_profiles.c.version_id == version_id) & (throughput_profiles.c.engine == engine)
    connection.execute(delete(throughput_profiles).where(is_it))
    connection.execute(
        insert(throughput_profiles).values(
            version_id=version_id,
            engine=engine,
            is_provisional=bool(profile["is_provisional"]),
            profile=dict(profile),
            created_at=now_ms,
        )
    )


def profiles(connection: Connection) -> Sequence[tuple[str, Mapping[str, Any]]]:
    """Version id and profile, of all."""
    columns = throughput_profiles.c
    return [(row[0], row[1]) for row in connection.execute(select(columns.version_id, columns.profile))]


def _calibration(row: RowMapping) -> Calibration:
    return Calibration(
        id=row["id"],
        version_id=row["version_id"],
        entity_name=row["entity_name"],
        entity_version=row["entity_version"],
        state=CalibrationState(row["state"]),
        is_provisional=row["is_provisional"],
        progress=row["progress"],
        message=row["message"],
        objective=Objective.from_json(row["objective"]),
        seed=row["seed"],
        fingerprint=row["fingerprint"],
        created_at=row["created_at"],
        created_by=row["created_by"],
        updated_at=row["updated_at"],
        points=tuple(row["points"]),
    )
