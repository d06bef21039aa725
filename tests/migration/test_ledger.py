"""The ledger, prices and invoices on each kind of database."""

import json
import os
import threading
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from openfm.core.errors import InvalidParameterValue
from openfm.core.invoice import Month
from openfm.core.ledger import Checkpoint, LedgerEntry
from openfm.core.price import Price, PriceRequest, PriceUnit, Target, TargetKind
from openfm.core.principal import Principal
from openfm.core.usage import TokenCounts
from openfm.metering.invoices import InvoiceDesk
from openfm.metering.journal_folder import JournalFolder
from openfm.metering.journal_lines import Event, encode
from openfm.metering.price_list import PriceList
from openfm.metering.writer import LedgerWriter, WriterOptions
from openfm.store.database import Database
from openfm.store.ledger_tables import journal_positions, ledger, ledger_corrections
from tests.unit.metering.events import entry, settlement

NOVEMBER = Month(2026, 11)
START_US, END_US = NOVEMBER.bounds_us
ADMIN = Principal("1", "admin", is_admin=True)
ANA = Principal("7", "ana@example.com")
HOUR_US = 3_600_000_000


@dataclass
class Books:
    """A migrated database, a writer, and a clock that is set by hand."""

    database: Database
    folder: JournalFolder
    now_us: int = START_US
    gateways: int = 0

    def __post_init__(self) -> None:
        self.folder.path.mkdir()
        self.prices = PriceList(self.database, self.time, lambda _: lambda: None)
        self.invoices = InvoiceDesk(self.database, self.time)

    def time(self) -> int:
        return self.now_us

    def set(self, name: str, prompt: int, completion: int, since_us: int | None = None, currency: str = "USD") -> Price:
        amounts = {PriceUnit.PROMPT: prompt, PriceUnit.COMPLETION: completion}
        target = Target(TargetKind.ENDPOINT, name)
        return self.prices.set(PriceRequest(target, currency, amounts, since_us), ADMIN)

    def write(self, *entries: LedgerEntry, billed: TokenCounts = TokenCounts(1000, 100, 400)) -> None:
        """These requests came and were settled, at a gateway that is gone."""
        self.gateways += 1
        lines = [encode(event) for one in entries for event in (one, settlement(one.request_id, billed))]
        (self.folder.path / f"g{self.gateways}.00000001.journal").write_bytes(b"".join(lines))
        LedgerWriter(self.database, self.folder, WriterOptions(batch_bytes=1000)).drain()

    def rows(self) -> list[Any]:
        with self.database.transaction() as connection:
            return list(connection.execute(select(ledger).order_by(ledger.c.request_id)))

    def invoice(self, form: str = "json", caller: Principal = ADMIN, month: Month = NOVEMBER) -> str:
        return self.invoices.invoice(month, caller, form)


@pytest.fixture
def books(database: Database, tmp_path: Path) -> Books:
    database.migrate()
    return Books(database, JournalFolder(tmp_path / "ledger"))


def at(hours: float, name: str, endpoint: str = "chat") -> LedgerEntry:
    return entry(name, endpoint=endpoint, received_us=START_US + int(hours * HOUR_US))


def test_requests_reserved_settled_checkpointed_and_abandoned_are_rows(books: Books) -> None:
    events: tuple[Event, ...] = (
        entry("done"),
        entry("left"),
        entry("none"),
        Checkpoint("left", TokenCounts(10, 3), 5),
        settlement("done", TokenCounts(10, 7, 4, 2)),
    )
    (books.folder.path / "g.00000001.journal").write_bytes(b"".join(map(encode, (*events, *events))))
    writers = [LedgerWriter(books.database, books.folder, WriterOptions(size)) for size in (1, 1 << 20)]
    for writer in writers:
        writer.drain()
    found = [(r.request_id, r.state, r.billed_prompt, r.billed_completion, r.billed_cached) for r in books.rows()]
    assert found == [("done", "SETTLED", 10, 7, 4), ("left", "ABORTED", 10, 3, 0), ("none", "ABORTED", 0, 0, 0)]
    assert [row.tags for row in books.rows()] == [{"team": "red"}] * 3
    assert sorted(row.closing_number for row in books.rows()) == [1, 2, 3]
    with books.database.transaction() as connection:
        assert connection.execute(select(journal_positions)).all() == []


