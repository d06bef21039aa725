"""Where the reservations of budgets are kept: in this process, or shared by several.

What a request may cost is held from before it is dispatched until its row of the ledger is counted as spent; in
between, when it ends, it shrinks to what it cost. So spent and held together are never less than what the requests
cost, however late the ledger is read. Held and spent may for a moment both have a request: then there is less room,
never more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from openfm.core.budget import BudgetAction, BudgetClaim, Spent


@dataclass(frozen=True, slots=True)
class Booked:
    """Rows of the ledger were counted: how much is spent since, by `Budget.key`, and whose requests they were."""

    spent: Mapping[str, Spent] = field(default_factory=dict)
    request_ids: Sequence[str] = ()


class BudgetStore(Protocol):
    """Reservations, by request id. Claims of one call have different keys."""

    async def take(self, request_id: str, claims: Sequence[BudgetClaim], now_us: int) -> None:
        """Hold all claims at once, or none; what the request holds already counts.

        Raises `BudgetExceeded`.
        """
        ...

    async def settle(self, request_id: str, costs: Mapping[str, int]) -> None:
        """The request left, and cost so much, by key: the rest is given back."""
        ...

    async def book(self, booked: Booked) -> None:
        """What these requests cost is among what is spent: they hold nothing any more."""
        ...

    async def held_since(self, before_us: int) -> Sequence[str]:
        """Requests that have held something since before then."""
        ...

    async def forget(self, before_us: int) -> None:
        """Forget periods that began before then, where nothing is held."""
        ...


class InProcessBudgets:
    """Fulfils `BudgetStore`. Nothing here waits, so no two requests are between looking and taking."""

    def __init__(self) -> None:
        self._spent: dict[str, Spent] = {}
        self._held: dict[str, int] = {}
        self._holds: dict[str, dict[str, int]] = {}
        self._since: dict[str, int] = {}

    async def take(self, request_id: str, claims: Sequence[BudgetClaim], now_us: int) -> None:
        """See `BudgetStore`."""
        own = self._holds.get(request_id, {})
        for claim in claims:
            has = own.get(claim.key, 0)
            used = self._adopted(claim).pico + self._held.get(claim.key, 0) - has
            is_short = used + claim.amount_pico > claim.budget.amount_pico and claim.amount_pico > has
            if is_short and claim.budget.action is BudgetAction.STOP:
                raise claim.refusal(used, now_us)
        self._since.setdefault(request_id, now_us)
        self._hold(request_id, own | {one.key: max(one.amount_pico, own.get(one.key, 0)) for one in claims})

    async def settle(self, request_id: str, costs: Mapping[str, int]) -> None:
        """See `BudgetStore`."""
        own = self._holds.get(request_id)
        if own is not None:
            self._hold(request_id, {key: costs.get(key, 0) for key in own})

    async def book(self, booked: Booked) -> None:
        """See `BudgetStore`."""
        for key, spent in booked.spent.items():
            if key not in self._spent or self._spent[key].number <= spent.number:
                self._spent[key] = spent
        for request_id in booked.request_ids:
            if request_id in self._holds:
                self._hold(request_id, {})

    async def held_since(self, before_us: int) -> Sequence[str]:
        """See `BudgetStore`."""
        return [request_id for request_id, since_us in self._since.items() if since_us < before_us]

    async def forget(self, before_us: int) -> None:
        """See `BudgetStore`."""
        for key in [key for key in self._spent if start_of(key) < before_us and key not in self._held]:
            del self._spent[key]

    def held_pico(self, key: str) -> int:
        """What is held of it."""
        return self._held.get(key, 0)

    def _adopted(self, claim: BudgetClaim) -> Spent:
        known = self._spent.get(claim.key)
        if known is None or known.number < claim.spent.number:
            known = self._spent[claim.key] = claim.spent
        return known

    def _hold(self, request_id: str, amounts: Mapping[str, int]) -> None:
        """The request holds these instead of what it held."""
        for key, amount in self._holds.pop(request_id, {}).items():
            self._add(key, -amount)
        kept = {key: amount for key, amount in amounts.items() if amount}
        for key, amount in kept.items():
            self._add(key, amount)
        if kept:
            self._holds[request_id] = kept
        else:
            self._since.pop(request_id, None)

    def _add(self, key: str, amount: int) -> None:
        held = self._held.get(key, 0) + amount
        if held:
            self._held[key] = held
        else:
            self._held.pop(key, None)


def start_of(key: str) -> int:
    """When the period of a key began."""
    return int(key.rpartition("/")[2])
