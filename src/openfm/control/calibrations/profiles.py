"""The throughput profiles of all model versions, in memory."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import structlog
from sqlalchemy import Connection

from openfm.control.calibrations import repository
from openfm.core.errors import InvalidParameterValue
from openfm.scheduling.profile import Hardware, ThroughputProfile
from openfm.scheduling.work import Throughput

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Here:
    """What profiles are compared with: this machine, and the version of an engine by its name."""

    hardware: Hardware
    engine_version: Callable[[str], str]


class ProfileBook:
    """Which throughput was measured for which version. Reading never waits."""

    def __init__(self, here: Here) -> None:
        self.here = here
        self._profiles: Mapping[str, tuple[ThroughputProfile, ...]] = MappingProxyType({})

    def of_version(self, version_ids: Iterable[str]) -> tuple[ThroughputProfile, ...]:
        """The profiles of the first of these versions that has any, the fastest first."""
        return next((self._profiles[one] for one in version_ids if one in self._profiles), ())

    def best(self, version_ids: Iterable[str]) -> ThroughputProfile | None:
        """The profile that throughput is promised by, or None where nothing was measured."""
        found = self.of_version(version_ids)
        return found[0] if found else None

    def throughput(self, version_ids: frozenset[str], parameters: int) -> Throughput:
        """See `control.registry.ports.Measured`."""
        found = self.best(version_ids)
        return self.here.hardware.expected(parameters) if found is None else found.throughput

    def warning(self, profile: ThroughputProfile) -> str | None:
        """Why the profile should not be relied upon; None for a full one of this hardware and engine."""
        engine = profile.setting.engine
        stale = profile.staleness(self.here.hardware, self.here.engine_version(engine.name))
        if stale is not None or not profile.is_provisional:
            return stale
        return "It is provisional, from a quick calibration at first load. `openfm calibrate` measures in full."

    def take_over(self, connection: Connection) -> Callable[[], None]:
        """See `store.database.TakeOver`."""
        found: dict[str, list[ThroughputProfile]] = {}
        for version_id, values in repository.profiles(connection):
            try:
                found.setdefault(version_id, []).append(ThroughputProfile.from_json(values))
            except (InvalidParameterValue, KeyError, TypeError) as error:
                log.warning("profile.not_read", version_id=version_id, error=repr(error))
        return partial(self._put, MappingProxyType({key: _ordered(few) for key, few in found.items() if few}))

    def _put(self, profiles: Mapping[str, tuple[ThroughputProfile, ...]]) -> None:
        self._profiles = profiles


def _ordered(profiles: Iterable[ThroughputProfile]) -> tuple[ThroughputProfile, ...]:
    """What was measured in full before what was estimated, then the faster before the slower."""
    return tuple(sorted(profiles, key=lambda one: (one.is_provisional, -one.knee_work_per_s)))
