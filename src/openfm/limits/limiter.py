"""What the gateway asks before each request: fulfils its port `Limiter`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from openfm.core.endpoint import ServingEndpoint
from openfm.core.errors import RateLimited
from openfm.core.limits import Claim, LimitRule, Measure, Standing
from openfm.core.principal import Principal
from openfm.core.usage import Demand, TokenCounts
from openfm.limits.policy import Binding, binding, claims_on, may_fit
from openfm.limits.store import LimitStore, Reservation

_NOTHING_USED: Mapping[Measure, int] = MappingProxyType(dict.fromkeys(Measure, 0))


@dataclass(frozen=True, slots=True)
class TakenAllowance:
    """What one request took. See the gateway's port `Allowance`."""

    store: LimitStore
    reservation: Reservation
    most_completion_tokens: int | None = None

    @property
    def standings(self) -> Sequence[Standing]:
        """See `Allowance`."""
        return self.reservation.standings

    async def withdraw(self) -> None:
        """See `Allowance`."""
        await self.store.settle(self.reservation, _NOTHING_USED)

    async def settle(self, used: TokenCounts) -> None:
        """See `Allowance`."""
        tokens = {
            Measure.INPUT_TOKENS: used.prompt,
            Measure.OUTPUT_TOKENS: used.completion,
            Measure.TOKENS: used.total,
        }
        await self.store.settle(self.reservation, tokens)


@dataclass(frozen=True, slots=True)
class FreeAllowance:
    """No limit applies."""

    standings: tuple[Standing, ...] = ()
    most_completion_tokens: int | None = None

    async def withdraw(self) -> None:
        """See `Allowance`."""

    async def settle(self, used: TokenCounts) -> None:
        """See `Allowance`."""


_FREE = FreeAllowance()
_MOST_KNOWN = 20_000


@dataclass(frozen=True, slots=True)
class _Known:
    """What binds a caller on an endpoint, and what that was found from."""

    own: Sequence[LimitRule]
    endpoint: ServingEndpoint
    caller: Principal
    binding: Binding

    def is_of(self, own: Sequence[LimitRule], caller: Principal, endpoint: ServingEndpoint) -> bool:
        """Whether nothing changed since."""
        then = self.caller
        is_same_caller = then is caller or (then.groups == caller.groups and then.name == caller.name)
        return self.own is own and self.endpoint is endpoint and is_same_caller


class Limiter:
    """Applies the endpoints' rules, and the operator's, which `own` gives as they are now.

    They are found anew only when something changed: `own` gives the same object until then.
    """

    def __init__(self, store: LimitStore, own: Callable[[], Sequence[LimitRule]]) -> None:
        self._store = store
        self._own = own
        self._known: dict[tuple[str, str], _Known] = {}

    async def reserve(
        self, caller: Principal, endpoint: ServingEndpoint, demand: Demand
    ) -> TakenAllowance | FreeAllowance:
        """See the gateway's port `Limiter`."""
        limits = self._binding(caller, endpoint)
        if not limits:
            return _FREE
        taken = claims_on(limits, demand)
        try:
            reservation = await self._store.reserve(taken)
        except RateLimited as error:
            error.may_fit = may_fit(demand, error.standings)
            raise
        return TakenAllowance(self._store, reservation, _most_completion(taken, demand))

    def _binding(self, caller: Principal, endpoint: ServingEndpoint) -> Binding:
        own, key = self._own(), (caller.id, endpoint.id)
        known = self._known.get(key)
        if known is not None and known.is_of(own, caller, endpoint):
            return known.binding
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        found = binding(own, caller, endpoint)
        self._known[key] = _Known(own, endpoint, caller, found)
        return found


def _most_completion(taken: Sequence[Claim], demand: Demand) -> int | None:
    """What the limits leave of an open-ended answer; None where that is no less than asked."""
    if not demand.is_open_ended:
        return None
    most = demand.completion
    for claim in taken:
        if claim.limit.measure is Measure.OUTPUT_TOKENS:
            most = min(most, claim.amount)
        elif claim.limit.measure is Measure.TOKENS:
            most = min(most, claim.amount - demand.prompt)
    return most if most < demand.completion else None
