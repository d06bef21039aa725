"""Clients, gateways, engines, a ledger and budgets whose processes die, and a count beside them that is our own.

What runs is ours: limits, budgets, journals with their disk, the writer, the bookkeeper, the database. What only stands
for something is the engine, which yields tokens when it is told to, and the one process that keeps what gateways share.
"""

import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from openfm.control.budgets.bookkeeping import BudgetBookkeeper
from openfm.control.budgets.service import BudgetBook, BudgetRequest
from openfm.core.budget import BudgetClaim, Spender
from openfm.core.errors import BudgetExceeded, LedgerUnavailable, RateLimited
from openfm.core.ledger import Attempt, Checkpoint, LedgerState
from openfm.core.limits import Claim, Limit, Measure
from openfm.core.price import MICRO, Price, PriceRequest, PriceUnit, Target, TargetKind
from openfm.core.price_book import cost
from openfm.core.principal import Principal
from openfm.core.usage import TokenCounts
from openfm.gateway.idempotency import AlreadyTaken, Attempts
from openfm.limits.budget_store import InProcessBudgets
from openfm.limits.budgets import BudgetState
from openfm.limits.in_process import InProcessLimits
from openfm.limits.key_store import InProcessKeys
from openfm.limits.store import Reservation
from openfm.metering.day_sums import SumKeeper
from openfm.metering.journal import Journal
from openfm.metering.journal_folder import JournalFolder
from openfm.metering.journal_lines import encode
from openfm.metering.price_list import PriceList
from openfm.metering.writer import LedgerWriter, WriterOptions
from tests.contract.limits.simulation import Counted
from tests.unit.metering.events import NOON_US, FailingDisk, entry, settlement
from tests.unit.metering.test_crashes import Crash, CrashingDatabase

LIMITS = {
    "requests/1": Limit("ann", Measure.REQUESTS, 14, 1),
    "tokens/60": Limit("ann", Measure.TOKENS, 30_000, 60),
    "output/60": Limit("team", Measure.OUTPUT_TOKENS, 15_000, 60),
    "tokens/3600": Limit("all callers", Measure.TOKENS, 1_500_000, 3600),
    "places": Limit("ann", Measure.CONCURRENCY, 60, None),
}
_LEASE_S = 30.0
_MOST_GATEWAYS = 8
_ROOM = 1 << 40
_ADMIN = Principal("1", "admin", is_admin=True)
_PRICES = {PriceUnit.PROMPT: MICRO, PriceUnit.COMPLETION: 3 * MICRO}
_CHECKPOINT_TOKENS = 16


@dataclass(slots=True)
class Running:
    """A request under way. `generated` is what the engine made of it, `noted` what its last checkpoint says."""

    request_id: str
    reservation: Reservation
    events: Mapping[str, list[float]]
    holds: Sequence[BudgetClaim]
    worst: int
    prompt: int
    most: int
    generated: int = 0
    delivered: int = 0
    noted: int = 0

    @property
    def billed(self) -> TokenCounts:
        """What was handed to the client."""
        return TokenCounts(self.prompt if self.delivered else 0, self.delivered)


@dataclass(slots=True, eq=False)
class Gateway:
    """A process. `state` is what it knows of budgets; `waiting` are ends that its disk did not take yet."""

    name: str
    journal: Journal
    disk: FailingDisk
    lock: int
    state: BudgetState
    running: list[Running] = field(default_factory=list)
    waiting: dict[str, Running] = field(default_factory=dict)


class Gauge:
    """Fulfils `Gauge`: budgets are looked at here by other means."""

    def budgets_stand(self, shares: Mapping[str, float]) -> None:
        """Nobody looks."""


@dataclass
class Count:
    """What happened."""

    operations: int = 0
    admitted: int = 0
    limited: int = 0
    too_dear: int = 0
    unmetered: int = 0
    repeated: int = 0
    gateways: int = 0
    killed: int = 0
    writer_crashes: int = 0
    jumps: int = 0
    engine_tokens: int = 0


