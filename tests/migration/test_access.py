"""Principals, tokens, grants and secrets on each kind of database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from openfm.control.identity.scim_patch import Operation
from openfm.control.identity.scim_resources import parse_draft
from openfm.control.permissions.objects import ObjectType
from openfm.control.permissions.repository import Thing
from openfm.control.permissions.service import Entry
from openfm.control.secrets.service import Place
from openfm.core.errors import InvalidParameterValue
from openfm.core.principal import PermissionLevel, PrincipalKind
from tests.unit.control.access_world import World

USER, GROUP, PROGRAM = PrincipalKind.USER, PrincipalKind.GROUP, PrincipalKind.SERVICE_PRINCIPAL
ENDPOINT = Thing(ObjectType.ENDPOINT, "e" * 32)


@pytest.fixture
def people(url: str, tmp_path: Path) -> Iterator[World]:
    opened = World(tmp_path, url)
    yield opened
    opened.database.close()


def test_a_user_comes_gets_rights_and_goes(people: World) -> None:
    ana = people.user("ana'; --")
    token = people.token("ana'; --", lifetime_s=60)
    team = people.group("team", ana)
    people.access.permissions.merge(ENDPOINT, [Entry(GROUP, "team", "CAN_QUERY")])
    assert people.access.grants.level(people.caller(token), ENDPOINT.id) is PermissionLevel.CAN_QUERY
    people.access.permissions.replace(ENDPOINT, [Entry(USER, "ana'; --", "CAN_VIEW")])
    assert people.access.grants.level(people.caller(token), ENDPOINT.id) is PermissionLevel.CAN_VIEW
    people.access.principals.patch(USER, ana, [Operation("replace", "active", "false")])
    assert not people.is_known(token)
    people.access.principals.replace(USER, ana, {"active": True, "emails": [{"value": "ü"}]})
    assert people.is_known(token)
    people.access.close()
    assert people.access.tokens.every(None, "admin")[0].last_used_at == people.clock.now
    people.access.principals.delete(USER, ana)
    assert not people.is_known(token)
    assert people.access.permissions.get(ENDPOINT) == []
    assert people.access.tokens.every(None, None) == []
    assert list(people.access.principals.get(GROUP, team).members) == []


def test_an_oauth_client_comes_and_goes(people: World) -> None:
    robot = people.access.principals.create(PROGRAM, parse_draft(PROGRAM, {"displayName": "robot"})).record
    secret = people.access.client_secrets.create(robot.id, None)
    tokens = [people.access.client_secrets.access_token(robot.name, secret.value) for _ in range(3)]
    assert all(token is not None and people.is_known(token) for token in tokens)
    people.clock.now += 3_600_000
    fresh = people.access.client_secrets.access_token(robot.name, secret.value)
    people.access.client_secrets.delete(robot.id, secret.secret.id)
    assert fresh is not None
    assert not people.is_known(fresh)


def test_secrets_are_put_again_shared_and_deleted(people: World) -> None:
    ana, secrets = people.signed_in("ana"), people.access.secrets
    secrets.create_scope(people.admin, "s", "users")
    for value in (b"1", b"\x00\xff"):
        secrets.put(ana, Place("s", "k"), value)
    assert secrets.get(ana, Place("s", "k")) == b"\x00\xff"
    secrets.delete_scope(ana, "s")
    assert people.access.secrets.scopes(people.admin) == []


def test_text_that_cannot_be_kept_is_the_callers_mistake(people: World) -> None:
    for name in ("a\x00", "\ud800"):
        with pytest.raises(InvalidParameterValue):
            people.access.permissions.merge(ENDPOINT, [Entry(USER, name, "CAN_VIEW")])
        with pytest.raises(InvalidParameterValue):
            people.access.tokens.get(name)
