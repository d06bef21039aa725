"""What the gateway asks before each request that may cost something: fulfils its port `Budgets`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from openfm.core.budget import Budget, BudgetClaim, Spender, Spent, worst_cost
from openfm.core.endpoint import ServedEntity, ServingEndpoint
from openfm.core.errors import BudgetExceeded
from openfm.core.price import Price
from openfm.core.price_book import cost, token_price
from openfm.core.spending import Spending
from openfm.core.usage import Demand, TokenCounts
from openfm.limits.budget_store import BudgetStore


@dataclass(frozen=True, slots=True)
class BudgetState:
    """The budgets, and what is spent of them by `Budget.key`: all as of one moment.

    `number` grows from one to the next; `rows` is the closing number up to which the ledger's rows are among it.
    """

    budgets: tuple[Budget, ...] = ()
    spent: Mapping[str, int] = field(default_factory=dict)
    number: int = 0
    rows: int = 0

    def spent_of(self, key: str) -> Spent:
        """What is spent of one period."""
        return Spent(self.number, self.spent.get(key, 0))


class Prices(Protocol):
    """Knows what tokens cost, from memory."""

    def price(self, endpoint_name: str, entity_name: str, at_us: int) -> Price:
        """The price of a request that was received then (microseconds since the epoch)."""
        ...


@dataclass(frozen=True, slots=True)
class HeldMoney:
    """What one request holds of its budgets. See the gateway's port `Hold`."""

    store: BudgetStore
    prices: Prices
    spending: Spending
    claims: Sequence[BudgetClaim]

    async def settle(self, entity: ServedEntity, billed: TokenCounts) -> None:
        """See `Hold`."""
        order = self.spending
        price = _token_price(self.prices, order.endpoint, entity, order.received_us)
        pico = cost(billed, price)
        costs = {one.key: pico for one in self.claims if pico and one.budget.currency == price.currency}
        await self.store.settle(order.request_id, costs)


class BudgetKeeper:
    """Holds what requests may cost; `state` gives the budgets as they are now."""

    def __init__(self, store: BudgetStore, state: Callable[[], BudgetState], prices: Prices) -> None:
        self._store = store
        self._state = state
        self._prices = prices

    async def hold(self, spending: Spending, entities: Sequence[ServedEntity], demand: Demand) -> HeldMoney | None:
        """See the gateway's port `Budgets`."""
        state = self._state()
        if not state.budgets:
            return None
        claims = self._claims(state, spending, entities, demand)
        if not claims:
            return None
        try:
            await self._store.take(spending.request_id, claims, spending.received_us)
        except BudgetExceeded as error:
            if demand.least_prompt is not None:
                least = self._claims(state, spending, entities, demand.least)
                error.may_fit = any(
                    one.budget.name == error.budget and one.amount_pico <= error.left_pico for one in least
                )
            raise
        return HeldMoney(self._store, self._prices, spending, claims)

    def _claims(
        self, state: BudgetState, spending: Spending, entities: Sequence[ServedEntity], demand: Demand
    ) -> Sequence[BudgetClaim]:
        worst = self._worst(spending.endpoint, entities, spending.received_us, demand)
        caller = spending.caller
        spender = Spender(caller.id, caller.groups, spending.endpoint.id, spending.tags)
        claims = []
        for budget in state.budgets:
            amount = worst.get(budget.currency, 0)
            if amount and budget.covers(spender):
                start_us = budget.period.span_us(spending.received_us)[0]
                claims.append(BudgetClaim(budget, start_us, amount, state.spent_of(budget.key(start_us))))
        return claims

    def _worst(
        self, endpoint: ServingEndpoint, entities: Sequence[ServedEntity], at_us: int, demand: Demand
    ) -> Mapping[str, int]:
        """The most that whoever of them answers can cost, by currency."""
        worst: dict[str, int] = {}
        for entity in entities:
            price = _token_price(self._prices, endpoint, entity, at_us)
            worst[price.currency] = max(worst.get(price.currency, 0), worst_cost(demand, price))
        return worst


def _token_price(prices: Prices, endpoint: ServingEndpoint, entity: ServedEntity, at_us: int) -> Price:
    price = prices.price(endpoint.name, entity.entity_name, at_us)
    return token_price(price, is_provisioned=entity.settings.is_provisioned)
