"""Every journal event is in the ledger once."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from openfm.core.ledger import Checkpoint, LedgerState
from openfm.core.usage import TokenCounts
from openfm.metering.journal import open_journal
from openfm.metering.journal_folder import JournalFolder
from openfm.metering.journal_lines import encode
from openfm.metering.writer import LedgerWriter, WriterOptions
from openfm.store.database import Database
from openfm.store.ledger_tables import journal_positions, ledger
from tests.unit.metering.events import NOON_US, clock_us, entry, journal_in, settlement


@pytest.fixture
def folder(tmp_path: Path) -> JournalFolder:
    return JournalFolder(tmp_path / "ledger")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'openfm.db'}")
    opened.migrate()
    yield opened
    opened.close()


def rows(database: Database) -> list[Any]:
    with database.transaction() as connection:
        return list(connection.execute(select(ledger).order_by(ledger.c.request_id)))


def in_a_gateway_of_its_own(folder: JournalFolder, events: list[bytes]) -> None:
    """A gateway that wrote these bytes and died."""
    folder.path.mkdir(exist_ok=True)
    (folder.path / "dead.00000001.journal").write_bytes(b"".join(events))


def test_a_request_is_a_row_from_its_reservation_to_its_end(folder: JournalFolder, database: Database) -> None:
    journal, writer = open_journal(folder, clock_us), LedgerWriter(database, folder)
    journal.reserve(entry())
    assert writer.step() == 1
    (row,) = rows(database)
    assert (row.state, row.currency, row.closing_number, row.tags) == ("RESERVED", None, None, {"team": "red"})
    journal.checkpoint("r1", TokenCounts(10, 2))
    writer.step()
    assert rows(database)[0].billed_completion == 2
    journal.settle(settlement())
    writer.step()
    (row,) = rows(database)
    assert (row.state, row.billed_prompt, row.billed_completion) == ("SETTLED", 10, 5)
    assert (row.cost_pico, row.currency, row.price_version, row.closing_number) == (0, "DBU", 0, 1)
    assert writer.lag_bytes == 0
    journal.close()
    writer.drain()
    assert len(rows(database)) == 1


def test_what_a_dead_gateway_left_open_is_closed_and_billed_by_its_last_checkpoint(
    folder: JournalFolder, database: Database
) -> None:
    journal = open_journal(folder, clock_us)
    for name in ("none", "some"):
        journal.reserve(entry(name))
    journal.checkpoint("some", TokenCounts(10, 1))
    journal.checkpoint("some", TokenCounts(10, 3))
    writer = LedgerWriter(database, folder)
    writer.step()
    assert {row.state for row in rows(database)} == {"RESERVED"}
    journal.close()
    writer.drain()
    none, some = rows(database)
    assert (none.state, none.billed_prompt, none.billed_completion, none.finished_us) == ("ABORTED", 0, 0, NOON_US)
    assert (some.state, some.billed_prompt, some.billed_completion) == ("ABORTED", 10, 3)
    assert none.is_estimated
    assert {none.closing_number, some.closing_number} == {1, 2}
    assert none.status is None


def test_journals_that_are_read_whole_are_deleted_with_their_positions(
    folder: JournalFolder, database: Database
) -> None:
    journal = open_journal(folder, clock_us)
    journal.reserve(entry())
    LedgerWriter(database, folder).step()
    assert len(list(folder.path.iterdir())) == 2
    journal.close()
    LedgerWriter(database, folder).drain()
    assert list(folder.path.iterdir()) == []
    with database.transaction() as connection:
        assert connection.execute(select(journal_positions)).all() == []


def test_full_journals_of_a_living_gateway_are_deleted(folder: JournalFolder, database: Database) -> None:
    journal = journal_in(folder, segment_bytes=1000)
    lock = folder.hold("gateway")
    writer = LedgerWriter(database, folder)
    for number in range(20):
        journal.reserve(entry(f"r{number}"))
    writer.step()
    assert len(folder.gateways()["gateway"]) == 1
    for number in range(20):
        journal.settle(settlement(f"r{number}"))
    writer.step()
    assert len(folder.gateways()["gateway"]) == 1
    assert {row.state for row in rows(database)} == {"SETTLED"}
    journal.close()
    os.close(lock)


@pytest.mark.parametrize("batch_bytes", [1, 100, 1 << 20])
def test_events_that_come_twice_count_once(folder: JournalFolder, database: Database, batch_bytes: int) -> None:
    late = Checkpoint("r1", TokenCounts(10, 3), NOON_US)
    early = Checkpoint("r1", TokenCounts(10, 1), NOON_US)
    ends = [encode(settlement()), encode(settlement(billed=TokenCounts(99, 99)))]
    once = [encode(event) for event in (entry(), early, late)]
    in_a_gateway_of_its_own(folder, [*once, *once, *ends, *once, *ends])
    LedgerWriter(database, folder, WriterOptions(batch_bytes=batch_bytes)).drain()
    (row,) = rows(database)
    assert (row.state, row.billed_prompt, row.billed_completion, row.closing_number) == ("SETTLED", 10, 5, 1)


def test_a_journal_torn_at_any_byte_bills_what_its_whole_lines_say(tmp_path: Path, database: Database) -> None:
    lines = [encode(e) for e in (entry(), Checkpoint("r1", TokenCounts(10, 3), NOON_US), settlement())]
    whole = b"".join(lines)
    for size in range(0, len(whole) + 1, 7):
        folder = JournalFolder(tmp_path / str(size))
        in_a_gateway_of_its_own(folder, [whole[:size]])
        LedgerWriter(database, folder).drain()
        found = [row.billed_completion for row in rows(database)]
        is_reserved, is_marked, is_settled = (size >= sum(map(len, lines[: number + 1])) for number in range(3))
        expected = 5 if is_settled else 3 if is_marked else 0
        assert found == ([expected] if is_reserved else [])
        with database.transaction() as connection:
            connection.execute(ledger.delete())


def test_an_event_that_the_database_cannot_keep_holds_up_nobody(folder: JournalFolder, database: Database) -> None:
    odd = entry("odd", received_us=1 << 70)
    in_a_gateway_of_its_own(folder, [encode(e) for e in (entry("r1"), odd, entry("r2"), settlement("r1"))])
    LedgerWriter(database, folder).drain()
    assert [(row.request_id, row.state) for row in rows(database)] == [("r1", "SETTLED"), ("r2", "ABORTED")]
    assert [path.suffix for path in folder.path.iterdir()] == [".unreadable"]


def test_an_end_without_a_beginning_is_no_row(folder: JournalFolder, database: Database) -> None:
    in_a_gateway_of_its_own(folder, [encode(settlement())])
    LedgerWriter(database, folder).drain()
    assert rows(database) == []


def test_two_writers_do_the_work_once(folder: JournalFolder, database: Database) -> None:
    journal = open_journal(folder, clock_us)
    writers = [LedgerWriter(database, folder, WriterOptions(batch_bytes=700)) for _ in range(2)]
    for number in range(30):
        journal.reserve(entry(f"r{number:02}"))
        writers[number % 2].step()
        journal.settle(settlement(f"r{number:02}"))
        if number % 3 == 0:
            writers[(number + 1) % 2].step()
    journal.close()
    for writer in writers:
        writer.drain()
    found = rows(database)
    assert len(found) == 30
    assert sorted(row.closing_number for row in found) == list(range(1, 31))
    assert all(row.state == LedgerState.SETTLED for row in found)


def test_a_clock_that_jumps_back_changes_no_sum(folder: JournalFolder, database: Database) -> None:
    times = iter([NOON_US, NOON_US - 3_600_000_000, 5])
    journal = open_journal(folder, lambda: next(times))
    journal.reserve(entry("r1", received_us=NOON_US))
    journal.checkpoint("r1", TokenCounts(10, 2))
    journal.checkpoint("r1", TokenCounts(10, 4))
    journal.close()
    LedgerWriter(database, folder).drain()
    (row,) = rows(database)
    assert (row.billed_completion, row.finished_us) == (4, 5)


async def test_rows_appear_while_the_writer_runs_and_it_stops_when_told(
    folder: JournalFolder, database: Database
) -> None:
    journal, writer = open_journal(folder, clock_us), LedgerWriter(database, folder, WriterOptions(interval_s=0.001))
    journal.reserve(entry())
    journal.close()
    writer.stop()
    await writer.run()
    writer.drain()
    assert len(rows(database)) == 1
