"""`openfm batch`: every row of a file through a model, by `ai_query` in SQL."""

import asyncio
import random
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from openfm.batch.answers import Answers
from openfm.batch.asking import Manner, ask_all
from openfm.batch.cost import estimate
from openfm.batch.query import Query
from openfm.batch.question import BatchError, Question
from openfm.cli.batch_server import BatchServer, billed, keeps_answers, prices_of
from openfm.cli.client import Client, connected
from openfm.cli.errors import CliError, ExitCode, reported
from openfm.cli.profile import Given, HomeOption, Server, TokenOption, UrlOption, environment, find_server
from openfm.cli.text import neutral
from openfm.core.price import shown_pico

_MOST_PASSES = 5
_GO_ON = "The same command goes on where this one stopped."
_BILLED_WITHIN_S = 10.0
_BILL_PAUSE_S = 0.5

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def batch(
    query: Annotated[str, typer.Argument(help="A SELECT with ai_query('endpoint', prompt), over files here.")],
    output: Annotated[Path, typer.Option("--to", help="Where the rows go: .parquet, .csv, .json or .jsonl.")],
    at_once: Annotated[int, typer.Option("--at-once", min=1, max=256, help="Requests under way at a time.")] = 8,
    retries: Annotated[int, typer.Option(min=0, help="How often a request is sent again.")] = 10,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether the estimated cost is right.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if there is one.")] = False,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Ask endpoints about every row of Parquet, CSV or JSON files.

    What it will cost is shown and confirmed first. A batch that was stopped, however, goes on when the same command
    is run again: what was answered is kept in a file beside the output.
    """
    with reported(as_json=False):
        if output.exists() and not overwrite:
            raise CliError(f"{output} is there already.", ExitCode.CONFLICT, hint="--overwrite replaces it.")
        server = find_server(Given(url, token, home), environment())
        manner = Manner(at_once, retries, asyncio.sleep, random.random)
        try:
            asked = Query(query, output)
            with closing(Answers(output.with_name(f"{output.name}.state"), query, server.url)) as answers:
                asyncio.run(Batch(server, asked, answers, manner, is_confirmed=yes).run())
        except BatchError as error:
            raise CliError(
                str(error), hint=_GO_ON if output.with_name(f"{output.name}.state").exists() else ""
            ) from error
        finally:
            output.with_name(f"{output.name}.part").unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Batch:
    """One run of a batch."""

    server: Server
    query: Query
    answers: Answers
    manner: Manner
    is_confirmed: bool

    async def run(self) -> None:
        """Pass after pass, until each answer is there. Raises `BatchError`, `CliError`."""
        async with connected(self.server) as client:
            for _ in range(_MOST_PASSES):
                await asyncio.to_thread(self.query.write, self.answers)
                waiting = self.answers.open()
                if not waiting:
                    await self._finish(client)
                    return
                endpoints = await _endpoints(client, {one.question.endpoint for one in waiting})
                await self._confirm(client, endpoints)
                await self._ask(client, endpoints)
        raise BatchError("The query asks something new each time it runs. Does it use random() or the time?")

    async def _confirm(self, client: Client, endpoints: Mapping[str, Any]) -> None:
        questions: dict[str, list[Question]] = defaultdict(list)
        for one in self.answers.open():
            questions[one.question.endpoint].append(one.question)
        for name, asked in sorted(questions.items()):
            prices = await prices_of(client, endpoints[name], time.time_ns() // 1000)
            expected = estimate(asked, str(endpoints[name].get("task")), prices)
            tokens = f"{expected.prompt_tokens:,} prompt and at most {expected.completion_tokens:,} completion tokens"
            cost = f"{shown_pico(expected.pico)} {expected.currency}"
            _say(f"{name}: {expected.questions:,} questions, about {tokens}: about {cost}")
        if self.is_confirmed:
            return
        if not sys.stdin.isatty():
            raise CliError("Nobody can be asked whether to go on.", ExitCode.USAGE, hint="Give --yes.")
        if not typer.confirm("Go on?", err=True):
            raise CliError("Nothing was asked.", ExitCode.INTERRUPTED)

    async def _ask(self, client: Client, endpoints: Mapping[str, Any]) -> None:
        tasks = {name: str(endpoint.get("task") or "") for name, endpoint in endpoints.items()}
        columns = (TextColumn("asking"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as progress:
            bar = progress.add_task("asking", total=len(self.answers.open()))
            keeping = frozenset(name for name, endpoint in endpoints.items() if keeps_answers(endpoint))
            server = BatchServer(client, self.answers.batch, tasks, keeping)
            await ask_all(server, self.answers, self.manner, lambda: progress.advance(bar))

    async def _finish(self, client: Client) -> None:
        answered, failed, again = self.answers.counts()
        _say(f"{answered:,} answered, {failed:,} failed: {self.query.output}")
        for error in self.answers.errors(3):
            _say(f"  {error}")
        if again:
            _say(f"{again:,} were asked and billed again: their answers were lost when the command was killed.")
        for currency, requests, prompt, completion, cost in await self._bill(client, answered):
            tokens = f"{prompt:,} prompt and {completion:,} completion tokens"
            _say(f"Billed: {requests:,} requests, {tokens}, {cost.normalize():f} {currency}")
        self.query.draft.replace(self.query.output)
        self.answers.discard()

    async def _bill(self, client: Client, answered: int) -> Any:
        until = time.monotonic() + _BILLED_WITHIN_S
        while True:
            bill = await billed(client, self.answers.batch)
            if sum(line[1] for line in bill) >= answered or time.monotonic() > until:
                return bill
            await asyncio.sleep(_BILL_PAUSE_S)


async def _endpoints(client: Client, names: set[str]) -> dict[str, Any]:
    return {name: await client.get_endpoint(name) for name in sorted(names)}


def _say(text: str) -> None:
    sys.stderr.write(f"{neutral(text)}\n")
