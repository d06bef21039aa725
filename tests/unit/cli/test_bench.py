"""`openfm bench` against servers of all manners."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from typer.testing import CliRunner

from openfm.cli.bench.command import app
from openfm.cli.bench.sender import Sender
from openfm.cli.bench.target import Target, url_target
from openfm.cli.errors import CliError
from openfm.cli.profile import Server
from openfm.core.model import Task
from openfm.load.outcome import Outcome
from openfm.load.runner import Planned

Handler = Callable[[web.Request], Any]
HELLO = Planned(0.0, "hello", 3)


@asynccontextmanager
async def served(handler: Handler, path: str = "/v1/chat/completions") -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_post(path, handler)
    async with TestServer(application) as server:
        yield str(server.make_url(path))


async def sent(handler: Handler, task: Task = Task.CHAT, timeout_s: float = 5.0) -> Outcome:
    async with served(handler) as url, aiohttp.ClientSession() as session:
        return await Sender(session, Target(url, "secret", task, "m"), timeout_s).send(HELLO, due_s=0.0)


def streaming(*events: str) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for event in events:
            await response.write(f"data: {event}\n\n".encode())
        return response

    return handler


def text(content: str, **more: object) -> str:
    return json.dumps({"choices": [{"delta": {"content": content}}], **more})


USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}}


async def test_usage_counts_tokens_and_the_first_text_begins_the_answer() -> None:
    role = json.dumps({"choices": [{"delta": {"role": "assistant", "content": ""}}]})
    usage = json.dumps({"choices": [], "usage": USAGE})
    outcome = await sent(streaming(role, text("a"), text("b"), usage, "[DONE]"))
    assert outcome.is_ok
    assert not outcome.is_estimated
    assert (outcome.prompt_tokens, outcome.cached_tokens, outcome.completion_tokens) == (9, 4, 3)
    assert outcome.first_s is not None


async def test_without_usage_a_word_and_a_chunk_are_tokens_and_that_is_told() -> None:
    outcome = await sent(streaming(text("a"), text("b"), "[DONE]"))
    assert (outcome.prompt_tokens, outcome.completion_tokens, outcome.is_estimated) == (1, 2, True)


@pytest.mark.parametrize(
    ("events", "kind"),
    [
        ((text("a"),), "broke off"),
        ((text("a"), '{"error": {"message": "no"}}'), "error in stream"),
        (("{",), "not understood"),
        (("[1]",), "not understood"),
    ],
)
async def test_what_goes_wrong_in_a_stream_is_told_by_kind(events: tuple[str, ...], kind: str) -> None:
    assert (await sent(streaming(*events))).error == kind


async def test_a_strangers_odd_shapes_are_passed_over() -> None:
    odd = '{"choices": "none", "usage": 4}', '{"choices": [3]}', '{"usage": {"prompt_tokens": "many"}}'
    assert (await sent(streaming(*odd, text("a"), "[DONE]"))).is_ok


async def test_a_refusal_is_told_by_its_status() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=429, headers={"retry-after": "1"})

    assert (await sent(handler)).error == "429"


async def test_silence_is_a_timeout_and_no_server_a_connection() -> None:
    over = asyncio.Event()

    async def handler(_: web.Request) -> web.Response:
        await over.wait()
        return web.Response()

    outcome = await sent(handler, timeout_s=0.05)
    assert outcome.error == "timeout"
    async with aiohttp.ClientSession() as session:
        target = Target("http://127.0.0.1:1/v1/chat/completions", None, Task.CHAT, "m")
        outcome = await Sender(session, target, 1.0).send(HELLO, 0.0)
    assert outcome.error is not None
    assert outcome.error.startswith("connection: ")


async def test_embeddings_are_one_answer() -> None:
    async def handler(request: web.Request) -> web.Response:
        assert await request.json() == {"model": "m", "input": "hello"}
        assert request.headers["authorization"] == "Bearer secret"
        return web.json_response({"data": [], "usage": {"prompt_tokens": 2}})

    outcome = await sent(handler, Task.EMBEDDINGS)
    assert outcome.is_ok
    assert outcome.prompt_tokens == 2


@pytest.mark.parametrize(
    ("url", "task", "whole"),
    [
        ("http://host:8000/v1", None, "http://host:8000/v1/chat/completions"),
        ("http://host:8000/v1/", "embeddings", "http://host:8000/v1/embeddings"),
        ("http://host/v1/completions", None, "http://host/v1/completions"),
        ("http://host/v1/chat/completions", None, "http://host/v1/chat/completions"),
    ],
)
def test_a_base_url_is_completed_by_the_task(url: str, task: str | None, whole: str) -> None:
    target = url_target(url, Server(url, None), "m", task)
    assert target.url == whole
    assert whole.endswith(str(target.task).rpartition("/")[2]) or target.task is Task.CHAT


def test_a_url_needs_a_model_and_a_task_that_there_is() -> None:
    with pytest.raises(CliError, match="--model"):
        url_target("http://host/v1", Server("", None), None, None)
    with pytest.raises(CliError, match="no task"):
        url_target("http://host/v1", Server("", None), "m", "poems")


async def test_the_command_writes_a_report_for_each_output(tmp_path: Path) -> None:
    usage = json.dumps({"choices": [], "usage": USAGE})
    files = tmp_path / "run.json", tmp_path / "run.html"
    async with served(streaming(text("a"), text("b"), usage, "[DONE]")) as url:
        base = url.removesuffix("/chat/completions")
        arguments = [base, "--model", "m", "--rate", "50", "--duration", "0.2", "--warm-up", "0.2", "--ttft", "5000"]
        outputs = ["-o", "text", "-o", str(files[0]), "-o", str(files[1])]
        result = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, *outputs, "--arrivals", "constant"])
    assert result.exit_code == 0, result.output
    written = json.loads(files[0].read_text())
    assert written["summary"]["requests"] == 10
    assert written["warm_up_requests"] == 10
    assert written["summary"]["errors"] == {}
    assert "<svg" in files[1].read_text()
    assert "TTFT ≤ 5000 ms at p95: met" in result.output


async def test_estimated_tokens_are_called_so_in_every_output(tmp_path: Path) -> None:
    files = tmp_path / "run.json", tmp_path / "run.html"
    async with served(streaming(text("a"), text("b"), "[DONE]")) as url:
        arguments = [url, "--model", "m", "--rate", "20", "--duration", "0.2", "--warm-up", "0"]
        outputs = ["-o", "text", "-o", str(files[0]), "-o", str(files[1]), "--arrivals", "constant"]
        result = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, *outputs])
    assert result.exit_code == 0, result.output
    written = json.loads(files[0].read_text())
    assert written["summary"]["estimated"] == written["summary"]["answered"] == 4
    assert written["requests"][0]["is_estimated"]
    for told in (result.output, files[1].read_text(), *written["notes"]):
        assert "the server sent no usage with 4 of 4 answers" in told


async def test_a_run_without_an_answer_is_written_and_fails() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=429)

    async with served(handler) as url:
        arguments = [url, "--model", "m", "--rate", "20", "--duration", "0.2", "--warm-up", "0", "-o", "json"]
        result = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, "--arrivals", "constant"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["summary"]["errors"] == {"429": 4}
    assert "None of 4 requests was answered: 4 of 429." in result.stderr


@pytest.mark.parametrize(
    "wrong",
    [
        ["--rate", "0"],
        ["--prompt-tokens", "many"],
        ["--arrivals", "whenever"],
        ["--percentile", "100"],
        ["-o", "run.pdf"],
        ["-o", "no/such/folder/run.json"],
        ["--rate", "1e9"],
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_sent(wrong: list[str]) -> None:
    result = CliRunner().invoke(app, ["http://127.0.0.1:1/v1", "--model", "m", *wrong])
    assert result.exit_code == 2, result.output
