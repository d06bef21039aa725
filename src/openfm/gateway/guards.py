"""What a request takes before it is dispatched, of limits and of budgets, and gives back when it left."""

from collections.abc import Sequence
from dataclasses import dataclass

from openfm.core.endpoint import ServedEntity
from openfm.core.spending import Spending
from openfm.core.usage import Demand
from openfm.gateway.ports import Allowance, Budgets, Hold, Limiter


@dataclass(frozen=True, slots=True)
class NoBudgets:
    """Fulfils `Budgets` where nobody has one."""

    async def hold(self, spending: Spending, entities: Sequence[ServedEntity], demand: Demand) -> None:
        """See `Budgets`."""


_NO_BUDGETS = NoBudgets()


@dataclass(frozen=True, slots=True)
class Taken:
    """What one request took."""

    allowance: Allowance
    hold: Hold | None


@dataclass(frozen=True, slots=True)
class Guards:
    """Limits first, for they cost the least to ask; then budgets."""

    limiter: Limiter
    budgets: Budgets = _NO_BUDGETS

    async def admit(self, spending: Spending, entities: Sequence[ServedEntity], demand: Demand) -> Taken:
        """Take the demand of both, or of neither. Raises what `Limiter.reserve` and `Budgets.hold` do."""
        allowance = await self.limiter.reserve(spending.caller, spending.endpoint, demand)
        is_held = False
        try:
            hold = await self.budgets.hold(spending, entities, demand)
            is_held = True
        finally:
            if not is_held:
                await allowance.withdraw()
        return Taken(allowance, hold)
