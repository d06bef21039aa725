"""Who may what, over plain HTTP: every row of the table of rights is tried."""

import base64
import json
import secrets
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from openfm.control.access import DATA_PLANE, MANAGEMENT, Route, Who
from tests.conftest import CHAT, StartServer
from tests.contract.http.conftest import Answer, Http

_SCIM = "/api/2.0/preview/scim/v2"
_HELD = (Who.CAN_VIEW, Who.CAN_QUERY, Who.CAN_MANAGE)
_ALL = {**MANAGEMENT, **DATA_PLANE}
_OPEN = (Who.ANYBODY, Who.BEARER_OF_URL, Who.METRICS)  # this server's metrics: it listens on loopback
_CLOSED = sorted((route, who) for route, who in _ALL.items() if who not in _OPEN)
_NAMES_IN_BODY = tuple(path for method, path in DATA_PLANE if method == "POST" and "{name}" not in path)


def rows(*wanted: Who) -> list[Route]:
    return sorted(route for route, who in MANAGEMENT.items() if who in wanted)


def is_shaped(answer: Answer) -> bool:
    """Whether it is an error as Databricks writes them."""
    return set(answer.json) >= {"error_code", "message"} and answer.json["message"].endswith(".")


@pytest.fixture(scope="module")
async def somebody(http: Http) -> Http:
    """A user without any permission."""
    name = f"nobody-{secrets.token_hex(4)}@example.com"
    await http.post(f"{_SCIM}/Users", {"userName": name})
    made = await http.post("/api/2.0/token-management/on-behalf-of/tokens", {"application_id": name})
    return replace(http, token=made.json["token_value"])


@pytest.fixture(scope="module")
async def endpoint(http: Http) -> dict[str, Any]:
    """An endpoint of the admin's."""
    config = {"openai_api_base": "https://models.example/v1", "openai_api_key_plaintext": "k"}
    model = {"provider": "openai", "name": "gpt", "task": "llm/v1/chat", "openai_config": config}
    body = {"name": f"closed-{secrets.token_hex(4)}", "config": {"served_entities": [{"external_model": model}]}}
    made: dict[str, Any] = (await http.post("/api/2.0/serving-endpoints", body)).json
    return made


def filled(path: str, endpoint: dict[str, Any]) -> str:
    """The template with the endpoint in it, and with something else for all other names."""
    for name, value in {"{name}": endpoint["name"], "{endpoint_id}": endpoint["id"]}.items():
        path = path.replace(name, value)
    while "{" in path:
        path = path[: path.index("{")] + "x" + path[path.index("}") + 1 :]
    return path


async def test_a_statement_asks_with_its_callers_permissions(
    http: Http, somebody: Http, endpoint: dict[str, Any]
) -> None:
    text = f"SELECT ai_query('{endpoint['name']}', 'hi', failOnError => false)"
    shown = (await somebody.post("/api/2.0/sql/statements/", {"statement": text})).json
    assert (shown["status"]["state"], shown["status"]["error"]["error_code"]) == ("FAILED", "NOT_FOUND")
    assert "does not exist" in shown["status"]["error"]["message"]  # as everything that one may not see
    path = f"/api/2.0/sql/statements/{shown['statement_id']}"
    for answer in (await http.get(path), await http.post(f"{path}/cancel", {})):
        assert answer.status == 404


@pytest.mark.parametrize(("route", "who"), _CLOSED, ids=str)
async def test_without_a_token_no_route_answers(http: Http, endpoint: dict[str, Any], route: Route, who: Who) -> None:
    del who
    method, path = route
    for token in (None, "dapi" + "0" * 64, "\xff\xfe"):
        answer = await http.ask(method, filled(path, endpoint), token)
        assert answer.status == 401
        assert method == "HEAD" or answer.json.get("error_code", "UNAUTHENTICATED") == "UNAUTHENTICATED"


@pytest.mark.parametrize("route", rows(Who.ADMIN), ids=str)
async def test_what_is_for_admins_is_for_nobody_else(somebody: Http, endpoint: dict[str, Any], route: Route) -> None:
    method, path = route
    answer = await somebody.send(method, filled(path, endpoint), {})
    assert (answer.status, answer.json["error_code"]) == (403, "PERMISSION_DENIED")
    assert is_shaped(answer)


