"""`kill -9` of gateways and writers, whenever: nothing is billed twice, and nothing that was not delivered."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from openfm.metering.journal_folder import JournalFolder
from openfm.metering.writer import LedgerWriter
from openfm.store.database import Database
from openfm.store.ledger_tables import ledger

_ROUNDS = 5


def process(what: str, home: Path) -> subprocess.Popen[str]:
    """One of `ledger_processes`."""
    command = [sys.executable, "-m", "tests.integration.ledger_processes", what, str(home)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def killed_after(running: subprocess.Popen[str], lines: int) -> list[str]:
    """Kill it when it said that much; all that it said."""
    assert running.stdout is not None
    said = [running.stdout.readline() for _ in range(lines)]
    running.kill()
    said += running.stdout.readlines()
    running.stdout.close()
    running.wait()
    return [line for line in said if line.endswith("\n")]


@pytest.mark.parametrize("what", ["some-lines", pytest.param("each-line", marks=pytest.mark.slow)])
def test_a_writer_killed_at_any_line_of_its_code_has_lost_and_doubled_nothing(tmp_path: Path, what: str) -> None:
    running = process(what, tmp_path)
    said, _ = running.communicate(timeout=280)
    assert running.returncode == 0
    lines = int(said.splitlines()[-1])
    assert lines > 100
    print(f"{what} of {lines}")  # noqa: T201  # the figure is part of the result


def test_gateways_and_writers_killed_again_and_again_bill_what_was_delivered(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'openfm.db'}")
    database.migrate()
    draw = random.Random(7)  # noqa: S311  # a seed, so that it can be repeated
    tried: dict[str, int] = {}
    recorded: dict[str, int] = {}
    for _ in range(_ROUNDS):
        serving, writing = process("gateway", tmp_path), process("writer", tmp_path)
        killed_after(writing, draw.randrange(1, 6))
        another = process("writer", tmp_path)
        for line in killed_after(serving, draw.randrange(1, 2000)):
            word, name, tokens = line.split()
            (tried if word == "try" else recorded)[name] = int(tokens)
        killed_after(another, draw.randrange(1, 4))
    LedgerWriter(database, JournalFolder(tmp_path / "ledger")).drain()
    with database.transaction() as connection:
        rows = connection.execute(select(ledger)).all()
    database.close()
    billed = {row.request_id: row.billed_completion for row in rows}
    assert len(billed) == len(rows)
    assert set(recorded) <= set(billed) <= set(tried)
    assert all(recorded.get(name, 0) <= tokens <= tried[name] for name, tokens in billed.items())
    assert {row.state for row in rows} <= {"SETTLED", "ABORTED"}
    assert not any((tmp_path / "ledger").iterdir())
