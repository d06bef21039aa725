"""A journal keeps what was reserved and settled, on disks that fill up, tear and fail."""

import random
import resource
import subprocess
import sys
import textwrap
import zlib
from pathlib import Path

import pytest

from openfm.core.errors import LedgerUnavailable
from openfm.core.ledger import MOST_TOKENS, Checkpoint
from openfm.core.usage import TokenCounts
from openfm.metering.journal import JournalOptions, open_journal
from openfm.metering.journal_folder import JournalFolder
from openfm.metering.journal_lines import Event, bounded, decode, encode
from tests.unit.metering.events import NOON_US, FailingDisk, clock_us, entry, journal_in, settlement

EVENTS: tuple[Event, ...] = (
    entry(),
    Checkpoint("r1", TokenCounts(10, 2), NOON_US),
    settlement(),
)


@pytest.fixture
def folder(tmp_path: Path) -> JournalFolder:
    return JournalFolder(tmp_path / "ledger")


def written(folder: JournalFolder) -> list[Event]:
    return [
        event for paths in folder.gateways().values() for path in paths for event in decode(path.read_bytes()).events
    ]


def test_an_event_is_read_as_it_was_written() -> None:
    assert decode(b"".join(map(encode, EVENTS))).events == EVENTS


def test_a_journal_torn_at_any_byte_gives_the_events_before_the_tear() -> None:
    lines = [encode(event) for event in EVENTS]
    whole = b"".join(lines)
    ends = [sum(map(len, lines[: n + 1])) for n in range(len(lines))]
    for size in range(len(whole) + 1):
        read = decode(whole[:size])
        complete = sum(end <= size for end in ends)
        assert read.events == EVENTS[:complete]
        assert read.size == (ends[complete - 1] if complete else 0)


def test_a_tear_at_any_byte_costs_only_its_own_line() -> None:
    lines = [encode(event) for event in EVENTS]
    for size in range(len(lines[1]) - 1):
        assert decode(lines[0] + lines[1][:size] + b"\n" + lines[2]).events == (EVENTS[0], EVENTS[2])


def test_any_changed_byte_voids_only_its_own_line() -> None:
    draw = random.Random(4)  # noqa: S311  # any bytes will do
    lines = [encode(event) for event in EVENTS]
    for place in range(len(lines[1]) - 1):
        damaged = bytearray(lines[1])
        damaged[place] ^= draw.randrange(1, 256)
        if damaged[place] != 10:
            assert decode(lines[0] + damaged + lines[2]).events == (EVENTS[0], EVENTS[2])


def test_a_line_of_another_version_is_counted_and_passed_over() -> None:
    line = encode(EVENTS[0])
    assert decode(line).unreadable == 0
    future = b'X{"request_id":"r1"}'
    read = decode(b"%b%08x\n" % (future, zlib.crc32(future)) + line)
    assert (read.unreadable, read.events) == (1, EVENTS[:1])


def test_text_that_no_database_keeps_is_replaced() -> None:
    odd = entry("\ud800\0")
    assert [event.request_id for event in decode(encode(odd)).events] == ["?\ufffd"]
    assert [event.request_id for event in decode(encode(entry("a\0b"))).events] == ["a\ufffdb"]


def test_counts_that_cannot_be_are_bounded() -> None:
    assert bounded(TokenCounts(-1, 10**18, 5, -3)) == TokenCounts(0, MOST_TOKENS, 0, 0)
    assert bounded(TokenCounts(10, 5, 3, 2)) == TokenCounts(10, 5, 3, 2)


@pytest.mark.parametrize("broken", [set(), {"truncate"}])
def test_a_full_disk_refuses_requests_at_every_byte_and_leaves_nothing_half_written(
    tmp_path: Path, broken: set[str]
) -> None:
    first, second = encode(entry("r1")), encode(entry("r2"))
    for room in range(len(second)):
        folder = JournalFolder(tmp_path / str(room))
        disk = FailingDisk(room=len(first) + room, broken=broken)
        journal = journal_in(folder, disk)
        journal.reserve(entry("r1"))
        with pytest.raises(LedgerUnavailable, match="Free space"):
            journal.reserve(entry("r2"))
        disk.room = 1 << 20
        journal.reserve(entry("r3"))
        journal.close()
        assert written(folder) == [entry("r1"), entry("r3")]


