"""A chatbot that answers from a folder of Markdown, and names the files that its answer comes from.

    python examples/rag_chatbot.py --ask "What is the reconciler?"
    python examples/rag_chatbot.py                               a conversation; Ctrl-D ends it
    python examples/rag_chatbot.py --folder notes --ask "…"      other folders, or single files

Retrieval-augmented generation: split the files by their headings, keep the passages' embeddings in LanceDB, look up
those nearest to the question, and let the chat endpoint answer from them. The index follows the files: before each
question, what changed is embedded anew and what is gone is forgotten.
"""

import argparse
import hashlib
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import lancedb
import openai
import platformdirs

from connection import CHAT, EMBEDDING, UsageError, add_arguments, find_connection
from markdown import clip, split_markdown

_PROJECT = Path(__file__).resolve().parent.parent
_SPLIT_VERSION = 1  # another number makes every index anew
_BATCH = 64
# A token of the default embedding model is never shorter than a byte, and it reads 512 of them.
_MAX_EMBEDDED_BYTES = 500
_MAX_PASSAGE_BYTES = 400
_MAX_ANSWER_TOKENS = 100

# A very small model follows two examples better than any instruction, and a short text better than a long one.
_EXAMPLES = (
    (
        "The museum is open from nine to five. Tickets cost 12 euros.",
        "How much is a ticket?",
        "Tickets cost 12 euros.",
    ),
    (
        "A red light means that there is no line. A green light means that all is well.",
        "What does the red light mean?",
        "A red light means that there is no line.",
    ),
)


@dataclass(frozen=True)
class Found:
    """A passage that the index holds: the file it stands in, its headings and its text."""

    source: str
    headings: str
    text: str


@dataclass(frozen=True)
class Embedder:
    """Turns texts into vectors through an embedding endpoint."""

    client: openai.OpenAI
    endpoint: str

    def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector a text, asked for in batches."""
        vectors: list[list[float]] = []
        for start in range(0, len(texts), _BATCH):
            batch = [clip(text, _MAX_EMBEDDED_BYTES) for text in texts[start : start + _BATCH]]
            answer = self.client.embeddings.create(model=self.endpoint, input=batch)
            vectors += [item.embedding for item in answer.data]
        return vectors


@dataclass(frozen=True)
class Folder:
    """Markdown files, each known by its path below what all of them share."""

    roots: tuple[Path, ...]

    def read(self) -> dict[str, str]:
        """Every file's name and text. Raises `UsageError` when there is none."""
        if missing := [str(root) for root in self.roots if not root.exists()]:
            raise UsageError(f"There is no {', '.join(missing)}. Name folders or files with --folder.")
        shared = Path(os.path.commonpath(self.roots))
        top = shared.parent if shared.is_file() else shared
        texts = {
            file.relative_to(top).as_posix(): file.read_text(encoding="utf-8", errors="replace")
            for root in self.roots
            for file in self._files(root)
        }
        if not texts:
            raise UsageError(f"There is no Markdown file in {', '.join(map(str, self.roots))}.")
        return texts

    @staticmethod
    def _files(root: Path) -> Iterator[Path]:
        if root.is_file():
            yield root
        else:
            shown = (file for file in sorted(root.rglob("*.md")) if not _is_hidden(file.relative_to(root)))
            yield from (file for file in shown if file.is_file())


class Index:
    """The passages of a folder with their embeddings, kept by LanceDB in a folder of its own."""

    def __init__(self, place: Path, folder: Folder, embed: Embedder) -> None:
        self._database = lancedb.connect(place)
        self._folder = folder
        self._embed = embed
        # Vectors of two models cannot be compared: each has a table of its own.
        self._name = "passages-" + re.sub(r"[^\w.-]", "_", embed.endpoint)

    def refresh(self) -> int:
        """Make the index say what the files say; return how many files were read anew."""
        texts = self._folder.read()
        now = {
            source: hashlib.sha256(f"{_SPLIT_VERSION}\0{text}".encode()).hexdigest() for source, text in texts.items()
        }
        table = self._table()
        known = _digests(table)
        changed = [source for source in now if known.get(source) != now[source]]
        rows = [row for source in changed for row in _rows(source, now[source], texts[source])]
        vectors = self._embed([f"{row['headings']}\n{row['text']}" for row in rows])
        filled = [row | {"vector": vector} for row, vector in zip(rows, vectors, strict=True)]
        outdated = [source for source in known if source in changed or source not in now]
        if table is not None and outdated:
            quoted = ", ".join("'" + source.replace("'", "''") + "'" for source in outdated)
            table.delete(f"source IN ({quoted})")
        if table is not None and filled:
            table.add(filled)
        elif filled:
            self._database.create_table(self._name, data=filled)
        return len(changed)

    def search(self, question: str, count: int) -> list[Found]:
        """The `count` passages nearest to the question, the nearest first."""
        table = self._table()
        if table is None:
            return []
        [vector] = self._embed([question])
        rows = table.search(vector).distance_type("cosine").limit(count).to_list()
        return [Found(row["source"], row["headings"], row["text"]) for row in rows]

    def _table(self) -> Any:
        try:
            return self._database.open_table(self._name)
        except ValueError:  # so LanceDB says that there is none
            return None


