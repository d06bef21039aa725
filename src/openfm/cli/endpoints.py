"""`openfm endpoints`: what is served; the other verbs are in `endpoints_manage.py` and `endpoints_watch.py`."""

import asyncio
import json
import sys
from typing import Annotated, Any

import typer

from openfm.cli import endpoints_events, endpoints_manage, endpoints_requests, endpoints_watch
from openfm.cli.client import Client, connected
from openfm.cli.endpoints_body import read_body
from openfm.cli.endpoints_manage import NameArgument
from openfm.cli.endpoints_show import row, show
from openfm.cli.errors import CliError, ExitCode, reported
from openfm.cli.output import Output, OutputOption, print_json, print_table, print_text
from openfm.cli.profile import Given, HomeOption, Server, TokenOption, UrlOption, environment, find_server
from openfm.cli.text import neutral
from openfm.cli.throughput.report import report
from openfm.core.model import Task

app = typer.Typer(
    help="Create, show, query, update and watch serving endpoints.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
)

app.command()(report)

_SHOWN_VALUES = 5


@app.command("list")
def list_endpoints(
    output: OutputOption = Output.TEXT, url: UrlOption = None, token: TokenOption = None, home: HomeOption = None
) -> None:
    """List the endpoints you may see."""
    with reported(as_json=output.is_json):
        endpoints = asyncio.run(_list(find_server(Given(url, token, home), environment())))
        if output.is_json:
            print_json(endpoints)
            return
        print_table(("NAME", "TASK", "STATE", "MODEL"), [row(endpoint) for endpoint in endpoints])


@app.command()
def get(
    name: NameArgument,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Show one endpoint."""
    with reported(as_json=output.is_json):
        endpoint = asyncio.run(_get(find_server(Given(url, token, home), environment()), name))
        show(endpoint, output)


@app.command()
def query(
    name: NameArgument,
    prompt: Annotated[str | None, typer.Argument(help="What to send; - reads standard input.")] = None,
    body: Annotated[
        str | None, typer.Option("--json", help="The whole request body instead: JSON, or @FILE, or @- .")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Longest answer, in tokens.")] = None,
    temperature: Annotated[float | None, typer.Option(help="0 for the likeliest answer.")] = None,
    stream: Annotated[bool, typer.Option("--stream", help="Write the answer as it comes.")] = False,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Send one request to an endpoint and write its answer."""
    with reported(as_json=output.is_json):
        if (prompt is None) == (body is None):
            raise CliError("Give either a prompt or --json.", ExitCode.USAGE)
        sampling: dict[str, object] = {"max_tokens": max_tokens, "temperature": temperature}
        given = {key: value for key, value in sampling.items() if value is not None}
        server = find_server(Given(url, token, home), environment())
        asyncio.run(_query(server, name, _Question(prompt, body, given), _Answer(output, is_streamed=stream)))


endpoints_manage.add_to(app)
endpoints_watch.add_to(app)
endpoints_requests.add_to(app)
endpoints_events.add_to(app)


class _Question:
    """What to send, from the command line."""

    def __init__(self, prompt: str | None, body: str | None, sampling: dict[str, object]) -> None:
        self._prompt = sys.stdin.read() if prompt == "-" else prompt
        self._body = None if body is None else read_body(body)
        self._sampling = sampling

    async def body(self, client: Client, name: str) -> dict[str, object]:
        """The request body, as the endpoint's task wants it."""
        if self._body is not None:
            return {**self._body, **self._sampling}
        task = (await client.get_endpoint(name)).get("task")
        if task == Task.EMBEDDINGS:
            return {"input": self._prompt}
        if task == Task.COMPLETIONS:
            return {"prompt": self._prompt, **self._sampling}
        return {"messages": [{"role": "user", "content": self._prompt}], **self._sampling}


class _Answer:
    """Writes an answer in the chosen form."""

    def __init__(self, output: Output, *, is_streamed: bool) -> None:
        self._output = output
        self.is_streamed = is_streamed

    def write(self, answer: dict[str, Any]) -> None:
        """A whole answer."""
        if self._output.is_json:
            print_json(answer)
            return
        for item in answer.get("data", []):
            vector = item["embedding"]
            print_text(f"{len(vector)} dimensions: {', '.join(f'{value:.6f}' for value in vector[:_SHOWN_VALUES])}, …")
        for choice in answer.get("choices", []):
            print_text(_text_of(choice))

    def write_chunk(self, chunk: dict[str, Any]) -> None:
        """A piece of a stream; in JSON, one object a line."""
        if self._output.is_json:
            sys.stdout.write(json.dumps(chunk, ensure_ascii=False) + "\n")
        else:
            sys.stdout.write("".join(neutral(_text_of(choice)) for choice in chunk.get("choices", [])))
        sys.stdout.flush()

    def end(self) -> None:
        """After the last piece."""
        if not self._output.is_json:
            sys.stdout.write("\n")


async def _list(server: Server) -> list[dict[str, Any]]:
    async with connected(server) as client:
        return await client.list_endpoints()


async def _get(server: Server, name: str) -> dict[str, Any]:
    async with connected(server) as client:
        return await client.get_endpoint(name)


async def _query(server: Server, name: str, question: _Question, answer: _Answer) -> None:
    async with connected(server) as client:
        body = await question.body(client, name)
        if not answer.is_streamed:
            answer.write(await client.query(name, body))
            return
        async for chunk in client.stream(name, body):
            answer.write_chunk(chunk)
        answer.end()


def _text_of(choice: dict[str, Any]) -> str:
    """The text of a choice: of a whole answer or of a chunk, of chat or of completions."""
    message = choice.get("message") or choice.get("delta") or {}
    content = message.get("content") or choice.get("text") or ""
    calls = message.get("tool_calls") or []
    return str(content) + "".join(json.dumps(call.get("function", call)) for call in calls)
