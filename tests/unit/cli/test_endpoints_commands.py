"""The endpoint verbs as a script runs them, against an API of a few lines that writes down what it is asked."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

ID = "0123456789abcdef0123456789abcdef"
ROOT = "/api/2.0/serving-endpoints"
PERMISSIONS = f"/api/2.0/permissions/serving-endpoints/{ID}"


@dataclass(slots=True)
class Api:
    """Answers every path; GETs of the endpoint itself see the `states` one after the other."""

    url: str = ""
    asked: list[tuple[str, str, object]] = field(default_factory=list)
    states: list[dict[str, Any]] = field(default_factory=list)
    logs: list[str] = field(default_factory=lambda: ["loaded\n"])
    entities: tuple[str, ...] = ("m-3",)

    async def answer(self, request: web.Request) -> web.Response:
        raw = await request.read()
        self.asked.append((request.method, request.path, json.loads(raw) if raw and raw != b"null" else None))
        if request.path.endswith("/mine") and request.method != "DELETE":
            return web.json_response(self.endpoint(self.states.pop(0) if self.states else None))
        if request.path.endswith(("/logs", "/build-logs")):
            return web.json_response({"logs": self.logs.pop(0) if len(self.logs) > 1 else self.logs[0]})
        if request.path.endswith("/metrics"):
            return web.Response(text="requests_total 3\n")
        if request.path.endswith("/unknown"):
            return web.json_response({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "No."}, status=404)
        return web.json_response(self.endpoint(None) if request.method == "POST" else {"done": True})

    def endpoint(self, state: dict[str, Any] | None) -> dict[str, Any]:
        """The one endpoint."""
        entities = [
            {"name": name, "state": (state or {}).get("entity", {"deployment": "DEPLOYMENT_READY"})}
            for name in self.entities
        ]
        update = (state or {}).get("update", "NOT_UPDATING")
        return {
            "name": "mine",
            "id": ID,
            "state": {"ready": "READY", "config_update": update},
            "pending_config" if state else "config": {"served_entities": entities},
        }

    @property
    def routes(self) -> list[tuple[str, str]]:
        """Method and path of everything asked."""
        return [(method, path) for method, path, _ in self.asked]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    api = Api()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", api.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    api.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield api
    await runner.cleanup()


async def started(api: Api, *arguments: str) -> asyncio.subprocess.Process:
    environ = {name: value for name, value in os.environ.items() if name in {"PATH", "PYTHONPATH"}}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "openfm",
        "endpoints",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environ | {"OPENFM_URL": api.url, "OPENFM_TOKEN": "good"},
    )


async def run(api: Api, *arguments: str) -> Ended:
    process = await started(api, *arguments)
    out, err = await process.communicate()
    return Ended(process.returncode or 0, out.decode(), err.decode())


BODY = '{"x": [1]}'
VERBS = [
    (("create", "mine", "--json", BODY), "POST", ROOT, {"x": [1], "name": "mine"}),
    (("update-config", "mine", "--json", BODY), "PUT", f"{ROOT}/mine/config", {"x": [1]}),
    (("delete", "mine"), "DELETE", f"{ROOT}/mine", None),
    (("stop", "mine"), "POST", f"{ROOT}/mine/config:stop", {}),
    (("start", "mine"), "POST", f"{ROOT}/mine/config:start", {}),
    (("cancel-update", "mine"), "POST", f"{ROOT}/mine/config:cancel", {}),
    (("patch", "mine", "--json", BODY), "PATCH", f"{ROOT}/mine/tags", {"x": [1]}),
    (
        ("patch", "mine", "--tag", "a=b", "--delete-tag", "c"),
        "PATCH",
        f"{ROOT}/mine/tags",
        {"add_tags": [{"key": "a", "value": "b"}], "delete_tags": ["c"]},
    ),
    (("put", "mine", "--json", BODY), "PUT", f"{ROOT}/mine/rate-limits", {"x": [1]}),
    (("put-ai-gateway", "mine", "--json", BODY), "PUT", f"{ROOT}/mine/ai-gateway", {"x": [1]}),
    (
        ("create-provisioned-throughput-endpoint", "mine", "--json", BODY),
        "POST",
        f"{ROOT}/pt",
        {"x": [1], "name": "mine"},
    ),
    (
        ("update-provisioned-throughput-endpoint-config", "mine", "--json", BODY),
        "PUT",
        f"{ROOT}/pt/mine/config",
        {"x": [1]},
    ),
    (("get-open-api", "mine"), "GET", f"{ROOT}/mine/openapi", None),
    (("export-metrics", "mine"), "GET", f"{ROOT}/mine/metrics", None),
    (("logs", "mine", "m-3"), "GET", f"{ROOT}/mine/served-models/m-3/logs", None),
    (("build-logs", "mine", "m-3"), "GET", f"{ROOT}/mine/served-models/m-3/build-logs", None),
    (("get-permissions", "mine"), "GET", PERMISSIONS, None),
    (("get-permission-levels", "mine"), "GET", f"{PERMISSIONS}/permissionLevels", None),
    (("set-permissions", "mine", "--json", BODY), "PUT", PERMISSIONS, {"x": [1]}),
    (("update-permissions", "mine", "--json", BODY), "PATCH", PERMISSIONS, {"x": [1]}),
]


@pytest.mark.parametrize(("arguments", "method", "path", "body"), VERBS, ids=[" ".join(verb[0][:2]) for verb in VERBS])
async def test_each_verb_is_the_request_of_databricks_own_client(
    api: Api, arguments: tuple[str, ...], method: str, path: str, body: object
) -> None:
    ended = await run(api, *arguments, "-o", "json")
    assert (ended.code, ended.err) == (0, "")
    assert api.asked[-1] == (method, path, body)


async def test_a_body_is_read_from_a_file(api: Api, tmp_path: Path) -> None:
    (tmp_path / "body.json").write_text('{"name": "mine", "config": {}}')
    await run(api, "create", "--json", f"@{tmp_path}/body.json")
    assert api.asked == [("POST", ROOT, {"name": "mine", "config": {}})]


async def test_flags_are_enough_for_one_model(api: Api) -> None:
    ended = await run(api, "create", "mine", "--model", "a.b.m", "--version", "3", "--scale-to-zero", "--tag", "t=1")
    assert ended.code == 0
    entity = {"entity_name": "a.b.m", "entity_version": "3", "scale_to_zero_enabled": True}
    tags = [{"key": "t", "value": "1"}]
    assert api.asked == [("POST", ROOT, {"config": {"served_entities": [entity]}, "name": "mine", "tags": tags})]


async def test_model_units_have_their_own_route(api: Api) -> None:
    await run(api, "create", "mine", "--model", "a.b.m", "--version", "3", "--units", "50")
    assert api.routes == [("POST", f"{ROOT}/pt")]


async def test_waiting_shows_each_entity_and_ends_with_the_endpoint(api: Api) -> None:
    loading = {"deployment": "DEPLOYMENT_CREATING", "deployment_state_message": "Loading 40 %."}
    api.states = [{"update": "IN_PROGRESS", "entity": loading}]
    ended = await run(api, "create", "mine", "--json", "{}", "--wait", "-o", "json")
    assert ended.code == 0
    assert ended.err == "m-3: creating: Loading 40 %.\nm-3: ready\n"
    assert json.loads(ended.out)["state"]["config_update"] == "NOT_UPDATING"


async def test_waiting_for_an_update_that_fails_ends_with_1_and_the_reason(api: Api) -> None:
    why = {"deployment": "DEPLOYMENT_FAILED", "deployment_state_message": "It needs 9 GiB."}
    api.states = [{"update": "UPDATE_FAILED", "entity": why}]
    ended = await run(api, "start", "mine", "--wait")
    assert ended.code == 1
    assert "Error: The update of 'mine' failed. m-3 failed: It needs 9 GiB." in ended.err


async def test_logs_need_no_entity_where_there_is_one_alone(api: Api) -> None:
    assert (await run(api, "logs", "mine")).out == "loaded\n"
    api.entities = ("a", "b")
    ended = await run(api, "logs", "mine")
    assert ended.code == 2
    assert "a, b" in ended.err


async def test_following_logs_writes_what_comes_until_ctrl_c(api: Api) -> None:
    line = "a line of an engine's log, longer than the least overlap that counts\n"
    api.logs = [f"1 {line}", f"1 {line}2 {line}", f"1 {line}2 {line}3 {line}"]
    process = await started(api, "logs", "mine", "-f")
    assert process.stdout is not None
    written = [(await process.stdout.readline()).decode() for _ in range(3)]
    assert written == [f"{number} {line}" for number in (1, 2, 3)]
    process.send_signal(signal.SIGINT)
    out, _ = await process.communicate()
    assert (process.returncode, out) == (130, b"")


async def test_permissions_take_an_id_as_databricks_own_client_does(api: Api) -> None:
    ended = await run(api, "get-permissions", "unknown")
    assert ended.code == 4
    assert api.routes[-1] == ("GET", "/api/2.0/permissions/serving-endpoints/unknown")


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "mine"),
        ("create", "--json", "{}"),
        ("create", "mine", "--json", "{}", "--model", "a.b.m"),
        ("create", "mine", "--model", "a.b.m", "--wait", "--timeout", "soon"),
        ("update-config", "mine"),
        ("patch", "mine"),
        ("patch", "mine", "--json", "{}", "--tag", "a=b"),
        ("put", "mine"),
        ("logs", "mine", "-f", "-o", "json"),
    ],
)
async def test_half_a_command_asks_nothing(api: Api, arguments: tuple[str, ...]) -> None:
    ended = await run(api, *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert api.asked == []
