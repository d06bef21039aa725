"""The examples as a person runs them, in the environment that `requirements/examples.lock` describes."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from tools.environments import ensure, named

pytestmark = pytest.mark.clients

_ROOT = Path(__file__).parents[2]
CHAT = "openfm-smollm2-135m-instruct"
NOTES = {
    "library.md": "# Town library\n\n## Opening hours\n\nThe library opens at 10:00 on Saturday and closes at 14:00.\n",
    "kitchen/bread.md": "# Bread\n\nMix flour, water and yeast. Bake the dough at 230 degrees for 40 minutes.\n",
    "router.md": "# Router\n\n| lamp | meaning |\n|---|---|\n| red | no connection |\n| green | all is well |\n",
}


class Server(Protocol):
    @property
    def url(self) -> str: ...

    @property
    def token(self) -> str: ...

    @property
    def home(self) -> Path: ...


@dataclass(frozen=True)
class Examples:
    """Runs examples against a server; each has the same empty home, where the chatbot keeps its index."""

    python: Path
    home: Path
    where: dict[str, str]

    def run(self, name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.python, _ROOT / "examples" / f"{name}.py", *arguments],
            env={"PATH": os.environ["PATH"], "HOME": str(self.home), "COLUMNS": "160", **self.where},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def ask(self, question: str, *arguments: str | Path) -> tuple[str, list[str]]:
        """The chatbot's answer and the files that it names as sources."""
        done = self.run("rag_chatbot", "--ask", question, *arguments)
        assert done.returncode == 0, done.stderr
        answer, _, sources = done.stdout.partition("Sources:\n")
        return answer.strip(), [line.split(",")[0].strip() for line in sources.splitlines() if line.startswith("  ")]


@pytest.fixture(scope="session")
def examples(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Examples:
    """Examples that are told where the server is as users of `openai` say it."""
    where = {"OPENAI_BASE_URL": f"{server.url}/v1", "OPENAI_API_KEY": server.token}
    return Examples(ensure(named("examples")), tmp_path_factory.mktemp("examples"), where)


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A small folder of Markdown."""
    for name, text in NOTES.items():
        file = tmp_path / "notes" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return tmp_path / "notes"


@pytest.mark.parametrize(
    ("question", "source"),
    [
        ("When does the library open on Saturday?", "library.md"),
        ("How hot must the oven be for bread?", "kitchen/bread.md"),
        ("What does the red lamp mean?", "router.md"),
    ],
)
def test_the_chatbot_names_the_file_that_it_answers_from(
    examples: Examples, notes: Path, question: str, source: str
) -> None:
    answer, sources = examples.ask(question, "--folder", notes)
    assert answer
    assert sources[0] == source


@pytest.mark.parametrize(
    ("question", "source"),
    [
        ("What is the reconciler?", "docs/glossary.md"),
        ("Which exit code means that the server cannot be reached?", "docs/reference/cli.md"),
        ("What does HTTP status 401 mean?", "docs/reference/errors.md"),
    ],
)
def test_the_chatbot_knows_openfm_s_own_documents(examples: Examples, question: str, source: str) -> None:
    answer, sources = examples.ask(question)
    assert answer
    assert sources[0] == source


def test_the_index_follows_the_files(examples: Examples, notes: Path) -> None:
    question, where = "When does the library open on Saturday?", ("--folder", notes, "--index", notes.parent / "index")
    assert examples.ask(question, *where)[1][0] == "library.md"
    (notes / "library.md").rename(notes / "books'.md")
    (notes / "router.md").write_text("# Router\n\nThe blue lamp means that the router waits.\n", encoding="utf-8")
    assert examples.ask(question, *where)[1][0] == "books'.md"
    assert "blue lamp" in examples.run("rag_chatbot", *where, "--ask", "What does the lamp mean?").stdout


def test_an_unchanged_folder_is_not_read_again(examples: Examples, notes: Path) -> None:
    arguments = ("--folder", notes, "--index", notes.parent / "index", "--ask", "What does the red lamp mean?")
    assert "read 3 new or changed files" in examples.run("rag_chatbot", *arguments).stderr
    assert examples.run("rag_chatbot", *arguments).stderr == ""


def test_an_example_finds_the_server_that_was_started_here(server: Server, examples: Examples, notes: Path) -> None:
    local = Examples(examples.python, examples.home, {"OPENFM_HOME": str(server.home)})
    assert local.ask("What does the red lamp mean?", "--folder", notes)[1][0] == "router.md"


def test_a_folder_without_markdown_is_said_to_be_one(examples: Examples, tmp_path: Path) -> None:
    done = examples.run("rag_chatbot", "--ask", "Anything?", "--folder", tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("rag_chatbot: There is no Markdown file in ")


def test_without_a_server_an_example_says_how_to_start_one(examples: Examples, tmp_path: Path) -> None:
    done = Examples(examples.python, examples.home, {"OPENFM_HOME": str(tmp_path)}).run("compare")
    assert done.returncode == 1
    assert "./dev serve" in done.stderr


def test_a_comparison_has_a_row_for_each_endpoint(examples: Examples) -> None:
    done = examples.run("compare", CHAT, "databricks-dbrx-instruct", "--prompt", "Name a fruit.", "--max-tokens", "8")
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if "Name a fruit." in line]
    assert len(rows) == 2
    assert "TTFT ms" in done.stdout


def test_a_comparison_shows_an_endpoint_that_fails_beside_the_others(examples: Examples) -> None:
    done = examples.run("compare", CHAT, "nonesuch", "--prompt", "Name a fruit.", "--max-tokens", "8")
    assert done.returncode == 1
    assert sum("Name a fruit." in line for line in done.stdout.splitlines()) == 2
    assert "404" in done.stdout