def test_writers_in_parallel_write_each_request_once(books: Books) -> None:
    names = [f"r{number:03}" for number in range(200)]
    lines = [encode(event) for name in names for event in (entry(name), settlement(name))]
    (books.folder.path / "g.00000001.journal").write_bytes(b"".join(lines))
    writers = [LedgerWriter(books.database, books.folder, WriterOptions(3000)) for _ in range(3)]
    threads = [threading.Thread(target=writer.drain) for writer in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(row.request_id, row.billed_completion) for row in books.rows()] == [(name, 5) for name in names]
    assert sorted(row.closing_number for row in books.rows()) == list(range(1, 201))


def test_each_request_is_priced_by_what_held_when_it_was_received(books: Books) -> None:
    books.set("chat", 1_000_000, 3_000_000, START_US + HOUR_US)
    books.set("chat", 2_000_000, 0, START_US + 2 * HOUR_US, currency="EUR")
    books.write(at(0.5, "free"), at(1, "first"), at(2.5, "second"))
    costs = {row.request_id: (row.cost_pico, row.currency, row.price_version) for row in books.rows()}
    assert costs == {
        "free": (0, "DBU", 0),
        "first": (1000 * 1_000_000 + 100 * 3_000_000, "USD", 1),
        "second": (1000 * 2_000_000, "EUR", 2),
    }


def test_tokens_of_provisioned_throughput_cost_nothing_and_are_lines_of_their_own(books: Books) -> None:
    books.set("chat", 1_000_000, 3_000_000, START_US)
    dearly, free = (replace(at(1, name), is_provisioned=is_it) for name, is_it in (("token", False), ("hour", True)))
    events: tuple[Event, ...] = (
        dearly,
        free,
        replace(free, request_id="left"),
        Checkpoint("left", TokenCounts(10, 3), 5),
        settlement("token"),
        replace(settlement("hour"), is_provisioned=True),
    )
    (books.folder.path / "g.00000001.journal").write_bytes(b"".join(map(encode, events)))
    LedgerWriter(books.database, books.folder).drain()
    found = {row.request_id: (row.is_provisioned, row.cost_pico, row.currency) for row in books.rows()}
    assert found == {"token": (False, 25_000_000, "USD"), "hour": (True, 0, "USD"), "left": (True, 0, "USD")}
    lines = json.loads(books.invoice())["lines"]
    shown = [(line["requests"], line["prompt_tokens"], line["prompt_price"], line["amount"]) for line in lines]
    assert shown == [(2, 20, "0", "0"), (1, 10, "1", "0.000025")]


def test_a_journal_of_an_earlier_version_is_read_as_paid_by_the_token(books: Books) -> None:
    lines = [encode(event) for event in (entry("old"), settlement("old"))]
    texts = [line[:-9].replace(b',"is_provisioned":false', b"") for line in lines]
    assert all(b"is_provisioned" not in text for text in texts)
    journal = b"".join(b"%b%08x\n" % (text, zlib.crc32(text)) for text in texts)
    (books.folder.path / "g.00000001.journal").write_bytes(journal)
    LedgerWriter(books.database, books.folder).drain()
    assert [(row.request_id, row.is_provisioned, row.state) for row in books.rows()] == [("old", False, "SETTLED")]


def test_a_price_in_the_past_is_refused_once_a_request_was_priced_after_it(books: Books) -> None:
    books.now_us = START_US + 10 * HOUR_US
    books.set("chat", 1, 1, START_US)
    books.write(at(5, "r1"))
    for target in ("chat", "ch*", "*"):
        with pytest.raises(InvalidParameterValue, match="2026-11-01T05:00:00"):
            books.set(target, 2, 2, START_US + 5 * HOUR_US)
    assert [price.version for price in books.prices.all()] == [1]
    books.set("chat", 2, 2, START_US + 5 * HOUR_US + 1)
    assert books.set("other", 2, 2, START_US).version == 3


