"""Whatever crashes, fills up or comes twice: each request is billed once, and what was last known to be delivered."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from sqlalchemy import Connection, select

from openfm.core.errors import LedgerUnavailable
from openfm.core.ledger import Checkpoint, LedgerState
from openfm.core.price import MICRO, PriceRequest, PriceUnit, Target, TargetKind
from openfm.core.price_book import FREE, cost
from openfm.core.principal import Principal
from openfm.core.usage import TokenCounts
from openfm.metering.journal import Journal
from openfm.metering.journal_folder import JournalFolder
from openfm.metering.journal_lines import encode
from openfm.metering.price_list import PriceList
from openfm.metering.writer import LedgerWriter, WriterOptions
from openfm.store.budget_tables import ledger_readers
from openfm.store.database import Database, TakeOver
from openfm.store.ledger_tables import journal_positions, ledger, prices
from openfm.store.tables import metadata
from openfm.store.usage_tables import ledger_days, ledger_sums, unit_hours
from tests.unit.metering.events import NOON_US, FailingDisk, entry, settlement

_ROOM = 1 << 40
_TABLES = [ledger, journal_positions, prices, ledger_days, ledger_sums, ledger_readers, unit_hours]
_ADMIN = Principal("1", "admin", is_admin=True)


class Crash(Exception):
    """The writer's process ends here."""


class CrashingDatabase(Database):
    """Ends the process just before or just after a commit, when the countdown is over."""

    countdown = _ROOM

    @contextmanager
    def transaction(self, take_over: TakeOver | None = None) -> Iterator[Connection]:
        """See `Database`."""
        with super().transaction(take_over) as connection:
            yield connection
            self._tick()
        self._tick()

    def _tick(self) -> None:
        self.countdown -= 1
        if self.countdown == 0:
            raise Crash


@dataclass
class Gateway:
    """A process with a journal. `waiting` are ends that the disk did not take yet."""

    name: str
    journal: Journal
    disk: FailingDisk
    lock: int
    open: list[str] = field(default_factory=list)
    waiting: dict[str, TokenCounts] = field(default_factory=dict)

    @property
    def takes(self) -> bool:
        """Whether the operating system takes a line."""
        return self.disk.room > 1000


