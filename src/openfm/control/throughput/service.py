"""What this fleet has, has promised and has left; what a load needs; whether a promise was kept. All calls block."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from openfm.control.calibrations.profiles import ProfileBook
from openfm.control.endpoints.directory import EndpointDirectory
from openfm.control.registry.models import ServableModels, ServableVersion
from openfm.control.throughput import ledger_rows
from openfm.control.throughput.estimate import shown_memory, shown_throughput
from openfm.control.throughput.ports import FleetAccount, MemoryAccount, PromiseAccount, Room, Tenant
from openfm.control.usage.ports import Prices
from openfm.core.endpoint import EndpointConfig, ServedEntity, ServingEndpoint
from openfm.core.errors import InvalidParameterValue, NotFound
from openfm.core.objective import default_objective
from openfm.core.price import Price, PriceUnit, shown_micro
from openfm.core.principal import PermissionLevel, Principal
from openfm.scheduling.delivery import Minute, Promise, by_minute
from openfm.scheduling.profile import ThroughputProfile
from openfm.scheduling.promised_time import PromisedTime, Spell
from openfm.scheduling.sizing import Shape, Sizing, demanded, size, size_replay
from openfm.scheduling.work import CostWeights, Throughput
from openfm.store.database import Database

_EVEN = CostWeights(1.0, 0.0, 1.0)
"""Where nothing was measured, a prompt token counts as a completion token, and a cached one as none."""
_MOST_MINUTES = 7 * 24 * 60
_MOST_HOURS = 90 * 24
_US_PER_MINUTE = 60_000_000
_LONGEST_GAP_S = 3600
"""An outage that began longer before what is reported is not seen as one."""


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """A load: requests a minute of one shape, or those of the last hours as they are in the ledger."""

    entity_name: str
    entity_version: str
    requests_per_minute: float | None
    shape: Shape | None
    ledger_hours: float | None


@dataclass(frozen=True, slots=True)
class ThroughputOffice:
    """What the service works with. `now_us` is us since the epoch."""

    database: Database
    directory: EndpointDirectory
    servable: ServableModels
    profiles: ProfileBook
    prices: Prices
    fleet: FleetAccount
    memory: MemoryAccount
    promises: PromiseAccount
    now_us: Callable[[], int]


class ThroughputService:
    """Answers questions about throughput; changes nothing."""

    def __init__(self, office: ThroughputOffice) -> None:
        self._own = office

    # ---------------------------------------------------------------------------------------------------- capacity

    def capacity(self) -> dict[str, Any]:
        """What the fleet has, what is taken and by whom, what throughput is promised, and what is left."""
        view = self._own.fleet()
        named = {
            entity.deployment_id: (endpoint, entity)
            for endpoint in self._own.directory.endpoints
            for entity in endpoint.wanted_entities
        }
        left = Room(
            view.total.memory_bytes - view.taken.memory_bytes,
            view.total.cores - view.taken.cores,
            tuple(
                total - taken
                for total, taken in zip(view.total.gpu_memory_bytes, view.taken.gpu_memory_bytes, strict=True)
            ),
        )
        share = self._own.promises.left(self._own.directory.endpoints)
        return {
            "hardware": str(self._own.profiles.here.hardware),
            "total": _shown_room(view.total) | {"throughput_share": 1.0},
            "taken": _shown_room(view.taken) | {"throughput_share": round(1.0 - share, 4)},
            "left": _shown_room(left) | {"throughput_share": round(share, 4)},
            "deployments": [
                self._shown_tenant(tenant, named.get(tenant.deployment_id), share) for tenant in view.tenants
            ],
        }

    def _shown_tenant(
        self, tenant: Tenant, named: tuple[ServingEndpoint, ServedEntity] | None, left: float
    ) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "endpoint": None if named is None else named[0].name,
            "served_entity": tenant.deployment_id if named is None else named[1].name,
            "replicas": tenant.replicas,
            "room": _shown_room(tenant.room),
            "promised_throughput": 0,
        }
        if named is not None and named[1].external is None:
            profile, throughput = self._profile_of(named[1]), self._own.promises.throughput(named[1])
            shown["promised_throughput"] = throughput.promised(named[1].settings)
            shown["measured_throughput"] = None if profile is None else round(tenant.replicas * throughput.replica, 1)
            shown["left_throughput"] = throughput.chunks(left) * throughput.chunk
            shown["warning"] = None if profile is None else self._own.profiles.warning(profile)
        return shown

    # ---------------------------------------------------------------------------------------------------- estimate

    def estimate(self, entity_name: str, entity_version: str, beside: str, caller: Principal) -> dict[str, Any]:
        """What serving a version takes of the memory, and what its throughput means where it was calibrated.

        `left_throughput` is what may still be promised of it here, in tokens a second: as measured, else as expected
        of its size. The endpoint `beside` is to serve it: what that holds now does not count. Raises `NotFound`,
        `PermissionDenied`, `InvalidParameterValue`.
        """
        version = self._own.servable.find(entity_name, entity_version, caller)
        fit = self._own.memory.fit(version.entity_name, version.entity_version, beside)
        profile = self._own.profiles.best(version.ids)
        throughput, left = self._own.servable.throughput(version), self._left(beside)
        return {
            "entity_name": version.entity_name,
            "entity_version": version.entity_version,
            "memory": shown_memory(fit),
            "left_throughput": throughput.chunks(left) * throughput.chunk,
            "throughput": None if profile is None else shown_throughput(profile, self._own.profiles.warning(profile)),
        }

    # -------------------------------------------------------------------------------------------------------- plan

    def plan(self, wanted: PlanRequest, caller: Principal) -> dict[str, Any]:
        """What the load needs.

        Raises `NotFound`, `PermissionDenied`, `InvalidParameterValue`; a version that was not calibrated has no plan.
        """
        version = self._own.servable.find(wanted.entity_name, wanted.entity_version, caller)
        profile = self._own.profiles.best(version.ids)
        if profile is None:
            raise InvalidParameterValue(
                f"'{version.entity_name}' version {version.entity_version} was not calibrated, so nobody knows what it "
                f"can do here. Run `openfm calibrate {version.entity_name}/{version.entity_version}`.",
                param="entity_name",
            )
        sizing, basis = self._sized(wanted, version, profile, caller)
        throughput, left = profile.throughput, self._left()
        return {
            "entity_name": version.entity_name,
            "entity_version": version.entity_version,
            "basis": basis,
            "work_per_request": round(sizing.work_per_request, 2),
            "work_per_s": round(sizing.work_per_s, 2),
            "throughput_chunk_size": profile.chunk_size,
            "units": sizing.units,
            "replicas": throughput.replicas(sizing.throughput),
            "max_provisioned_throughput": sizing.throughput,
            "machine_throughput": throughput.chunks() * throughput.chunk,
            "left_throughput": throughput.chunks(left) * throughput.chunk,
            "shortage": _shortage(throughput, sizing, left),
            "utilization": round(sizing.utilization, 4),
            "spare_requests_per_minute": round(sizing.spare_requests_per_minute, 1),
            "price_per_hour": self._price(version, sizing.units),
            "objective": profile.setting.objective.to_json(),
            "warning": self._own.profiles.warning(profile),
        }

    def _sized(
        self, wanted: PlanRequest, version: ServableVersion, profile: ThroughputProfile, caller: Principal
    ) -> tuple[Sizing, str]:
        if wanted.ledger_hours is not None:
            if wanted.requests_per_minute is not None or wanted.shape is not None:
                raise InvalidParameterValue(
                    "Send ledger_hours, or a load of your own (requests_per_minute, prompt_tokens, completion_tokens); "
                    "not both.",
                    param="ledger_hours",
                )
            return self._sized_by_ledger(wanted.ledger_hours, version, profile, caller)
        if wanted.requests_per_minute is None or wanted.shape is None:
            raise InvalidParameterValue(
                "Send requests_per_minute, prompt_tokens and completion_tokens, or ledger_hours.",
                param="requests_per_minute",
            )
        _check_load(wanted.requests_per_minute, wanted.shape)
        _check_context(version, wanted.shape)
        basis = (
            f"{wanted.requests_per_minute:g} requests a minute of {wanted.shape.prompt:g} prompt "
            f"({wanted.shape.cached:g} cached) and {wanted.shape.completion:g} completion tokens"
        )
        return size(profile, wanted.shape, wanted.requests_per_minute), basis

    def _sized_by_ledger(
        self, hours: float, version: ServableVersion, profile: ThroughputProfile, caller: Principal
    ) -> tuple[Sizing, str]:
        if not 0 < hours <= _MOST_HOURS:
            raise InvalidParameterValue(
                f"ledger_hours must be more than 0, at most {_MOST_HOURS}.", param="ledger_hours"
            )
        since_us = self._own.now_us() - int(hours * 60 * _US_PER_MINUTE)
        asked = ledger_rows.Asked(version.entity_name, since_us, None if caller.is_admin else caller.id)
        with self._own.database.transaction() as connection:
            loads = ledger_rows.loads(connection, asked)
        minutes = demanded(loads, profile.weights)
        if not minutes:
            raise NotFound(
                f"The ledger has no answered request to '{version.entity_name}' in the last {hours:g} hours."
            )
        found = size_replay(profile, minutes)
        refused, busiest = sum(load.refused for load in loads), datetime.fromtimestamp(found.busiest.minute * 60, UTC)
        return found.sizing, (
            f"{found.requests} requests of the last {hours:g} hours ({refused} of them refused then), replayed minute "
            f"by minute: {found.refused:.1%} would be refused; the busiest minute was {busiest:%Y-%m-%d %H:%M} UTC"
        )

    def _price(self, version: ServableVersion, units: int) -> dict[str, str] | None:
        """Of so many model units for an hour, by the model's own price; None where nobody set one."""
        now_us = self._own.now_us()
        valid = [
            price
            for price in self._own.prices.all()
            if PriceUnit.MODEL_UNIT_HOUR in price.amounts
            and price.effective_from_us <= now_us
            and price.target.covers("", version.entity_name)
        ]
        if not valid:
            return None
        newest: Price = max(valid, key=lambda price: (price.target.rank, price.effective_from_us, price.version))
        micro = newest.amounts[PriceUnit.MODEL_UNIT_HOUR] * units
        return {"amount": shown_micro(micro), "currency": newest.currency}

    # ------------------------------------------------------------------------------------------------------ report

    def report(self, name: str, minutes: int, caller: Principal) -> dict[str, Any]:
        """Promised against delivered for each minute with requests. Raises `NotFound`, `PermissionDenied`."""
        if not 1 <= minutes <= _MOST_MINUTES:
            raise InvalidParameterValue(f"minutes must be 1 to {_MOST_MINUTES}.", param="minutes")
        endpoint = self._own.directory.permitted(name, caller, PermissionLevel.CAN_VIEW)
        since = self._own.now_us() // _US_PER_MINUTE - minutes + 1
        with self._own.database.transaction() as connection:
            served = ledger_rows.served(connection, endpoint.id, since * _US_PER_MINUTE)
            refusals = ledger_rows.refused(connection, endpoint.id, since)
            spells = ledger_rows.spells(connection, endpoint.id, since * 60 - _LONGEST_GAP_S)
        promise, warning = self._promise(endpoint, spells)
        found = by_minute(served, refusals, promise)
        breached = [minute for minute in found if minute.breaches]
        return {
            "endpoint": endpoint.name,
            "promised_throughput": promise.throughput(since + minutes),
            "objective": promise.objective.to_json(),
            "minutes_asked": minutes,
            "minutes_with_requests": len(found),
            "minutes_in_breach": len(breached),
            "warning": warning,
            "minutes": [_shown_minute(minute) for minute in found],
        }

    def _promise(self, endpoint: ServingEndpoint, spells: Sequence[tuple[Spell, int]]) -> tuple[Promise, str | None]:
        """What was promised when, by the hours that were billed: `spells`, with their model units."""
        config: EndpointConfig | None = endpoint.config
        entities = () if config is None else config.served_entities
        profiles = [profile for entity in entities if (profile := self._profile_of(entity)) is not None]
        chunk = profiles[0].chunk_size if profiles else 0
        noted = [spell if spell.throughput else replace(spell, throughput=units * chunk) for spell, units in spells]
        current = {entity.deployment_id: self._promised(entity) for entity in entities}
        throughput = PromisedTime(noted, current).at
        if not profiles:
            return Promise(throughput, default_objective(endpoint.task), _EVEN), (
                "Nothing was measured: every uncached token counts as one, and the objective is that of the task."
            )
        first = profiles[0]
        return Promise(throughput, first.setting.objective, first.weights), self._own.profiles.warning(first)

    def _profile_of(self, entity: ServedEntity) -> ThroughputProfile | None:
        return None if entity.external is not None else self._own.profiles.best(entity.version_ids)

    def _promised(self, entity: ServedEntity) -> float:
        """Tokens a second that its owner provisioned at most."""
        if entity.external is not None:
            return 0.0
        return self._own.promises.throughput(entity).promised(entity.settings)

    def _left(self, beside: str = "") -> float:
        """The part of the machine that all endpoints leave, but that called `beside`."""
        return self._own.promises.left(one for one in self._own.directory.endpoints if one.name != beside)


