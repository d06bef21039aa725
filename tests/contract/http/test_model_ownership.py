"""Whose a registered model is: a principal's, not a name's."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from tests.contract.http.conftest import Http

_SCIM = "/api/2.0/preview/scim/v2"
_MODELS = "/api/2.1/unity-catalog/models"
SignIn = Callable[[str], Awaitable[Http]]


@pytest.fixture
def sign_in(http: Http) -> SignIn:
    """Make a user of that name."""

    async def make(name: str) -> Http:
        await http.post(f"{_SCIM}/Users", {"userName": name})
        token = await http.post("/api/2.0/token-management/on-behalf-of/tokens", {"application_id": name})
        return replace(http, token=token.json["token_value"])

    return make


def fresh_name() -> str:
    return f"user-{secrets.token_hex(4)}@example.com"


async def make_model(owner: Http, name: str) -> str:
    body = {"catalog_name": "main", "schema_name": "owned", "name": name}
    made = await owner.post(_MODELS, body)
    assert made.status == 200
    return f"{_MODELS}/main.owned.{name}"


async def test_a_user_of_a_deleted_users_name_inherits_nothing(http: Http, sign_in: SignIn) -> None:
    name = fresh_name()
    first = await sign_in(name)
    path = await make_model(first, f"m{secrets.token_hex(4)}")
    assert (await first.send("PATCH", path, {"comment": "mine"})).status == 200
    me = (await first.get(f"{_SCIM}/Me")).json["id"]
    await http.send("DELETE", f"{_SCIM}/Users/{me}")
    second = await sign_in(name)
    assert (await second.get(path)).status == 403
    assert (await second.send("PATCH", path, {"comment": "mine now"})).status == 403
    assert (await http.get(path)).json["comment"] == "mine"


async def test_a_model_is_handed_over_to_somebody_who_is_there(sign_in: SignIn) -> None:
    owner, heir_name = await sign_in(fresh_name()), fresh_name()
    heir = await sign_in(heir_name)
    path = await make_model(owner, f"m{secrets.token_hex(4)}")
    refused = await owner.send("PATCH", path, {"owner": "nobody@example.com"})
    assert (refused.status, refused.json["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert (await owner.send("PATCH", path, {"owner": heir_name})).json["owner"] == heir_name
    assert (await owner.get(path)).status == 403
    assert (await heir.send("PATCH", path, {"comment": "thanks"})).status == 200
    assert (await heir.send("PATCH", path, {"owner": "users"})).json["owner"] == "users"
    assert (await owner.send("PATCH", path, {"comment": "ours"})).status == 200


async def test_what_an_owner_has_is_no_grant_to_be_taken_away(http: Http, sign_in: SignIn) -> None:
    name = fresh_name()
    owner = await sign_in(name)
    path = await make_model(owner, f"m{secrets.token_hex(4)}")
    grants = f"/api/2.1/unity-catalog/permissions/function/{path.removeprefix(_MODELS + '/')}"
    assert (await owner.get(grants)).json.get("privilege_assignments", []) == []
    change = {"principal": name, "add": ["MANAGE"], "remove": ["EXECUTE"]}
    assert (await http.send("PATCH", grants, {"changes": [change]})).status == 200
    change = {"principal": name, "remove": ["MANAGE"]}
    assert (await http.send("PATCH", grants, {"changes": [change]})).status == 200
    assert (await owner.send("PATCH", path, {"comment": "still mine"})).status == 200
