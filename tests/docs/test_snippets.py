"""What the first pages tell a reader to paste works: every block of theirs runs against a started server."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from tools.environments import ensure, named

pytestmark = pytest.mark.clients

_ROOT = Path(__file__).parents[2]
_PAGES = ("README.md", "docs/quickstart.md")
_BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_VARIABLE = re.compile(r"\b([A-Z][A-Z_]+)=")
# Those that start the server, say where it is or install the clients: the test has done what they do.
_DONE_BY_THE_TEST = ("./dev ", "export ", "python3 -m venv ")


class Server(Protocol):
    @property
    def url(self) -> str: ...

    @property
    def token(self) -> str: ...


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    language: str
    text: str

    @property
    def is_run(self) -> bool:
        return not self.text.startswith(_DONE_BY_THE_TEST)


def blocks(page: str) -> list[Block]:
    text = (_ROOT / page).read_text(encoding="utf-8")
    return [Block(page, text.count("\n", 0, found.start()) + 1, found[1], found[2]) for found in _BLOCK.finditer(text)]


BLOCKS = [block for page in _PAGES for block in blocks(page)]


def variables(server: Server) -> dict[str, str]:
    """What the pages' first block exports."""
    return {
        "OPENFM_URL": server.url,
        "OPENFM_TOKEN": server.token,
        "DATABRICKS_HOST": server.url,
        "DATABRICKS_TOKEN": server.token,
    }


@pytest.mark.parametrize("block", [each for each in BLOCKS if each.is_run], ids=lambda each: f"{each.page}:{each.line}")
def test_a_block_can_be_pasted_as_it_is(block: Block, server: Server, tmp_path: Path) -> None:
    if block.language == "sh" and shutil.which("curl") is None:
        pytest.skip("no curl here")
    command = ["sh", "-euc", block.text]
    if block.language == "python":
        command = [str(ensure(named("clients-current"))), "-c", block.text]
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "MLFLOW_DISABLE_TELEMETRY": "true"}
    done = subprocess.run(
        command,
        env=environ | variables(server),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert '"error' not in done.stdout, done.stdout


@pytest.mark.parametrize("page", _PAGES)
def test_a_page_shows_curl_and_three_clients(page: str) -> None:
    shown = "\n".join(block.text for block in BLOCKS if block.page == page and block.is_run)
    for client in ("curl ", "from openai", "from databricks.sdk", "from mlflow.deployments"):
        assert client in shown


@pytest.mark.parametrize("page", _PAGES)
def test_a_page_exports_what_its_blocks_read(page: str) -> None:
    [exports] = [block.text for block in BLOCKS if block.page == page and block.text.startswith("export ")]
    assert set(_VARIABLE.findall(exports)) == {"OPENFM_URL", "OPENFM_TOKEN", "DATABRICKS_HOST", "DATABRICKS_TOKEN"}