def _shortage(throughput: Throughput, sizing: Sizing, left: float) -> str | None:
    """Why this machine cannot promise what was planned; None where it can."""
    most, free = throughput.chunks() * throughput.chunk, throughput.chunks(left) * throughput.chunk
    if sizing.units > throughput.chunks():
        machines = math.ceil(sizing.units / max(1, throughput.chunks()))
        return (
            f"This machine can be promised {most:,} tokens/s of the model; the load needs {machines:,} such machines."
        )
    if sizing.units > throughput.chunks(left):
        return f"Of {most:,} tokens/s that this machine can be promised of the model, {free:,} are left beside others."
    return None


def _check_context(version: ServableVersion, shape: Shape) -> None:
    tokens, most = shape.prompt + shape.completion, version.profile.context_length
    if tokens > most:
        raise InvalidParameterValue(
            f"{shape.prompt:g} prompt and {shape.completion:g} completion tokens are more than the context of "
            f"'{version.entity_name}', which is {most}.",
            param="prompt_tokens",
        )


def _check_load(requests_per_minute: float, shape: Shape) -> None:
    for name, value in (
        ("requests_per_minute", requests_per_minute),
        ("prompt_tokens", shape.prompt),
        ("completion_tokens", shape.completion),
        ("cached_tokens", shape.cached),
    ):
        if not 0 <= value <= 1e9:
            raise InvalidParameterValue(f"{name} is {value:g}; it must be 0 to 1e9.", param=name)
    if shape.cached > shape.prompt:
        raise InvalidParameterValue("cached_tokens are part of prompt_tokens; send no more.", param="cached_tokens")


def _shown_room(room: Room) -> dict[str, Any]:
    return {
        "memory_bytes": room.memory_bytes,
        "cores": room.cores,
        "gpu_memory_bytes": list(room.gpu_memory_bytes),
    }


def _shown_minute(minute: Minute) -> dict[str, Any]:
    def rounded(value: float | None) -> float | None:
        return None if value is None else round(value, 1)

    return {
        "start_timestamp": minute.minute * 60_000,
        "promised_throughput": minute.promised,
        "requests": minute.requests,
        "refused": minute.refused,
        "failed": minute.failed,
        "delivered_throughput": rounded(minute.delivered),
        "ttft_ms": rounded(minute.ttft_ms),
        "tpot_ms": rounded(minute.tpot_ms),
        "e2e_ms": rounded(minute.e2e_ms),
        "breaches": list(minute.breaches),
    }
