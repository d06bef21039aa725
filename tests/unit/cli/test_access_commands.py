"""The verbs of access as a script runs them, against an API of a few lines that writes down what it is asked."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

SCIM = "/api/2.0/preview/scim/v2"
SECRETS = "/api/2.0/secrets"
ENDPOINT_ID = "0123456789abcdef0123456789abcdef"
PERMISSIONS = f"/api/2.0/permissions/serving-endpoints/{ENDPOINT_ID}"
MADE_TOKEN = {"token_value": "dapi1", "token_info": {"token_id": "a1", "comment": "c", "expiry_time": -1}}
PEOPLE: dict[str, dict[str, Any]] = {
    "Users": {"id": "5", "userName": "ana@x.org", "displayName": "Ana", "active": True, "groups": []},
    "Groups": {"id": "6", "displayName": "team", "members": [{"display": "Ana"}]},
    "ServicePrincipals": {"id": "7", "applicationId": "app", "displayName": "robot"},
}


@dataclass(slots=True)
class Api:
    """Knows one user, one group, one service principal and one endpoint."""

    url: str = ""
    asked: list[tuple[str, str, Any]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        raw = await request.read()
        self.asked.append((request.method, request.path, json.loads(raw) if raw and raw != b"null" else None))
        if request.path.startswith(SCIM):
            return self._scim(request)
        if "token" in request.path:
            infos = [{"token_id": "a1", "comment": "\x1b[31mred", "creation_time": 0, "expiry_time": -1, "owner_id": 5}]
            return web.json_response({**MADE_TOKEN, "token_infos": infos})
        secret = {"secret": "dose1", "create_time": "2026-01-01T00:00:00Z"}
        return web.json_response(
            {"id": ENDPOINT_ID, **secret, "secrets": [], "scopes": [], "items": [], "value": "/wA=", "key": "k"}
        )

    def _scim(self, request: web.Request) -> web.Response:
        if request.method == "DELETE":
            return web.Response(status=204)
        collection = request.path.removeprefix(SCIM).split("/")[1]
        person = PEOPLE[collection]
        if request.path.count("/") > SCIM.count("/") + 1 or request.method == "POST":
            return web.json_response(person)
        wanted = request.query.get("filter", "")
        is_there = not wanted or any(json.dumps(str(value)) in wanted for value in person.values())
        return web.json_response({"Resources": [person] if is_there else []})


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: bytes
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


async def run(api: Api, *arguments: str, typed: bytes = b"") -> Ended:
    environ = {name: value for name, value in os.environ.items() if name in {"PATH", "PYTHONPATH"}}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "openfm",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environ | {"OPENFM_URL": api.url, "OPENFM_TOKEN": "good"},
    )
    out, err = await process.communicate(typed)
    return Ended(process.returncode or 0, out, err.decode())


ACL = {"user_name": "ana@x.org", "permission_level": "CAN_QUERY"}
ASKS = [
    (
        "tokens create --comment c --lifetime 90d",
        "POST",
        "/api/2.0/token/create",
        {"comment": "c", "lifetime_seconds": 7_776_000},
    ),
    (
        "tokens create --for app",
        "POST",
        "/api/2.0/token-management/on-behalf-of/tokens",
        {"application_id": "app"},
    ),
    ("tokens delete a1", "POST", "/api/2.0/token/delete", {"token_id": "a1"}),
    ("tokens delete a1 --any", "DELETE", "/api/2.0/token-management/tokens/a1", None),
    ("users create ana@x.org", "POST", f"{SCIM}/Users", {"userName": "ana@x.org"}),
    ("users delete ana@x.org", "DELETE", f"{SCIM}/Users/5", None),
    ("groups create team --member app", "POST", f"{SCIM}/Groups", {"displayName": "team", "members": [{"value": "7"}]}),
    ("groups delete 6", "DELETE", f"{SCIM}/Groups/6", None),
    ("service-principals create robot", "POST", f"{SCIM}/ServicePrincipals", {"displayName": "robot"}),
    (
        "service-principals secret robot --lifetime 1h",
        "POST",
        "/api/2.0/accounts/servicePrincipals/7/credentials/secrets",
        {"lifetime": "3600s"},
    ),
    (
        "service-principals delete-secret app s1",
        "DELETE",
        "/api/2.0/accounts/servicePrincipals/7/credentials/secrets/s1",
        None,
    ),
    ("permissions set e --user ana@x.org=can_query", "PUT", PERMISSIONS, {"access_control_list": [ACL]}),
    ("permissions update e --user ana@x.org=CAN_QUERY", "PATCH", PERMISSIONS, {"access_control_list": [ACL]}),
    ("permissions get e", "GET", PERMISSIONS, None),
    ("secrets create-scope s", "POST", f"{SECRETS}/scopes/create", {"scope": "s"}),
    (
        "secrets put s k --string-value v",
        "POST",
        f"{SECRETS}/put",
        {"scope": "s", "key": "k", "bytes_value": "dg=="},
    ),
    (
        "secrets share s team WRITE",
        "POST",
        f"{SECRETS}/acls/put",
        {"scope": "s", "principal": "team", "permission": "WRITE"},
    ),
    ("secrets delete s k", "POST", f"{SECRETS}/delete", {"scope": "s", "key": "k"}),
]


@pytest.mark.parametrize(("line", "method", "path", "body"), ASKS, ids=[ask[0] for ask in ASKS])
async def test_verbs_ask_what_they_say(api: Api, line: str, method: str, path: str, body: object) -> None:
    ended = await run(api, *line.split())
    assert ended.code == 0, ended.err
    assert api.asked[-1] == (method, path, body)


async def test_members_are_found_by_their_names_of_any_kind(api: Api) -> None:
    assert (await run(api, "groups", "add", "team", "ana@x.org", "robot")).code == 0
    _, path, body = api.asked[-1]
    assert path == f"{SCIM}/Groups/6"
    assert body["Operations"] == [{"op": "add", "path": "members", "value": [{"value": "5"}, {"value": "7"}]}]


async def test_a_deactivated_user_is_said_to_be_so_in_words_that_every_scim_server_reads(api: Api) -> None:
    assert (await run(api, "users", "deactivate", "ana@x.org")).code == 0
    assert api.asked[-1][2]["Operations"] == [{"op": "replace", "path": "active", "value": "false"}]


async def test_a_made_token_is_on_standard_output_alone_for_programs(api: Api) -> None:
    ended = await run(api, "tokens", "create", "-o", "json")
    assert json.loads(ended.out)["token_value"] == "dapi1"
    assert ended.err == ""


async def test_admins_see_whose_tokens_there_are_and_no_escape_sequences(api: Api) -> None:
    ended = await run(api, "tokens", "list", "--all")
    assert b"ana@x.org" in ended.out
    assert b"never" in ended.out
    assert b"\x1b" not in ended.out


async def test_a_secret_is_read_from_a_pipe_and_written_byte_by_byte(api: Api) -> None:
    assert (await run(api, "secrets", "put", "s", "k", typed=b"v\xff\n")).code == 0
    assert api.asked[-1][2]["bytes_value"] == "dv8="
    assert (await run(api, "secrets", "get", "s", "k")).out == b"\xff\x00"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("tokens create --lifetime soon", 2),
        ("tokens create --lifetime 0d", 2),
        ("tokens create --json [", 2),
        ("tokens delete ../x", 2),
        ("permissions set e", 2),
        ("permissions set e --user ana", 2),
        ("users delete nobody", 4),
        ("groups add team nobody", 4),
        ("secrets put s k --string-value v --file x", 2),
        ("secrets put s k --file /no/such/file", 2),
        ("secrets share s team ROOT", 2),
    ],
)
async def test_what_cannot_be_meant_changes_nothing(api: Api, line: str, code: int) -> None:
    ended = await run(api, *line.split())
    assert ended.code == code, ended.err
    assert ended.err
    assert all(method == "GET" for method, _, _ in api.asked)
