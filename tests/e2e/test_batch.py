"""`openfm batch` on real engines, killed half-way."""

import csv
import json
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import CHAT, EMBEDDING, Server, StartServer

_ROWS = 1000
_QUERIES = {
    "embeddings": f"SELECT x, ai_query('{EMBEDDING}', 'number ' || x) AS answer FROM range({_ROWS}) t(x) ORDER BY x",
    "chat": f"SELECT x, ai_query('{CHAT}', 'Say the number ' || x, modelParameters => named_struct('max_tokens', 4)) "
    f"AS answer FROM range({_ROWS}) t(x) ORDER BY x",
}


def answered(state: Path) -> int:
    """How many answers a batch has so far; it keeps its files to itself, so this reads copies."""
    copy = state.with_name("copy")
    try:
        for suffix in ("", "-wal"):
            copy.with_name(f"copy{suffix}").write_bytes(state.with_name(f"{state.name}{suffix}").read_bytes())
        with closing(sqlite3.connect(copy)) as opened:
            return int(opened.execute("SELECT count(answer) FROM questions").fetchone()[0])
    except (FileNotFoundError, sqlite3.DatabaseError):
        return 0


def begun(server: Server, query: str, output: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "openfm", "batch", query, "--to", str(output), "--yes", "--url", server.url]
    return subprocess.Popen([*command, "--token", str(server.token)], stderr=subprocess.PIPE, text=True)


def keep_answers(server: Server, endpoint: str) -> None:
    """Whoever sends a request again, with its key, gets the first answer."""
    body = json.dumps({"add_tags": [{"key": "openfm-replay", "value": "true"}]}).encode()
    asked = urllib.request.Request(  # noqa: S310  # our own server
        f"{server.url}/api/2.0/serving-endpoints/{endpoint}/tags",
        data=body,
        headers={"authorization": f"Bearer {server.token}", "content-type": "application/json"},
        method="PATCH",
    )
    with urllib.request.urlopen(asked) as answer:  # noqa: S310
        assert answer.status == 200


@pytest.mark.parametrize("kind", ["embeddings", pytest.param("chat", marks=pytest.mark.slow)])
def test_a_batch_killed_half_way_answers_and_bills_each_row_once(
    start_server: StartServer, tmp_path: Path, kind: str
) -> None:
    server, output = start_server(home=tmp_path), tmp_path / "out.csv"
    keep_answers(server, EMBEDDING if kind == "embeddings" else CHAT)
    state, query = tmp_path / "out.csv.state", _QUERIES[kind]
    killed = begun(server, query, output)
    while answered(state) < _ROWS * 0.4:
        assert killed.poll() is None
        time.sleep(0.05)  # looks again; what is waited for is the condition
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    kept = answered(state)
    assert not output.exists()

    ended = begun(server, query, output)
    _, said = ended.communicate(timeout=500)
    assert ended.returncode == 0, said
    with output.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["x"]) for row in rows] == list(range(_ROWS))
    assert all(row["answer"] for row in rows)
    sys.stdout.write(f"\n{kind}: killed at {kept} of {_ROWS}\n{said}")
    assert "asked and billed again" not in said
    assert f"Billed: {_ROWS:,} requests" in said
    assert not list(tmp_path.glob("out.csv.state*"))
    assert not (tmp_path / "out.csv.part").exists()
