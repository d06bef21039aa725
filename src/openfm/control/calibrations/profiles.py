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

_Profiles = Mapping[str, tuple[ThroughputProfile, ...]]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Here:
    """What profiles are compared with: this machine, and the version of an engine by its name."""

    hardware: Hardware
    engine_version: Callable[[str], str]


class ProfileBook:
    """Which throughput was measured for which version. Reading never waits.

    Nothing is promised by a stale profile: what other hardware or another engine did says nothing about this machine. A
    version that has no other counts as one that was never measured; only `listed` has it.
    """

    def __init__(self, here: Here) -> None:
        self.here = here
        self._profiles: _Profiles = MappingProxyType({})
        self._valid: _Profiles = MappingProxyType({})

    def listed(self, version_ids: Iterable[str]) -> tuple[ThroughputProfile, ...]:
        """All profiles of the version, the one that throughput is promised by first, and the stale ones last."""
        ids = tuple(version_ids)
        valid = self.of_version(ids)
        return (*valid, *(one for one in _first(self._profiles, ids) if one not in valid))

    def of_version(self, version_ids: Iterable[str]) -> tuple[ThroughputProfile, ...]:
        """What was measured here of the first of these versions that has any: in full before quickly, then by speed."""
        return _first(self._valid, version_ids)

    def best(self, version_ids: Iterable[str]) -> ThroughputProfile | None:
        """The profile that throughput is promised by, or None where nothing was measured here."""
        found = self.of_version(version_ids)
        return found[0] if found else None

    def throughput(self, version_ids: frozenset[str], parameters: int) -> Throughput:
        """See `control.registry.ports.Measured`."""
        found = self.best(version_ids)
        return self.here.hardware.expected(parameters) if found is None else found.throughput

    def warning(self, profile: ThroughputProfile) -> str | None:
        """Why the profile should not be relied upon; None for a full one of this hardware and engine."""
        stale = self._staleness(profile)
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
        valid = {key: [one for one in few if self._staleness(one) is None] for key, few in found.items()}
        return partial(self._put, _ordered(found), _ordered(valid))

    def _put(self, profiles: _Profiles, valid: _Profiles) -> None:
        self._profiles, self._valid = profiles, valid

    def _staleness(self, profile: ThroughputProfile) -> str | None:
        return profile.staleness(self.here.hardware, self.here.engine_version(profile.setting.engine.name))


def _first(profiles: _Profiles, version_ids: Iterable[str]) -> tuple[ThroughputProfile, ...]:
    return next((profiles[one] for one in version_ids if one in profiles), ())


def _ordered(profiles: Mapping[str, Iterable[ThroughputProfile]]) -> _Profiles:
    """What was measured in full before what was estimated, then the faster before the slower."""
    ordered = {
        key: tuple(sorted(few, key=lambda one: (one.is_provisional, -one.knee_work_per_s)))
        for key, few in profiles.items()
    }
    return MappingProxyType({key: few for key, few in ordered.items() if few})
