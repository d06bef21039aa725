"""`openfm endpoints`: what is served."""

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from openfm.cli.client import Client, connected
from openfm.cli.errors import CliError, ExitCode, reported
from openfm.cli.output import Output, OutputOption, print_facts, print_json, print_table, print_text
from openfm.cli.profile import Given, HomeOption, Server, TokenOption, UrlOption, environment, find_server
from openfm.cli.text import neutral
from openfm.core.model import Task

app = typer.Typer(
    help="List, show and query serving endpoints.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
)

NameArgument = Annotated[str, typer.Argument(help="The endpoint's name.")]
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
        print_table(("NAME", "TASK", "STATE", "MODEL"), [_row(endpoint) for endpoint in endpoints])


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
        if output.is_json:
            print_json(endpoint)
        else:
            print_facts(_facts(endpoint))


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


class _Question:
    """What to send, from the command line."""

    def __init__(self, prompt: str | None, body: str | None, sampling: dict[str, object]) -> None:
        self._prompt = sys.stdin.read() if prompt == "-" else prompt
        self._body = None if body is None else _read_body(body)
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


def _read_body(text: str) -> dict[str, object]:
    """The JSON object in `text`, or in the file it names. Raises `CliError`."""
    try:
        if text == "@-":
            text = sys.stdin.read()
        elif text.startswith("@"):
            text = Path(text[1:]).read_text(encoding="utf-8")
        body = json.loads(text)
    except (OSError, ValueError) as error:
        raise CliError(f"--json cannot be read: {error}.", ExitCode.USAGE) from error
    if not isinstance(body, dict):
        raise CliError("--json must be a JSON object.", ExitCode.USAGE)
    return body


def _text_of(choice: dict[str, Any]) -> str:
    """The text of a choice: of a whole answer or of a chunk, of chat or of completions."""
    message = choice.get("message") or choice.get("delta") or {}
    content = message.get("content") or choice.get("text") or ""
    calls = message.get("tool_calls") or []
    return str(content) + "".join(json.dumps(call.get("function", call)) for call in calls)


def _entities(endpoint: dict[str, Any]) -> list[dict[str, Any]]:
    config = endpoint.get("config") or {}
    return list(config.get("served_entities") or [])


def _row(endpoint: dict[str, Any]) -> tuple[str, ...]:
    models = ", ".join(str(_model_name(entity)) for entity in _entities(endpoint))
    return (str(endpoint.get("name")), str(endpoint.get("task")), _state(endpoint), models)


def _model_name(entity: dict[str, Any]) -> object:
    foundation = entity.get("foundation_model") or {}
    return foundation.get("display_name") or entity.get("entity_name") or entity.get("name")


def _state(endpoint: dict[str, Any]) -> str:
    return str((endpoint.get("state") or {}).get("ready", ""))


def _facts(endpoint: dict[str, Any]) -> list[tuple[str, str]]:
    facts = [
        ("name", str(endpoint.get("name"))),
        ("task", str(endpoint.get("task"))),
        ("state", _state(endpoint)),
        ("type", str(endpoint.get("endpoint_type") or "")),
        ("creator", str(endpoint.get("creator") or "")),
        ("created", _time(endpoint.get("creation_timestamp"))),
        ("permission", str(endpoint.get("permission_level") or "")),
    ]
    for entity in _entities(endpoint):
        foundation, state = entity.get("foundation_model") or {}, entity.get("state") or {}
        facts += [
            ("served entity", str(entity.get("name"))),
            ("  version", f"{entity.get('entity_name')} {entity.get('entity_version') or ''}"),
            ("  model", str(foundation.get("description") or _model_name(entity))),
            ("  deployment", f"{state.get('deployment', '')} {state.get('deployment_state_message', '')}".strip()),
        ]
    return facts


def _time(milliseconds: object) -> str:
    if not isinstance(milliseconds, int):
        return ""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")
