"""What was used lately, out of the ledger, on each kind of database."""

from dataclasses import replace
from pathlib import Path

from openfm.core.ledger import Checkpoint, PastUse
from openfm.core.principal import Principal
from openfm.core.usage import Demand, TokenCounts
from openfm.metering.journal_folder import JournalFolder
from openfm.metering.journal_lines import Event, encode
from openfm.metering.past_use import past_use
from openfm.metering.writer import LedgerWriter
from openfm.store.database import Database
from tests.unit.metering.events import NOON_US, entry, settlement

ANA = Principal("7", "ana@example.com")
NOTHING = Demand(0, 0)


def seconds(count: float) -> int:
    return NOON_US + int(count * 1_000_000)


def answered(request_id: str, received_s: float, admitted_s: float) -> list[Event]:
    end = replace(settlement(request_id, TokenCounts(10, 5)), admitted_us=seconds(admitted_s))
    return [entry(request_id, received_us=seconds(received_s)), end]


def use(until_s: float, requests: int, used: TokenCounts, unsettled: Demand = NOTHING) -> PastUse:
    return PastUse(ANA, "e" * 32, seconds(until_s), requests, used, unsettled)


def test_requests_are_added_up_by_when_they_were_admitted(database: Database, tmp_path: Path) -> None:
    database.migrate()
    folder = JournalFolder(tmp_path / "ledger")
    folder.path.mkdir()
    events: list[Event] = [
        *answered("too old", -200, -200),
        *answered("a", -30.2, -30.1),
        *answered("b", -30.9, -30.8),
        *answered("waited", -300, -10.5),
        entry("broken", received_us=seconds(-40)),
        Checkpoint("broken", TokenCounts(10, 1), seconds(-3.5)),
    ]
    (folder.path / "g.00000001.journal").write_bytes(b"".join(encode(event) for event in events))
    LedgerWriter(database, folder).drain()
    assert past_use(database, 60, NOON_US) == [
        use(-30, 2, TokenCounts(20, 10)),
        use(-10, 1, TokenCounts(10, 5)),
        use(-3, 1, TokenCounts(), Demand(100, 64)),
    ], "what a crash ended is what it had reserved, when it was last heard of"
    assert [one.requests for one in past_use(database, 86_400, NOON_US)] == [5], "a day's ticks are twelve minutes"