@pytest.mark.parametrize("route", rows(*_HELD), ids=str)
async def test_without_a_level_an_endpoint_is_not_there(somebody: Http, endpoint: dict[str, Any], route: Route) -> None:
    method, path = route
    answer = await somebody.send(method, filled(path, endpoint), {})
    assert (answer.status, answer.json["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert is_shaped(answer)


@pytest.mark.parametrize("route", rows(Who.CAN_MANAGE), ids=str)
async def test_can_query_changes_nothing(http: Http, somebody: Http, endpoint: dict[str, Any], route: Route) -> None:
    me = (await somebody.get(f"{_SCIM}/Me")).json["userName"]
    permissions = f"/api/2.0/permissions/serving-endpoints/{endpoint['id']}"
    entry = {"user_name": me, "permission_level": "CAN_QUERY"}
    assert (await http.send("PATCH", permissions, {"access_control_list": [entry]})).status == 200
    method, path = route
    answer = await somebody.send(method, filled(path, endpoint), {})
    assert (answer.status, answer.json["error_code"]) == (403, "PERMISSION_DENIED")
    assert (await http.send("PUT", permissions, {"access_control_list": []})).status == 200


@pytest.mark.parametrize("path", _NAMES_IN_BODY)
async def test_a_model_named_in_the_body_needs_can_query(somebody: Http, endpoint: dict[str, Any], path: str) -> None:
    body = {"model": endpoint["name"], "messages": [{"role": "user", "content": "x"}], "prompt": "x", "input": "x"}
    assert (await somebody.post(path, body)).status == 404


async def test_pay_per_token_endpoints_are_everybodys_to_query_and_admins_to_change(somebody: Http) -> None:
    body = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 1}
    assert (await somebody.post(f"/serving-endpoints/{CHAT}/invocations", body)).status == 200
    answer = await somebody.send("PUT", f"/api/2.0/serving-endpoints/{CHAT}/ai-gateway", {})
    assert answer.status == 403


@pytest.fixture(scope="module")
async def client(http: Http) -> tuple[str, str]:
    """Id and secret of an OAuth client."""
    made = (await http.post(f"{_SCIM}/ServicePrincipals", {"displayName": "form"})).json
    path = f"/api/2.0/accounts/servicePrincipals/{made['id']}/credentials/secrets"
    return made["applicationId"], (await http.post(path, {})).json["secret"]


class TestOAuthForm:
    """`POST /oidc/v1/token` as RFC 6749 has it."""

    async def ask(self, http: Http, form: bytes, **headers: str) -> Answer:
        merged = {"content-type": "application/x-www-form-urlencoded", "authorization": ""} | headers
        return await http.post("/oidc/v1/token", form, **merged)

    async def test_basic_and_form_both_bring_a_token(self, http: Http, client: tuple[str, str]) -> None:
        form = b"grant_type=client_credentials&scope=all-apis"
        basic = "Basic " + base64.b64encode(":".join(client).encode()).decode()
        with_form = form + f"&client_id={client[0]}&client_secret={client[1]}".encode()
        for answer in (await self.ask(http, form, authorization=basic), await self.ask(http, with_form)):
            assert answer.status == 200
            assert (answer.json["token_type"], answer.json["expires_in"]) == ("Bearer", 3600)
            assert answer.headers["cache-control"] == "no-store"
            me = await replace(http, token=answer.json["access_token"]).get(f"{_SCIM}/Me")
            assert me.json["userName"] == client[0]

    @pytest.mark.parametrize("secret", ["", "x", "%FF%00", "' OR 1=1 --"])
    async def test_line_4_a_wrong_secret_is_invalid_client(
        self, http: Http, client: tuple[str, str], secret: str
    ) -> None:
        form = f"grant_type=client_credentials&client_id={client[0]}&client_secret={secret}".encode()
        answer = await self.ask(http, form)
        assert (answer.status, answer.json["error"]) == (401, "invalid_client")
        assert answer.json["error_description"]
        assert answer.headers["content-type"] == "application/json"

    @pytest.mark.parametrize("header", ["Basic", "Basic !!", "Basic " + base64.b64encode(b"\xff").decode(), "Bearer x"])
    async def test_credentials_that_cannot_be_read_are_invalid_client(self, http: Http, header: str) -> None:
        answer = await self.ask(http, b"grant_type=client_credentials", authorization=header)
        assert (answer.status, answer.json["error"]) == (401, "invalid_client")

    @pytest.mark.parametrize("form", [b"", b"\xff\xfe", b"grant_type=password", b"{}", b"x" * 100_000])
    async def test_another_grant_type_is_said_so(self, http: Http, form: bytes) -> None:
        answer = await self.ask(http, form)
        assert (answer.status, answer.json["error"]) == (400, "unsupported_grant_type")


_BAD_BODIES = [b"", b"\xff\xfe", b"[]", b"null", b'"x"', b"{", b"1e999"]


@pytest.mark.parametrize("body", _BAD_BODIES)
@pytest.mark.parametrize(
    "path",
    [
        f"{_SCIM}/Users",
        f"{_SCIM}/Groups",
        "/api/2.0/token-management/on-behalf-of/tokens",
        "/api/2.0/secrets/put",
        "/api/2.0/token/delete",
    ],
)
async def test_bodies_that_are_no_objects_are_refused(http: Http, path: str, body: bytes) -> None:
    answer = await http.post(path, body)
    assert answer.status == 400
    assert is_shaped(answer)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{_SCIM}/Users", {"userName": "a\u0000b"}),
        (f"{_SCIM}/Users", {"userName": "\ud800"}),
        (f"{_SCIM}/Users", {"userName": "a", "emails": [{"value": "\ud800"}]}),
        (f"{_SCIM}/Users", {"userName": 5, "active": 7}),
        ("/api/2.0/token/create", {"lifetime_seconds": 10**40}),
        ("/api/2.0/token/create", {"lifetime_seconds": "soon"}),
        ("/api/2.0/token/create", {"comment": ["x"]}),
        ("/api/2.0/secrets/put", {"scope": "x", "key": "y"}),
        ("/api/2.0/secrets/put", {"scope": "x", "key": "y", "bytes_value": "%%%"}),
        ("/api/2.0/secrets/put", {"scope": "x", "key": "y", "string_value": "a", "bytes_value": "YQ=="}),
        ("/api/2.0/secrets/scopes/create", {"scope": "x", "scope_backend_type": "AZURE_KEYVAULT"}),
    ],
    ids=str,
)
async def test_values_that_cannot_be_are_refused(http: Http, path: str, body: object) -> None:
    answer = await http.post(path, _json(body))
    assert answer.status == 400, answer.json
    assert is_shaped(answer)


