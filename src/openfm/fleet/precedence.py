"""Which replicas give way on the cores that they share with provisioned throughput."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from openfm.engines.yielding import claim_cores, yield_cores


@dataclass(frozen=True, slots=True)
class Tenant:
    """A replica's process, what it computes on, and whether its throughput is provisioned."""

    pid: int
    hardware: frozenset[str]
    is_provisioned: bool


def giving_way(tenants: Iterable[Tenant]) -> frozenset[int]:
    """The pids of those without a promise that compute on the same hardware as one with it."""
    present = tuple(tenants)
    promised = frozenset[str]().union(*(one.hardware for one in present if one.is_provisioned))
    return frozenset(one.pid for one in present if not one.is_provisioned and not one.hardware.isdisjoint(promised))


class Precedence:
    """Lowers and raises processes as the fleet changes. `lower` and `raise_` say whether the system let them."""

    def __init__(
        self,
        tenants: Callable[[], Iterable[Tenant]],
        lower: Callable[[int], bool] = yield_cores,
        raise_: Callable[[int], bool] = claim_cores,
    ) -> None:
        self._tenants = tenants
        self._lower = lower
        self._raise = raise_
        self._lowered: frozenset[int] = frozenset()

    def update(self) -> None:
        """The fleet changed. Does not wait."""
        present = tuple(self._tenants())
        wanted = giving_way(present)
        alive = frozenset(tenant.pid for tenant in present)
        lowered = frozenset(pid for pid in wanted - self._lowered if self._lower(pid))
        for pid in (self._lowered - wanted) & alive:
            self._raise(pid)
        self._lowered = (self._lowered & wanted) | lowered
