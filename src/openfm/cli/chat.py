"""`openfm chat`: a conversation in the terminal, or one question through a pipe."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated

import typer
from rich.console import Console

from openfm.cli.client import Client, connected
from openfm.cli.errors import CliError, ExitCode, reported
from openfm.cli.profile import Given, HomeOption, Server, TokenOption, UrlOption, environment, find_server
from openfm.cli.text import neutral

with contextlib.suppress(ImportError):  # absent on some builds of Python; then lines cannot be edited
    import readline  # noqa: F401

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_HELP = """\
/system TEXT   set the system prompt (no TEXT: remove it)
/clear         forget the conversation, keep the system prompt
/exit          leave (so does Ctrl-D)
Ctrl-C stops an answer."""


@app.command()
def chat(
    name: Annotated[str, typer.Argument(help="The endpoint's name.")],
    prompt: Annotated[str | None, typer.Argument(help="One question; without it, a conversation.")] = None,
    system: Annotated[str | None, typer.Option("--system", help="The system prompt.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Longest answer, in tokens.")] = None,
    temperature: Annotated[float | None, typer.Option(help="0 for the likeliest answer.")] = None,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Talk with a chat endpoint; answers appear as they are made.

    A question as argument, or through a pipe, gets one answer on standard output. In a conversation /system, /clear,
    /exit and /help are commands.
    """
    sampling: dict[str, object] = {"max_tokens": max_tokens, "temperature": temperature}
    talk = Conversation(name, system, {key: value for key, value in sampling.items() if value is not None})
    with reported(as_json=False):
        server = find_server(Given(url, token, home), environment())
        question = prompt if prompt is not None else _piped()
        if question is None:
            _Terminal(Console(stderr=True)).run(server, talk)
        else:
            asyncio.run(_answer(server, talk, question))


@dataclass
class Conversation:
    """What was said so far."""

    endpoint: str
    system: str | None
    sampling: dict[str, object]
    turns: list[dict[str, str]] = field(default_factory=list)

    def body(self, question: str) -> dict[str, object]:
        """The request that asks `question` next."""
        first = [{"role": "system", "content": self.system}] if self.system else []
        return {"messages": [*first, *self.turns, {"role": "user", "content": question}], **self.sampling}

    def add(self, question: str, answer: str) -> None:
        """Remember a question and its answer."""
        self.turns += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


class Command(Enum):
    """What a typed line asks the terminal to do."""

    ASK = "ask"
    EXIT = "exit"
    HANDLED = "handled"


def obey(line: str, talk: Conversation, say: Callable[[str], None]) -> Command:
    """Do what a line that begins with `/` says; `say` tells the person."""
    if not line.startswith("/"):
        return Command.ASK if line.strip() else Command.HANDLED
    word, _, rest = line.strip().partition(" ")
    if word in {"/exit", "/quit"}:
        return Command.EXIT
    if word == "/system":
        talk.system = rest.strip() or None
        say(f"System prompt: {talk.system}" if talk.system else "No system prompt.")
    elif word == "/clear":
        talk.turns.clear()
        say("The conversation starts anew.")
    elif word == "/help":
        say(_HELP)
    else:
        say(f"{word} is no command; /help lists them.")
    return Command.HANDLED


def _piped() -> str | None:
    """What comes through a pipe; None at a terminal."""
    if sys.stdin.isatty():
        return None
    question = sys.stdin.read().strip()
    if not question:
        raise CliError("Standard input is empty, and no question was given.", ExitCode.USAGE)
    return question


async def _answer(server: Server, talk: Conversation, question: str) -> str:
    """Ask, write the answer as it comes, and return it."""
    async with connected(server) as client:
        return await _write_answer(client, talk, question)


async def _write_answer(client: Client, talk: Conversation, question: str) -> str:
    pieces: list[str] = []
    try:
        async with contextlib.aclosing(client.stream(talk.endpoint, talk.body(question))) as chunks:
            async for chunk in chunks:
                for choice in chunk.get("choices", []):
                    piece = str((choice.get("delta") or {}).get("content") or "")
                    pieces.append(piece)
                    sys.stdout.write(neutral(piece))
                sys.stdout.flush()
    finally:
        if pieces:
            sys.stdout.write("\n")
    return "".join(pieces)


class _Terminal:
    """The loop of a conversation: the prompt on standard error, answers on standard output."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, text: str) -> None:
        """Tell the person something that is no answer."""
        self._console.print(neutral(text), style="dim", markup=False, highlight=False)

    def run(self, server: Server, talk: Conversation) -> None:
        """Read, ask, answer, until the person leaves."""
        self.say(f"{talk.endpoint} at {server.url}. /help lists the commands.")
        while True:
            try:
                line = input("> ")
            except EOFError:
                self._console.print()
                return
            command = obey(line, talk, self.say)
            if command is Command.EXIT:
                return
            if command is Command.ASK:
                self.turn(server, talk, line)

    def turn(self, server: Server, talk: Conversation, question: str) -> None:
        """One question and its answer. A failure, or Ctrl-C, ends the answer and not the conversation."""
        try:
            answer = asyncio.run(_until_interrupted(_answer(server, talk, question)))
        except CliError as error:
            if error.exit_code in {ExitCode.NOT_ALLOWED, ExitCode.NOT_FOUND}:
                raise
            self.say(f"Error: {error.message}")
            return
        except asyncio.CancelledError:
            self.say("Stopped.")
            return
        talk.add(question, answer)


async def _until_interrupted(answer: Coroutine[None, None, str]) -> str:
    """Run it as a task that Ctrl-C cancels."""
    task = asyncio.ensure_future(answer)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, task.cancel)
    try:
        return await task
    finally:
        loop.remove_signal_handler(signal.SIGINT)