class LedgerMachine(RuleBasedStateMachine):
    """Gateways that reserve, checkpoint, settle, fill their disks and die, and a writer that dies as often."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp())
        self.folder = JournalFolder(self.home / "ledger")
        self.database = CrashingDatabase(f"sqlite:///{self.home / 'openfm.db'}")
        with self.database.transaction() as connection:
            metadata.create_all(connection, _TABLES)
        self.gateways: list[Gateway] = []
        self.started = 0
        self.delivered: dict[str, TokenCounts] = {}
        self.known: dict[str, TokenCounts] = {}
        self.now_us = NOON_US
        self.writer = self._writer(1 << 20)

    def _writer(self, batch_bytes: int) -> LedgerWriter:
        return LedgerWriter(self.database, self.folder, WriterOptions(batch_bytes))

    @precondition(lambda self: len(self.gateways) < 3)
    @rule(segment_bytes=st.sampled_from([1, 1500, 1 << 20]))
    def start_a_gateway(self, segment_bytes: int) -> None:
        """A process starts."""
        self.started += 1
        name, disk = f"g{self.started}", FailingDisk()
        lock = self.folder.hold(name)
        self.gateways.append(Gateway(name, Journal(name, self.folder, disk, segment_bytes), disk, lock))

    @precondition(lambda self: self.gateways)
    @rule(data=st.data())
    def reserve(self, data: st.DataObject) -> None:
        """A request comes; it is served only when it is on record."""
        gateway = data.draw(st.sampled_from(self.gateways))
        request_id = f"r{len(self.delivered)}"
        self.now_us += data.draw(st.integers(-5, 10))
        try:
            gateway.journal.reserve(entry(request_id, received_us=self.now_us))
        except LedgerUnavailable:
            assert not gateway.takes or "sync" in gateway.disk.broken
            return
        assert gateway.takes
        self._landed(gateway)
        gateway.open.append(request_id)
        self.delivered[request_id] = self.known[request_id] = TokenCounts()

    @precondition(lambda self: any(gateway.open for gateway in self.gateways))
    @rule(data=st.data(), tokens=st.integers(0, 9))
    def deliver(self, data: st.DataObject, tokens: int) -> None:
        """A stream goes on, and a checkpoint says so."""
        gateway = data.draw(st.sampled_from([one for one in self.gateways if one.open]))
        request_id = data.draw(st.sampled_from(gateway.open))
        self.delivered[request_id] = TokenCounts(10, self.delivered[request_id].completion + tokens)
        is_kept = gateway.takes and gateway.journal.is_available
        gateway.journal.note(Checkpoint(request_id, self.delivered[request_id], self.now_us))
        if is_kept:
            self.known[request_id] = self.delivered[request_id]

    @precondition(lambda self: any(gateway.open for gateway in self.gateways))
    @rule(data=st.data(), state=st.sampled_from([LedgerState.SETTLED, LedgerState.ABORTED]))
    def settle(self, data: st.DataObject, state: LedgerState) -> None:
        """A request ends."""
        gateway = data.draw(st.sampled_from([one for one in self.gateways if one.open]))
        request_id = data.draw(st.sampled_from(gateway.open))
        gateway.open.remove(request_id)
        gateway.waiting[request_id] = self.delivered[request_id]
        gateway.journal.settle(settlement(request_id, self.delivered[request_id], state))
        if gateway.journal.is_available:
            self._landed(gateway)

    @precondition(lambda self: self.gateways)
    @rule(data=st.data(), room=st.integers(0, 300))
    def fill_the_disk(self, data: st.DataObject, room: int) -> None:
        """Less room than any line needs is left, so the next one tears."""
        gateway = data.draw(st.sampled_from(self.gateways))
        gateway.disk.room = min(room, 60)
        if data.draw(st.booleans()):
            gateway.disk.broken.add("truncate")

    @precondition(lambda self: self.gateways)
    @rule(data=st.data())
    def break_sync(self, data: st.DataObject) -> None:
        """The disk loses what it had taken."""
        gateway = data.draw(st.sampled_from(self.gateways))
        gateway.disk.broken.add("sync")
        gateway.journal.sync()
        if gateway.takes:
            self._landed(gateway)

    @precondition(lambda self: self.gateways)
    @rule(data=st.data())
    def mend_the_disk(self, data: st.DataObject) -> None:
        """All is well again by the next sync."""
        gateway = data.draw(st.sampled_from(self.gateways))
        gateway.disk.room, gateway.disk.broken = _ROOM, set()
        gateway.journal.sync()
        assert gateway.journal.is_available
        self._landed(gateway)

    @precondition(lambda self: self.gateways)
    @rule(data=st.data(), torn=st.integers(0, 400))
    def kill_a_gateway(self, data: st.DataObject, torn: int) -> None:
        """A process ends, perhaps in the middle of a write of something that was never dispatched."""
        gateway = data.draw(st.sampled_from(self.gateways))
        self.gateways.remove(gateway)
        journals = self.folder.gateways()[gateway.name]
        if journals:
            line = encode(entry(f"never-{gateway.name}"))
            with journals[-1].open("ab") as file:
                file.write(line[: min(torn, len(line) - 1)])
        os.close(gateway.lock)

    @precondition(lambda self: self.gateways)
    @rule(data=st.data())
    def close_a_gateway(self, data: st.DataObject) -> None:
        """A process ends as it should."""
        gateway = data.draw(st.sampled_from(self.gateways))
        self.gateways.remove(gateway)
        is_good = gateway.takes
        gateway.journal.close()
        if is_good:
            self._landed(gateway)
        os.close(gateway.lock)

    @rule(countdown=st.integers(1, 12), batch_bytes=st.sampled_from([1, 700, 1 << 20]))
    def write_and_crash(self, countdown: int, batch_bytes: int) -> None:
        """The writer works, ends anywhere, and starts anew."""
        self.database.countdown = countdown
        try:
            self._writer(batch_bytes).step()
        except Crash:
            pass
        finally:
            self.database.countdown = _ROOM

    @rule()
    def write(self) -> None:
        """The writer that lives on works."""
        self.writer.step()

    @rule(amount=st.integers(0, 5), kind=st.sampled_from(TargetKind))
    def set_a_price(self, amount: int, kind: TargetKind) -> None:
        """From now on something else is charged."""
        target = Target(kind, "chat" if kind is TargetKind.ENDPOINT else "system.ai.smol")
        request = PriceRequest(target, "USD", {PriceUnit.PROMPT: amount * MICRO, PriceUnit.COMPLETION: MICRO // 3})
        PriceList(self.database, lambda: self.now_us, lambda _: lambda: None).set(request, _ADMIN)

    def teardown(self) -> None:
        """Everybody dies; then the books are closed and looked at."""
        for gateway in self.gateways:
            os.close(gateway.lock)
        self.writer.drain()
        with self.database.transaction() as connection:
            rows = connection.execute(select(ledger)).all()
        book = {price.version: price for price in PriceList(self.database, lambda: 0, lambda _: lambda: None).all()}
        billed = {row.request_id: TokenCounts(row.billed_prompt, row.billed_completion) for row in rows}
        assert billed == self.known
        assert all(billed[name].completion <= self.delivered[name].completion for name in billed)
        assert {row.state for row in rows} <= {LedgerState.SETTLED, LedgerState.ABORTED}
        assert sorted(row.closing_number for row in rows) == list(range(1, len(rows) + 1))
        for row in rows:
            price = book.get(row.price_version, FREE)
            assert (row.cost_pico, row.currency) == (cost(billed[row.request_id], price), price.currency)
            assert price.effective_from_us <= row.received_us
        assert list(self.folder.path.glob("*")) == []
        self.database.close()
        shutil.rmtree(self.home)

    def _landed(self, gateway: Gateway) -> None:
        self.known |= gateway.waiting
        gateway.waiting.clear()


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(max_examples=100, stateful_step_count=60)
