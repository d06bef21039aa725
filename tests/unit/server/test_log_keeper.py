"""Logs of engines neither fill the disk nor outlive their deployments for long."""

import os
from pathlib import Path

import pytest

from openfm.server.log_keeper import LogKeeper

DAY_S = 86_400.0
NOW = 1_000 * DAY_S


@pytest.fixture
def keeper(tmp_path: Path) -> LogKeeper:
    return LogKeeper(tmp_path, lambda: frozenset({"m-1-abc"}), lambda: NOW)


def log(folder: Path, name: str, content: bytes = b"a line\n", days: float = 0) -> Path:
    """A log that was last written to some days ago."""
    file = folder / name
    file.write_bytes(content)
    os.utime(file, (NOW - days * DAY_S, NOW - days * DAY_S))
    return file


def test_the_logs_of_a_deployment_that_is_gone_go_after_a_day(tmp_path: Path, keeper: LogKeeper) -> None:
    living, fresh = log(tmp_path, "m-1-abc-1.log", days=2), log(tmp_path, "m-1-gone-1.log", days=0.5)
    log(tmp_path, "m-1-gone-2.log", days=2)
    keeper.tidy()
    assert set(tmp_path.iterdir()) == {living, fresh}
    assert living.read_bytes() == b"a line\n"


def test_a_large_log_keeps_its_end_and_goes_on_being_written(tmp_path: Path, keeper: LogKeeper) -> None:
    file = log(tmp_path, "m-1-abc-1.log", b"".join(b"line %07d\n" % number for number in range(1_500_000)))
    with file.open("ab", buffering=0) as engine:
        keeper.tidy()
        engine.write(b"after\n")
    kept = file.read_bytes().splitlines()
    assert file.stat().st_size < 5 << 20
    assert kept[-2:] == [b"line 1499999", b"after"]
    assert kept[0].startswith(b"line ")


def test_a_log_that_nobody_wrote_to_for_a_month_is_emptied(tmp_path: Path, keeper: LogKeeper) -> None:
    file = log(tmp_path, "m-1-abc-1.log", days=31)
    keeper.tidy()
    assert file.read_bytes() == b""


def test_other_files_are_left_alone(tmp_path: Path, keeper: LogKeeper) -> None:
    file = log(tmp_path, "server.txt", days=400)
    keeper.tidy()
    assert file.exists()