@pytest.mark.parametrize("name", ["'; DROP TABLE principals; --", "ü", "%00", "..", "9" * 400])
async def test_ids_from_outside_find_nothing_and_break_nothing(http: Http, name: str) -> None:
    for path in (f"{_SCIM}/Users/", "/api/2.0/token-management/tokens/", "/api/2.0/permissions/serving-endpoints/"):
        answer = await http.get(path + (name if name == "%00" else quote(name, safe="")))
        assert answer.status in (400, 404)
        assert is_shaped(answer)


async def test_numbers_may_be_texts_and_unknown_fields_are_ignored(http: Http) -> None:
    made = await http.post("/api/2.0/token/create", {"lifetime_seconds": "60", "comment": 5, "new_field": {"a": 1}})
    assert (made.status, made.json["token_info"]["comment"]) == (200, "5")
    deleted = await http.post("/api/2.0/token/delete", {"token_id": made.json["token_info"]["token_id"]})
    assert (deleted.status, deleted.json) == (200, {})


async def test_lists_of_principals_come_in_pieces(http: Http) -> None:
    everything = (await http.get(f"{_SCIM}/Users")).json
    first = (await http.get(f"{_SCIM}/Users?startIndex=1&count=1")).json
    assert (first["totalResults"], first["itemsPerPage"]) == (everything["totalResults"], 1)
    assert first["Resources"] == everything["Resources"][:1]
    beyond = (await http.get(f"{_SCIM}/Users?startIndex=100000")).json
    assert beyond["Resources"] == []
    for query in ("startIndex=0", "count=-1", "startIndex=x"):
        assert (await http.get(f"{_SCIM}/Users?{query}")).status == 400
    backwards = (await http.get(f"{_SCIM}/Users?sortBy=userName&sortOrder=descending&attributes=userName")).json
    names = [resource["userName"] for resource in backwards["Resources"]]
    assert names == sorted(names, key=str.casefold, reverse=True)


def _json(body: object) -> bytes:
    # The standard library escapes lone surrogates, which msgspec refuses to write.
    return json.dumps(body).encode()


async def test_metrics_name_every_endpoint_so_admins_alone_read_them_where_others_reach_the_server(
    start_server: StartServer, session: aiohttp.ClientSession
) -> None:
    server = start_server(path="/health/live", public_url="https://models.example")
    http = Http(session, server.url, server.token)
    await http.post(f"{_SCIM}/Users", {"userName": "reader@example.com"})
    made = await http.post("/api/2.0/token-management/on-behalf-of/tokens", {"application_id": "reader@example.com"})
    asked = {token: await http.ask("GET", "/metrics", token) for token in (None, made.json["token_value"], http.token)}
    assert [answer.status for answer in asked.values()] == [401, 403, 200]
    assert all(is_shaped(answer) for answer in asked.values() if answer.status != 200)
    server.end()


async def test_on_loopback_prometheus_needs_no_token(http: Http) -> None:
    answer = await http.ask("GET", "/metrics", None)
    assert answer.status == 200
    assert b"openfm_requests_running" in answer.raw