def test_a_settlement_waits_for_room_and_requests_wait_with_it(folder: JournalFolder) -> None:
    disk = FailingDisk()
    journal = journal_in(folder, disk)
    journal.reserve(entry())
    disk.room = 0
    journal.note(Checkpoint("r1", TokenCounts(10, 2), NOON_US))
    journal.settle(settlement())
    with pytest.raises(LedgerUnavailable):
        journal.reserve(entry("r2"))
    disk.room = 1 << 20
    journal.sync()
    assert journal.is_available
    assert written(folder) == [entry(), settlement()]
    journal.close()


def test_after_a_failed_sync_nothing_is_served_until_one_succeeds_and_all_is_written_again(
    folder: JournalFolder,
) -> None:
    disk = FailingDisk()
    journal = journal_in(folder, disk)
    journal.reserve(entry())
    disk.broken = {"sync"}
    journal.sync()
    with pytest.raises(LedgerUnavailable):
        journal.reserve(entry("r2"))
    journal.settle(settlement())
    journal.sync()
    with pytest.raises(LedgerUnavailable):
        journal.reserve(entry("r2"))
    disk.broken = set()
    journal.sync()
    journal.reserve(entry("r2"))
    journal.close()
    (paths,) = folder.gateways().values()
    assert len(paths) > 1
    assert decode(paths[-1].read_bytes()).events == (entry(), settlement(), entry("r2"))


def test_a_journal_of_full_size_is_followed_by_another(folder: JournalFolder) -> None:
    journal = journal_in(folder, segment_bytes=1000)
    for number in range(10):
        journal.reserve(entry(f"r{number}"))
    journal.close()
    (paths,) = folder.gateways().values()
    assert len(paths) > 2
    assert all(path.stat().st_size < 2000 for path in paths)
    assert written(folder) == [entry(f"r{number}") for number in range(10)]


def test_a_journal_grows_where_no_other_can_be_begun(folder: JournalFolder) -> None:
    disk = FailingDisk()
    journal = journal_in(folder, disk, segment_bytes=1000)
    journal.reserve(entry("r0"))
    disk.broken = {"create"}
    for number in range(1, 5):
        journal.reserve(entry(f"r{number}"))
    journal.close()
    assert len(written(folder)) == 5


def test_a_gateway_is_dead_when_its_journal_is_closed(folder: JournalFolder) -> None:
    opened = open_journal(folder, clock_us)
    assert not folder.is_dead(opened.journal.gateway)
    opened.reserve(entry())
    opened.checkpoint("r1", TokenCounts(10, 2))
    opened.settle(settlement())
    opened.close()
    assert folder.is_dead(opened.journal.gateway)
    assert written(folder) == list(EVENTS)


def test_two_journals_of_one_process_have_different_names(folder: JournalFolder) -> None:
    first, second = open_journal(folder, clock_us), open_journal(folder, clock_us)
    assert first.journal.gateway != second.journal.gateway
    assert len(folder.gateways()) == 2
    first.close()
    assert [folder.is_dead(one.journal.gateway) for one in (first, second)] == [True, False]
    second.close()


def test_the_thread_writes_what_waited_as_soon_as_there_is_room(folder: JournalFolder) -> None:
    disk = FailingDisk(room=len(encode(entry())))
    opened = open_journal(folder, clock_us, JournalOptions(sync_interval_s=0.001), disk)
    opened.reserve(entry())
    opened.settle(settlement())
    assert not opened.journal.is_available
    disk.room = 1 << 20
    opened.journal.has_work.set()
    opened.close()
    assert written(folder) == [entry(), settlement()]


CHILD = """
    import resource, sys
    from pathlib import Path
    from openfm.core.errors import LedgerUnavailable
    from openfm.metering.journal import open_journal
    from openfm.metering.journal_folder import JournalFolder
    from tests.unit.metering.events import clock_us, entry

    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    journal = open_journal(JournalFolder(Path(sys.argv[1])), clock_us)
    count = 0
    try:
        while True:
            journal.reserve(entry(f"r{count}"))
            count += 1
    except LedgerUnavailable:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        journal.reserve(entry("after"))
    journal.close()
    print(count)
"""


@pytest.mark.parametrize("limit", [3000, 3001, 3333, 4096])
def test_where_the_operating_system_takes_no_more_the_journal_says_so_and_recovers(
    folder: JournalFolder, limit: int
) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(folder.path), str(limit)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    count = int(done.stdout.splitlines()[-1])
    assert count > 1
    assert written(folder) == [*(entry(f"r{number}") for number in range(count)), entry("after")]