def test_a_price_from_now_on_leaves_what_was_priced_already(books: Books) -> None:
    books.write(at(5, "r1"))
    price = books.set("chat", 1, 1)
    assert price.effective_from_us == START_US + 5 * HOUR_US + 1
    assert books.set("other", 1, 1).effective_from_us == START_US
    assert books.prices.all()[0] == price


def test_an_invoice_is_the_same_bytes_each_time_and_adds_up(books: Books) -> None:
    books.set("chat", 333_333, 1, START_US)
    books.write(*(at(hours, f"r{hours}") for hours in range(0, 700, 7)))
    books.write(at(-0.001, "before"), at(30 * 24, "after"))
    books.now_us = END_US
    for form in ("text", "csv", "json"):
        first = books.invoice(form)
        other = InvoiceDesk(books.database, lambda: END_US + HOUR_US).invoice(NOVEMBER, ADMIN, form)
        assert first == other
    body = json.loads(books.invoice())
    (line,) = body["lines"]
    assert (body["state"], line["requests"], line["prompt_tokens"], line["cached_tokens"]) == (
        "final",
        100,
        100_000,
        40_000,
    )
    assert (line["prompt_price"], line["amount"], body["totals"]) == ("0.333333", "0.03333331", {"USD": "0.03333331"})
    assert "Total USD 0.03333331\n" in books.invoice("text")
    assert books.invoice("csv").endswith(",0.03333331,\n")


def test_an_invoice_of_a_past_month_is_not_changed_by_later_prices_and_requests(books: Books) -> None:
    books.set("chat", 1_000_000, 0, START_US)
    books.write(at(5, "r1"))
    books.now_us = END_US
    before = books.invoice("text")
    books.set("chat", 5_000_000, 0)
    books.write(at(31 * 24, "r2"))
    assert books.invoice("text") == before


def test_an_invoice_is_provisional_until_the_month_is_over_and_every_request_closed(books: Books) -> None:
    assert json.loads(books.invoice())["state"] == "provisional"
    books.now_us = END_US
    assert json.loads(books.invoice())["state"] == "final"
    lock = books.folder.hold("living")
    (books.folder.path / "living.00000001.journal").write_bytes(encode(at(1, "open")))
    LedgerWriter(books.database, books.folder).step()
    body = json.loads(books.invoice())
    assert (body["state"], body["open_requests"], body["lines"]) == ("provisional", 1, [])
    os.close(lock)


def test_who_is_no_admin_sees_its_own_requests(books: Books) -> None:
    books.write(at(1, "hers"), replace(at(1, "his"), principal_id="8", principal_name="bo"))
    assert [line["principal"] for line in json.loads(books.invoice())["lines"]] == ["ana@example.com", "bo"]
    mine = json.loads(books.invoice(caller=ANA))
    assert ([line["principal"] for line in mine["lines"]], mine["for"]) == (["ana@example.com"], "ana@example.com")


def test_a_correction_is_an_entry_of_the_month_in_which_it_was_made(books: Books) -> None:
    books.set("chat", 1_000_000, 0, START_US)
    books.write(at(5, "r1"))
    cost = books.rows()[0].cost_pico
    reversal = {"id": "c1", "request_id": "r1", "cost_pico": -cost, "currency": "USD", "price_version": 1}
    with books.database.transaction() as connection:
        row = {**reversal, "reason": "=1+1\nby mistake", "created_by": "admin", "created_us": END_US}
        connection.execute(insert(ledger_corrections).values(row))
    assert json.loads(books.invoice())["totals"] == {"USD": "0.001"}
    december = Month(2026, 12)
    assert json.loads(books.invoice(month=december))["totals"] == {"USD": "-0.001"}
    assert "USD -0.001  request r1: =1+1\\nby mistake" in books.invoice("text", month=december)
    assert json.loads(books.invoice(month=december, caller=Principal("9", "eve")))["totals"] == {}


def test_sums_beyond_64_bits_are_exact(books: Books) -> None:
    highest = 100_000 * 1_000_000
    books.set("chat", highest, highest, START_US)
    most = TokenCounts(40_000_000, 40_000_000)
    books.write(at(1, "r1"), at(1, "r2"), at(1, "r3"), billed=most)
    assert json.loads(books.invoice())["totals"] == {"USD": str(3 * 8_000_000)}