@dataclass(frozen=True)
class Chatbot:
    """Answers questions from an index."""

    client: openai.OpenAI
    endpoint: str
    index: Index
    num_passages: int
    max_context_chars: int

    def fitting(self, found: Sequence[Found]) -> list[Found]:
        """Those of the nearest passages that fit into the prompt, always at least one."""
        lengths = accumulate(len(passage.text) for passage in found)
        return [
            passage
            for place, (passage, length) in enumerate(zip(found, lengths, strict=True))
            if place == 0 or length <= self.max_context_chars
        ]

    def answer(self, question: str, passages: Sequence[Found]) -> Iterator[str]:
        """The answer, piece by piece as it is written."""
        messages: list[dict[str, str]] = [{"role": "system", "content": "You are a helpful assistant."}]
        text = "\n".join(found.text for found in passages)
        for example_text, example_question, example_answer in _EXAMPLES:
            messages.append({"role": "user", "content": _prompt(example_text, example_question)})
            messages.append({"role": "assistant", "content": example_answer})
        messages.append({"role": "user", "content": _prompt(text, question)})
        stream: Any = self.client.chat.completions.create(
            model=self.endpoint,
            messages=messages,  # type: ignore[arg-type, unused-ignore]  # plain dictionaries
            temperature=0,
            max_tokens=_MAX_ANSWER_TOKENS,
            stream=True,
        )
        with stream:
            for chunk in stream:
                yield from (choice.delta.content for choice in chunk.choices if choice.delta.content)


def _prompt(text: str, question: str) -> str:
    return f"Text: {text}\nQuestion: {question}"


def _rows(source: str, digest: str, text: str) -> Iterator[dict[str, Any]]:
    for passage in split_markdown(text, _MAX_PASSAGE_BYTES):
        yield {"source": source, "digest": digest, "headings": passage.headings, "text": passage.text}


def _digest(text: str) -> str:
    return hashlib.sha256(f"{_SPLIT_VERSION}\0{text}".encode()).hexdigest()


def _digests(table: Any) -> dict[str, str]:
    if table is None:
        return {}
    columns = table.search().select(["source", "digest"]).limit(table.count_rows()).to_list()
    return {row["source"]: row["digest"] for row in columns}


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "node_modules" for part in path.parts)


def _reply(bot: Chatbot, question: str) -> None:
    if num_read := bot.index.refresh():
        print(f"(read {num_read} new or changed files)", file=sys.stderr)
    found = bot.index.search(question, bot.num_passages)
    passages = bot.fitting(found)
    for piece in bot.answer(question, passages):
        print(piece, end="", flush=True)
    print("\n\nSources:")
    for passage in passages:
        print(f"  {passage.source}, {passage.headings}: “{passage.text}”")
    others = {passage.source for passage in found} - {passage.source for passage in passages}
    if others:
        print(f"See also: {', '.join(sorted(others))}")


def _converse(bot: Chatbot) -> None:
    print("Ask something about the documents; Ctrl-D ends.")
    while True:
        try:
            question = input("\n> ").strip()
        except (EOFError, KeyboardInterrupt):
            print()
            return
        if question:
            _reply(bot, question)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Answers from a folder of Markdown, and names its sources.")
    parser.add_argument("--ask", metavar="QUESTION", help="answer this and end; without it, a conversation")
    parser.add_argument(
        "--folder", nargs="+", type=Path, default=[_PROJECT / "README.md", _PROJECT / "docs"], metavar="PATH",
        help="folders of Markdown, or files (default: openfm's own documents)",
    )  # fmt: skip
    parser.add_argument("--index", type=Path, metavar="DIR", help="where the index is kept (default: the user's cache)")
    parser.add_argument("--chat", default=CHAT, metavar="ENDPOINT", help="default: %(default)s")
    parser.add_argument("--embedding", default=EMBEDDING, metavar="ENDPOINT", help="default: %(default)s")
    parser.add_argument("--passages", type=int, default=4, metavar="N", help="to look up (default: %(default)s)")
    parser.add_argument(
        "--context-chars", type=int, default=160, metavar="N",
        help="characters of them in the prompt; larger models take thousands (default: %(default)s)",
    )  # fmt: skip
    add_arguments(parser)
    return parser.parse_args()


def _index_place(arguments: argparse.Namespace, folder: Folder) -> Path:
    if arguments.index:
        return Path(arguments.index)
    which = hashlib.sha256("\0".join(map(str, folder.roots)).encode()).hexdigest()[:16]
    return platformdirs.user_cache_path("openfm") / "rag_chatbot" / which


def main() -> int:
    """Answer what the command line asks; the exit status."""
    arguments = _arguments()
    try:
        folder = Folder(tuple(path.resolve() for path in arguments.folder))
        client = find_connection(arguments).client()
        index = Index(_index_place(arguments, folder), folder, Embedder(client, arguments.embedding))
        bot = Chatbot(client, arguments.chat, index, arguments.passages, arguments.context_chars)
        if arguments.ask:
            _reply(bot, arguments.ask)
        else:
            _converse(bot)
    except (UsageError, openai.APIError) as error:
        print(f"rag_chatbot: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
