"""The gateway's ports, fulfilled by what a test says."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from openfm.core.endpoint import ServedEntity, ServingEndpoint
from openfm.core.errors import ApiError, EndpointNotFound, EntityWithdrawn, LedgerUnavailable, NoReplicaReady
from openfm.core.ledger import LedgerEntry, Settlement
from openfm.core.limits import Standing
from openfm.core.principal import Principal
from openfm.core.usage import Demand, TokenCounts
from openfm.engines.scripted import ScriptedEngine
from openfm.gateway.ports import Replica

ANN = Principal("1", "ann")


@dataclass
class FakeReplica:
    engine: ScriptedEngine
    id: str = "r1"
    slots: int = 2
    ongoing: int = 0
    hardware: frozenset[str] = frozenset()

    @contextmanager
    def hold(self) -> Iterator[ScriptedEngine]:
        self.ongoing += 1
        try:
            yield self.engine
        finally:
            self.ongoing -= 1


@dataclass
class FakeRoster:
    replicas: list[Replica] = field(default_factory=list)
    withdrawn: set[str] = field(default_factory=set)
    by_entity: dict[str, list[Replica]] = field(default_factory=dict)

    async def ready(self, entity: ServedEntity) -> Sequence[Replica]:
        if entity.name in self.withdrawn:
            raise EntityWithdrawn(f"{entity.name} is gone.")
        if entity.name in self.by_entity:
            return self.by_entity[entity.name]
        if not self.replicas:
            raise NoReplicaReady(f"{entity.name} is loading.", retry_after_s=3)
        return self.replicas


@dataclass
class FakeAllowance:
    """Remembers what was used of it."""

    standings: Sequence[Standing] = ()
    most_completion_tokens: int | None = None
    used: list[TokenCounts] = field(default_factory=list)
    withdrawn: int = 0

    async def withdraw(self) -> None:
        self.withdrawn += 1

    async def settle(self, used: TokenCounts) -> None:
        self.used.append(used)


@dataclass
class FakeLimiter:
    """Gives the allowance, and remembers what was demanded; with `error`, refuses."""

    allowance: FakeAllowance = field(default_factory=FakeAllowance)
    error: ApiError | None = None
    demands: list[Demand] = field(default_factory=list)

    async def reserve(self, caller: Principal, endpoint: ServingEndpoint, demand: Demand) -> FakeAllowance:
        del caller, endpoint
        self.demands.append(demand)
        if self.error is not None:
            raise self.error
        return self.allowance


@dataclass
class FakeLedger:
    """What was written, in order; `is_full` takes nothing new."""

    written: list[LedgerEntry | Settlement] = field(default_factory=list)
    delivered: list[TokenCounts] = field(default_factory=list)
    is_full: bool = False

    def reserve(self, entry: LedgerEntry) -> None:
        if self.is_full:
            raise LedgerUnavailable("The disk is full.", retry_after_s=5)
        self.written.append(entry)

    def checkpoint(self, request_id: str, delivered: TokenCounts) -> None:
        del request_id
        self.delivered.append(delivered)

    def settle(self, settlement: Settlement) -> None:
        self.written.append(settlement)


@dataclass
class FakeDirectory:
    endpoint: ServingEndpoint

    def queryable(self, name: str, caller: Principal) -> ServingEndpoint:
        del caller
        if name != self.endpoint.name:
            raise EndpointNotFound(name)
        return self.endpoint

    def visible(self, caller: Principal) -> Sequence[ServingEndpoint]:
        del caller
        return [self.endpoint]