class World:
    """Judges all of it, at each admission and at the end. `billed` is what the ledger must say, by request id."""

    def __init__(self, folder: Path, seed: int, gateways: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311  # a simulation
        self.now, self.time = NOON_US / 1e6, 0.0
        self.count = Count()
        self.database = CrashingDatabase(f"sqlite:///{folder / 'openfm.db'}")
        self.database.migrate()
        self.folder = JournalFolder(folder / "ledger")
        self.limits, self.budgets = InProcessLimits(lambda: self.now), InProcessBudgets()
        self.attempts, self.keys = Attempts(InProcessKeys(lambda: self.now)), list[Attempt]()
        self.windows = {name: Counted(one.window_s) for name, one in LIMITS.items() if one.window_s is not None}
        self.orphans: list[tuple[float, Reservation]] = []
        self.closed: dict[str, int] = {}
        self.open: dict[str, int] = {}
        self.billed: dict[str, TokenCounts] = {}
        self.generated: dict[str, int] = {}
        self.lost = 0
        self.price = self._price()
        self.book = self._budget_book()
        self.keeper = BudgetBookkeeper(self.database, self.book, self.budgets, Gauge())
        self.sums = SumKeeper(self.database)
        self.writer = LedgerWriter(self.database, self.folder)
        self.gateways = [self._gateway() for _ in range(gateways)]

    @property
    def now_us(self) -> int:
        """The clock that everybody reads."""
        return round(self.now * 1e6)

    def _price(self) -> Price:
        request = PriceRequest(Target(TargetKind.ENDPOINT, "chat"), "USD", _PRICES, NOON_US - 10**13)
        return PriceList(self.database, lambda: self.now_us, lambda _: lambda: None).set(request, _ADMIN)

    def _budget_book(self) -> BudgetBook:
        book = BudgetBook(self.database, lambda: self.now_us)
        book.set(BudgetRequest("month", "8", "USD"))
        book.set(BudgetRequest("day", "0.3", "USD", period="day"))
        book.set(BudgetRequest("red", "0.12", "USD", scope="tag", target="team=red", period="day"))
        return book

    def _gateway(self) -> Gateway:
        self.count.gateways += 1
        name, disk = f"g{self.count.gateways}", FailingDisk()
        lock = self.folder.hold(name)
        journal = Journal(name, self.folder, disk, 1 << 20)
        return Gateway(name, journal, disk, lock, self.book.state)

    async def come(self, gateway: Gateway) -> None:
        """A request comes: from what it takes to what is on record, or back out by the same way."""
        chance = self.chance
        key = await self._key()
        if key is None:
            return
        prompt, most = chance.randrange(5, 120), chance.randrange(1, 64)
        request_id = f"r{self.count.operations}"
        claims = [Claim(name, limit, _amount(limit, prompt, most)) for name, limit in LIMITS.items()]
        try:
            reservation = await self.limits.reserve(claims)
        except RateLimited:
            self.count.limited += 1
            await self.attempts.forget(key)
            return
        events = {
            one.key: self.windows[one.key].add(self.time, one.amount) for one in claims if one.key in self.windows
        }
        worst = prompt * MICRO + most * 3 * MICRO
        one = Running(request_id, reservation, events, self._claims(gateway, worst), worst, prompt, most)
        if not await self._put_on_record(gateway, one):
            await self.attempts.forget(key)
            await self._give_back(one, 0, 0)
            return
        self._judge(one)
        gateway.running.append(one)
        self.keys.append(key)
        self.count.admitted += 1

    async def _key(self) -> Attempt | None:
        """A new key; None where a client sends one again, which is taken once."""
        if self.keys and self.chance.random() < 0.05:
            again = self.chance.choice(self.keys)
            try:
                await self.attempts.begin(again, "again")
            except AlreadyTaken:
                self.count.repeated += 1
                return None
            await self.attempts.forget(again)  # it was longer ago than keys are remembered: clocks jump
            return None
        key = Attempt(f"k{self.count.operations}", "body")
        await self.attempts.begin(key, key.key)
        return key

    def _claims(self, gateway: Gateway, worst: int) -> Sequence[BudgetClaim]:
        spender, state = (
            Spender("7", frozenset(), "e" * 32, {"team": self.chance.choice(["red", "blue"])}),
            gateway.state,
        )
        claims = []
        for budget in state.budgets:
            if budget.covers(spender):
                start_us = budget.period.span_us(self.now_us)[0]
                claims.append(BudgetClaim(budget, start_us, worst, state.spent_of(budget.key(start_us))))
        return claims

    async def _put_on_record(self, gateway: Gateway, one: Running) -> bool:
        try:
            await self.budgets.take(one.request_id, one.holds, self.now_us)
            if self.chance.random() < 0.02:  # it did not hear the answer
                await self.budgets.take(one.request_id, one.holds, self.now_us)
        except BudgetExceeded:
            self.count.too_dear += 1
            return False
        is_red = any(claim.budget.name == "red" for claim in one.holds)
        asked = entry(one.request_id, received_us=self.now_us)
        try:
            gateway.journal.reserve(replace(asked, tags=(("team", "red" if is_red else "blue"),)))
        except LedgerUnavailable:
            self.count.unmetered += 1
            await self.budgets.settle(one.request_id, {})
            return False
        self._landed(gateway)
        self.billed[one.request_id], self.generated[one.request_id] = TokenCounts(), 0
        for claim in one.holds:
            self.open[claim.key] = self.open.get(claim.key, 0) + one.worst
        return True

    def _judge(self, one: Running) -> None:
        """No window is above its limit, no budget is passed, no reservation is negative."""
        for name in one.events:
            within = self.windows[name].within(self.time)
            assert within <= LIMITS[name].amount, f"{name}: {within} in a window"
        for standing in one.reservation.standings:
            assert 0 <= standing.used <= standing.limit.amount
        for claim in one.holds:
            most = self.closed.get(claim.key, 0) + self.open[claim.key]
            assert most <= claim.budget.amount_pico, f"{claim.budget.name} was passed"
            assert self.budgets.held_pico(claim.key) >= self.open[claim.key] >= 0

    def step(self, gateway: Gateway) -> None:
        """The engine makes some tokens of a request; what it made before is handed to the client."""
        if not gateway.running:
            return
        one = self.chance.choice(gateway.running)
        one.delivered = one.generated
        made = min(self.chance.randrange(1, 9), one.most - one.generated)
        one.generated += made
        self.count.engine_tokens += made
        if one.delivered - one.noted >= _CHECKPOINT_TOKENS:
            is_kept = gateway.disk.room > 1000 and gateway.journal.is_available
            gateway.journal.note(Checkpoint(one.request_id, one.billed, self.now_us))
            one.noted = one.delivered
            if is_kept:
                self.billed[one.request_id], self.generated[one.request_id] = one.billed, one.delivered

    async def end(self, gateway: Gateway) -> None:
        """A request ends: its answer is whole, or its client left with the engine one step ahead."""
        if not gateway.running:
            return
        one = gateway.running.pop(self.chance.randrange(len(gateway.running)))
        is_whole = self.chance.random() < 0.7
        if is_whole:
            one.delivered = one.generated
        state = LedgerState.SETTLED if is_whole else LedgerState.ABORTED
        made = settlement(one.request_id, one.billed, state)
        gateway.waiting[one.request_id] = one
        self._close(one)
        gateway.journal.settle(replace(made, generated=TokenCounts(one.prompt, one.generated)))
        self._landed(gateway)
        pico = cost(one.billed, self.price)
        await self.budgets.settle(one.request_id, {claim.key: pico for claim in one.holds})
        await self._give_back(one, one.billed.prompt, one.billed.completion)

    def _close(self, one: Running) -> None:
        """What it costs is fixed, unless its end is lost: then it is less."""
        pico = cost(one.billed, self.price)
        for claim in one.holds:
            self.open[claim.key] -= one.worst
            self.closed[claim.key] = self.closed.get(claim.key, 0) + pico

    async def _give_back(self, one: Running, prompt: int, completion: int) -> None:
        used = {
            Measure.OUTPUT_TOKENS: completion,
            Measure.TOKENS: prompt + completion,
        }
        await self.limits.settle(one.reservation, used)
        for name, event in one.events.items():
            measure = LIMITS[name].measure
            if measure in used and used[measure] < event[1]:
                self.windows[name].give_back(event, event[1] - used[measure])

    def _landed(self, gateway: Gateway) -> None:
        if gateway.journal.is_available and gateway.waiting:
            self._taken(gateway)

    def _taken(self, gateway: Gateway) -> None:
        for request_id, one in gateway.waiting.items():
            self.billed[request_id], self.generated[request_id] = one.billed, one.generated
        gateway.waiting.clear()

    def crash(self, index: int) -> None:
        """A gateway is killed, perhaps while it writes; what it took of limits is held until its leases end."""
        gone = self.gateways[index]
        for one in gone.running:
            self.orphans.append((self.time + _LEASE_S, one.reservation))
            self.lost += one.generated - self.generated[one.request_id]
            known = self.billed[one.request_id]
            for claim in one.holds:
                self.open[claim.key] -= one.worst
                self.closed[claim.key] = self.closed.get(claim.key, 0) + cost(known, self.price)
        for one in gone.waiting.values():
            self.lost += one.generated - self.generated[one.request_id]
            too_much = cost(one.billed, self.price) - cost(self.billed[one.request_id], self.price)
            for claim in one.holds:
                self.closed[claim.key] -= too_much
        journals = self.folder.gateways()[gone.name]
        if journals:
            line = encode(entry(f"never-{gone.name}"))
            with journals[-1].open("ab") as file:
                file.write(line[: self.chance.randrange(len(line))])
        os.close(gone.lock)
        self.count.killed += 1
        del self.gateways[index]

    def start(self) -> None:
        """Gateways are started: at least one, and at most eight."""
        for _ in range(self.chance.randrange(3)):
            if len(self.gateways) < _MOST_GATEWAYS:
                self.gateways.append(self._gateway())
        if not self.gateways:
            self.gateways.append(self._gateway())

    def trouble(self, gateway: Gateway) -> None:
        """The disk is full, or loses what it had taken, until somebody looks after it."""
        if self.chance.random() < 0.5:
            gateway.disk.room = self.chance.randrange(60)
        else:
            gateway.disk.broken.add("sync")
        gateway.journal.sync()
        if gateway.disk.room > 1000:  # what waited is written, even where it cannot be synced
            self._taken(gateway)

    async def pass_time(self) -> None:
        """Some time; now and then the clock jumps ahead, or back, when no time passes."""
        step = self.chance.expovariate(1 / 0.3)
        if self.chance.random() < 0.01:
            self.count.jumps += 1
            step = self.chance.choice([3600.0, 8 * 3600.0, -60.0, -7200.0])
        self.now += step
        self.time += max(0.0, step)
        while self.orphans and self.orphans[0][0] <= self.time:
            await self.limits.settle(self.orphans.pop(0)[1], {})

    async def account(self) -> None:
        """The control server works: its writer may die anywhere, and is started anew."""
        if self.chance.random() < 0.3:
            self.database.countdown = self.chance.randrange(1, 12)
        try:
            self.writer.step()
        except Crash:
            self.count.writer_crashes += 1
            self.writer = LedgerWriter(self.database, self.folder, WriterOptions(batch_bytes=1 << 18))
        finally:
            self.database.countdown = _ROOM
        await self.keeper.turn()
        self.sums.step()

    async def tidy(self) -> None:
        """What is left over is let go; gateways read the database again; somebody makes room on the disks."""
        self.writer.drain()  # as it is within two seconds: what has no row hours later never will
        await self.keeper.sweep(self.now_us)
        for gateway in self.gateways:
            gateway.state = self.book.state
            self._mend(gateway)

    def _mend(self, gateway: Gateway) -> None:
        gateway.disk.room, gateway.disk.broken = _ROOM, set()
        gateway.journal.sync()
        self._taken(gateway)

    async def operate(self) -> None:
        """One of all these."""
        self.count.operations += 1
        chance, number = self.chance.random(), self.count.operations
        index = self.chance.randrange(len(self.gateways))
        gateway = self.gateways[index]
        if chance < 0.16:
            await self.come(gateway)
        elif chance < 0.80:
            self.step(gateway)
        elif chance < 0.93:
            await self.end(gateway)
        elif chance < 0.9995:
            await self.pass_time()
        elif chance < 0.9998:
            self.trouble(gateway)
        else:
            self.crash(index)
            self.start()
        if number % 2000 == 0:
            await self.account()
        if number % 5000 == 0:
            await self.tidy()

    async def close(self) -> None:
        """Everybody is killed; then the books are closed."""
        while self.gateways:
            self.crash(0)
        self.writer.drain()
        while await self.keeper.turn():
            pass
        while self.sums.step():
            pass


def _amount(limit: Limit, prompt: int, most: int) -> int:
    match limit.measure:
        case Measure.TOKENS:
            return prompt + most
        case Measure.OUTPUT_TOKENS:
            return most
        case _:
            return 1
