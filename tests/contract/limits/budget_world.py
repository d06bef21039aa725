"""Gateways, a ledger, its bookkeeper and a clock that jumps, beside a count of our own: every admission is judged."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from openfm.core.budget import Budget, BudgetClaim, BudgetPeriod, BudgetScope, Spent
from openfm.core.errors import BudgetExceeded
from openfm.limits.budget_store import Booked, BudgetStore

AMOUNT = 10**18 + 7
"""More than a double is exact to."""

BUDGETS = (
    Budget("all", "all", BudgetScope.ALL, AMOUNT, "USD", BudgetPeriod.MONTH),
    Budget("day", "day", BudgetScope.ALL, AMOUNT // 3, "USD", BudgetPeriod.DAY),
    Budget("team", "team", BudgetScope.ALL, AMOUNT // 2 + 1, "USD", BudgetPeriod.DAY),
)


@dataclass
class Running:
    """A request under way."""

    request_id: str
    gateway: int
    claims: Sequence[BudgetClaim]
    worst: int
    is_on_record: bool = False


@dataclass
class Row:
    """A closed row of the ledger."""

    request_id: str
    keys: Sequence[str]
    cost: int


@dataclass
class World:
    """Judges a store that several gateways use. `counted` is what the bookkeeper's database says, and its number."""

    gateways: list[BudgetStore]
    now_us: int
    running: list[Running] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    counted: dict[str, int] = field(default_factory=dict)
    number: int = 0
    snapshots: dict[int, tuple[dict[str, int], int]] = field(default_factory=dict)
    admitted: int = 0
    refused: int = 0
    last_id: int = 0

    async def ask(self, gateway: int, amounts: Sequence[int], worst: int) -> None:
        """A request comes to a gateway, which may know what is spent as of long ago."""
        gateway %= len(self.gateways)
        self.last_id += 1
        spent, number = self.snapshots.get(gateway, ({}, 0))
        claims = []
        for budget in (BUDGETS[n] for n in amounts):
            start_us = budget.period.span_us(self.now_us)[0]
            claims.append(BudgetClaim(budget, start_us, worst, Spent(number, spent.get(budget.key(start_us), 0))))
        request_id = f"r{self.last_id}"
        try:
            await self.gateways[gateway].take(request_id, claims, self.now_us)
        except BudgetExceeded:
            self.refused += 1
            return
        self.admitted += 1
        self.running.append(Running(request_id, gateway, claims, worst))
        for claim in claims:
            assert self.most(claim.key) <= claim.budget.amount_pico, "a budget was passed"

    async def again(self, which: int) -> None:
        """The gateway did not hear the answer, and asks for the same once more."""
        if self.running:
            one = self.running[which % len(self.running)]
            await self.gateways[one.gateway].take(one.request_id, one.claims, self.now_us)

    async def end(self, which: int, share: float) -> None:
        """A request ends, having cost a share of the most it could; its row is closed."""
        if self.running:
            one = self.running.pop(which % len(self.running))
            cost = int(one.worst * share)
            self._close(one, cost)
            await self.gateways[one.gateway].settle(one.request_id, {claim.key: cost for claim in one.claims})

    async def refuse(self, which: int) -> None:
        """A request leaves before it was on record: it cost nothing, and has no row."""
        if self.running:
            one = self.running.pop(which % len(self.running))
            await self.gateways[one.gateway].settle(one.request_id, {})

    def crash(self, gateway: int, share: float) -> None:
        """A gateway is killed; what it ran is closed by its last checkpoints, and it tells nobody."""
        gateway %= len(self.gateways)
        for one in [one for one in self.running if one.gateway == gateway]:
            self.running.remove(one)
            self._close(one, int(one.worst * share))

    def count(self, most: int) -> Booked:
        """The bookkeeper counts rows in its database; what it has to tell the store."""
        rows = self.rows[self.number : self.number + most]
        self.number += len(rows)
        touched = set()
        for row in rows:
            for key in row.keys:
                self.counted[key] = self.counted.get(key, 0) + row.cost
                touched.add(key)
        spent = {key: Spent(self.number, self.counted[key]) for key in touched}
        return Booked(spent, [row.request_id for row in rows])

    def look(self, gateway: int) -> None:
        """A gateway reads the database again."""
        self.snapshots[gateway % len(self.gateways)] = (dict(self.counted), self.number)

    async def sweep(self, gateway: int) -> None:
        """The bookkeeper looks for what was counted and is held still."""
        store = self.gateways[gateway % len(self.gateways)]
        counted = {row.request_id for row in self.rows[: self.number]}
        gone = [one for one in await store.held_since(self.now_us + 1) if one in counted]
        await store.book(Booked({key: Spent(self.number, pico) for key, pico in self.counted.items()}, gone))
        await store.forget(self.now_us - 62 * 24 * 3600 * 1_000_000)

    def most(self, key: str) -> int:
        """What requests of that period cost, and can still cost."""
        closed = sum(row.cost for row in self.rows if key in row.keys)
        return closed + sum(one.worst for one in self.running if any(claim.key == key for claim in one.claims))

    def _close(self, one: Running, cost: int) -> None:
        self.rows.append(Row(one.request_id, [claim.key for claim in one.claims], cost))
