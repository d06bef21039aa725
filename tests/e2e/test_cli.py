"""The command line as a person or a script runs it, against an API of a few lines."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from openfm import __version__

ENDPOINT = {
    "name": "tiny",
    "task": "llm/v1/chat",
    "state": {"ready": "READY", "config_update": "NOT_UPDATING"},
    "creation_timestamp": 1_700_000_000_000,
    "config": {"served_entities": [{"name": "tiny", "foundation_model": {"display_name": "Tiny\x1b[31m"}}]},
}
GOOD = "good"
HEAVY = ("aiohttp", "fastapi", "httpx", "huggingface_hub", "msgspec", "onnxruntime", "psutil", "pydantic", "sqlalchemy")


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass
class Api:
    """An API with one endpoint; remembers the bodies it got."""

    url: str = ""
    bodies: list[dict[str, object]] = field(default_factory=list)
    breaks_off: bool = False

    def refused(self, request: web.Request) -> web.Response | None:
        if request.headers.get("Authorization") == "Bearer good":
            return None
        return web.json_response({"error_code": "UNAUTHENTICATED", "message": "The token is not known."}, status=401)

    async def listed(self, request: web.Request) -> web.Response:
        return self.refused(request) or web.json_response({"endpoints": [ENDPOINT]})

    async def one(self, request: web.Request) -> web.Response:
        if request.match_info["name"] != "tiny":
            body = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "The serving endpoint does not exist."}
            return web.json_response(body, status=404)
        return self.refused(request) or web.json_response(ENDPOINT)

    async def exported(self, request: web.Request) -> web.Response:
        span = f"{request.query['from']} {request.query['to']} {request.query['format']}"
        return self.refused(request) or web.Response(text=f"{span}\n", content_type="text/csv")

    async def invoke(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        if not body.get("stream"):
            return web.json_response({"choices": [{"message": {"role": "assistant", "content": "Paris\x07"}}]})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for piece in ("Pa", "ris\x1b[2J"):
            chunk = {"choices": [{"index": 0, "delta": {"content": piece}}]}
            await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        if self.breaks_off:
            await response.write(b'data: {"error_code": "INTERNAL_ERROR", "message": "The engine broke."}\n\n')
        else:
            await response.write(b"data: [DONE]\n\n")
        return response


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    api = Api()
    app = web.Application()
    app.router.add_get("/api/2.0/serving-endpoints", api.listed)
    app.router.add_get("/api/2.0/serving-endpoints/{name}", api.one)
    app.router.add_get("/api/2.0/openfm/usage/export", api.exported)
    app.router.add_post("/serving-endpoints/{name}/invocations", api.invoke)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    api.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield api
    await runner.cleanup()


async def run(*arguments: str, stdin: str = "", **environ: str) -> Ended:
    """Run `openfm` with only the variables it is given."""
    return await run_python("-m", "openfm", *arguments, stdin=stdin, **environ)


async def run_python(*arguments: str, stdin: str = "", **environ: str) -> Ended:
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "PYTHONPATH", "SYSTEMROOT"}}
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**kept, **environ},
    )
    out, err = await child.communicate(stdin.encode())
    return Ended(child.returncode or 0, out.decode(), err.decode())


def reach(api: Api, token: str = GOOD) -> dict[str, str]:
    return {"OPENFM_URL": api.url, "OPENFM_TOKEN": token}


async def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom openfm.cli.main import app\n"
        "app(['--help'], standalone_mode=False)\n"
        "sys.stderr.write(' '.join(sys.modules))"
    )
    ended = await run_python("-c", code)
    assert "doctor" in ended.out
    loaded = set(ended.err.split())
    assert not loaded & set(HEAVY)
    assert "rich.console" not in loaded


async def test_help_takes_a_small_multiple_of_pythons_own_start() -> None:
    async def fastest(*python: str) -> float:
        times = []
        for _ in range(3):
            began = time.perf_counter()
            await run_python(*python)
            times.append(time.perf_counter() - began)
        return min(times)

    assert await fastest("-m", "openfm", "--help") < 20 * await fastest("-c", "pass")


async def test_version_is_on_standard_output() -> None:
    assert (await run("--version")).out == f"openfm {__version__}\n"
    assert json.loads((await run("version", "-o", "json")).out)["openfm"] == __version__


async def test_a_mistyped_verb_is_a_usage_error_with_the_nearest_one() -> None:
    ended = await run("modles", "list")
    assert ended.code == 2
    assert "models" in ended.err
    assert ended.out == ""


@pytest.mark.parametrize("group", ["endpoints", "serving-endpoints"])
async def test_endpoints_are_listed_for_people_and_programs(api: Api, group: str) -> None:
    text = await run(group, "list", **reach(api))
    assert (text.code, text.err) == (0, "")
    assert "tiny" in text.out
    assert "READY" in text.out
    assert "\x1b" not in text.out
    data = await run(group, "list", "-o", "json", **reach(api))
    assert json.loads(data.out) == [ENDPOINT]
    variable = await run(group, "list", OPENFM_OUTPUT="json", **reach(api))
    assert variable.out == data.out


async def test_one_endpoint_is_an_object(api: Api) -> None:
    assert json.loads((await run("endpoints", "get", "tiny", "-o", "json", **reach(api))).out) == ENDPOINT
    assert "2023-11-14T22:13:20+00:00" in (await run("endpoints", "get", "tiny", **reach(api))).out


async def test_a_wrong_token_ends_with_3_and_says_where_the_right_one_is(api: Api) -> None:
    ended = await run("endpoints", "list", **reach(api, "bad"))
    assert ended.code == 3
    assert "admin-token" in ended.err


async def test_an_unknown_endpoint_ends_with_4_and_json_on_standard_error(api: Api) -> None:
    ended = await run("endpoints", "get", "nope", "-o", "json", **reach(api))
    assert ended.code == 4
    assert ended.out == ""
    assert json.loads(ended.err)["error_code"] == "RESOURCE_DOES_NOT_EXIST"


async def test_no_server_ends_with_7(tmp_path: Path) -> None:
    assert (await run("endpoints", "list", "--home", str(tmp_path))).code == 7
    ended = await run("endpoints", "list", "--url", "http://127.0.0.1:1")
    assert ended.code == 7
    assert "openfm serve" in ended.err


async def test_the_server_of_this_machine_is_found_by_its_files(api: Api, tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text(json.dumps({"url": api.url}))
    (tmp_path / "admin-token").write_text("good\n")
    assert (await run("endpoints", "list", "--home", str(tmp_path))).code == 0
    assert (await run("endpoints", "list", OPENFM_HOME=str(tmp_path))).code == 0


async def test_databricks_own_variables_are_enough(api: Api) -> None:
    ended = await run("endpoints", "list", DATABRICKS_HOST=api.url, DATABRICKS_TOKEN="good")
    assert ended.code == 0


async def test_a_query_sends_what_the_task_wants(api: Api) -> None:
    ended = await run("endpoints", "query", "tiny", "Capital of France?", "--max-tokens", "5", **reach(api))
    assert ended.out == "Paris\u2407\n"
    assert api.bodies == [{"messages": [{"role": "user", "content": "Capital of France?"}], "max_tokens": 5}]


async def test_a_query_takes_a_whole_body(api: Api, tmp_path: Path) -> None:
    body = {"messages": [{"role": "user", "content": "Hi"}], "n": 2}
    (tmp_path / "body.json").write_text(json.dumps(body))
    for given, stdin in ((json.dumps(body), ""), (f"@{tmp_path}/body.json", ""), ("@-", json.dumps(body))):
        assert (await run("endpoints", "query", "tiny", "--json", given, stdin=stdin, **reach(api))).code == 0
    assert api.bodies == [body] * 3


@pytest.mark.parametrize(
    "arguments", [(), ("a", "--json", "{}"), ("--json", "[1]"), ("--json", "{"), ("--json", "@no")]
)
async def test_a_query_without_a_usable_body_is_a_usage_error(api: Api, arguments: tuple[str, ...]) -> None:
    ended = await run("endpoints", "query", "tiny", *arguments, **reach(api))
    assert ended.code == 2
    assert api.bodies == []


async def test_a_streamed_query_writes_one_chunk_a_line_for_programs(api: Api) -> None:
    ended = await run("endpoints", "query", "tiny", "Hi", "--stream", "-o", "json", **reach(api))
    pieces = [json.loads(line)["choices"][0]["delta"]["content"] for line in ended.out.splitlines()]
    assert pieces == ["Pa", "ris\x1b[2J"]


async def test_chat_answers_a_pipe_and_obeys_no_escape_sequence(api: Api) -> None:
    ended = await run("chat", "tiny", "--system", "Be brief.", stdin="Capital of France?\n", **reach(api))
    assert (ended.code, ended.out) == (0, "Paris\u241b[2J\n")
    assert api.bodies[0]["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Capital of France?"},
    ]


async def test_chat_with_an_empty_pipe_is_a_usage_error(api: Api) -> None:
    assert (await run("chat", "tiny", stdin=" ", **reach(api))).code == 2


async def test_an_answer_that_breaks_off_ends_with_8(api: Api) -> None:
    api.breaks_off = True
    ended = await run("chat", "tiny", "Hi", **reach(api))
    assert ended.code == 8
    assert ended.out.startswith("Paris")
    assert "The engine broke." in ended.err


async def test_models_are_listed_with_the_reason_why_not(tmp_path: Path) -> None:
    ended = await run("models", "list", "-o", "json", "--home", str(tmp_path))
    models = {model["name"]: model for model in json.loads(ended.out)}
    assert models["dbrx-instruct"]["can_run"] == (models["dbrx-instruct"]["reason"] is None)
    assert models["smollm2-135m-instruct"]["present_bytes"] == 0
    assert (await run("models", "show", "dbrx-instruct", "--home", str(tmp_path))).out.startswith("name")
    assert (await run("models", "show", "dbrx", "--home", str(tmp_path))).code == 4


async def test_a_wrong_setting_is_a_usage_error(tmp_path: Path) -> None:
    ended = await run("models", "list", "--home", str(tmp_path), OPENFM_PORT="many")
    assert ended.code == 2
    assert "port" in ended.err


async def test_the_doctor_ends_with_8_when_something_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = await run(
        "doctor", "-o", "json", "--home", str(tmp_path / "file"), "--models-dir", str(tmp_path / "models")
    )
    findings = {finding["check"]: finding["level"] for finding in json.loads(ended.out)}
    assert ended.code == 8
    assert findings["home"] == "fail"
    assert findings["engine onnx"] == "ok"


async def test_an_export_replaces_no_file_unless_told_to_and_leaves_none_behind_when_it_fails(
    api: Api, tmp_path: Path
) -> None:
    file = tmp_path / "usage.csv"
    verb = ("usage", "export", str(file), "--from", "2026-11-01", "--to", "2026-11-30")
    assert (await run(*verb, **reach(api, "bad"))).code == 3
    assert names_in(tmp_path) == []
    ended = await run(*verb, **reach(api))
    assert (ended.code, ended.out) == (0, "")
    assert file.read_text() == "2026-11-01 2026-11-30 csv\n"
    again = await run(*verb, **reach(api))
    assert again.code == 5
    assert "--overwrite" in again.err
    assert (await run(*verb, "--overwrite", "--format", "parquet", **reach(api))).code == 0
    assert names_in(tmp_path) == ["usage.csv"]
    nowhere = await run("usage", "export", str(tmp_path / "no" / "f"), *verb[3:], **reach(api))
    assert nowhere.code == 2


def names_in(folder: Path) -> list[str]:
    return [found.name for found in folder.iterdir()]
