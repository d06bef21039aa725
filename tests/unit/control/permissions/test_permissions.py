"""Levels on endpoints and privileges on models, from memory."""

import pytest

from openfm.control.identity.scim_patch import Operation
from openfm.control.permissions.objects import ObjectType
from openfm.control.permissions.repository import Thing
from openfm.control.permissions.service import Entry
from openfm.core.errors import InvalidParameterValue, NotFound
from openfm.core.principal import PermissionLevel, Principal, PrincipalKind
from tests.unit.control.access_world import World

ENDPOINT = "e" * 32
THING = Thing(ObjectType.ENDPOINT, ENDPOINT)
USER, GROUP = PrincipalKind.USER, PrincipalKind.GROUP


def give(people: World, kind: PrincipalKind, name: str, level: str) -> None:
    people.access.permissions.merge(THING, [Entry(kind, name, level)])


def make(people: World, owner: Principal) -> None:
    """As the creator of an endpoint does."""
    with people.database.transaction(people.access.grants.take_over) as connection:
        people.access.grants.grant(connection, ENDPOINT, owner, PermissionLevel.CAN_MANAGE)


def test_the_highest_of_ones_own_and_ones_groups_levels_counts(people: World) -> None:
    ana = people.user("ana")
    token = people.token("ana")
    people.group("team", ana)
    level = people.access.grants.level
    assert level(people.caller(token), ENDPOINT) is None
    give(people, GROUP, "users", "CAN_VIEW")
    assert level(people.caller(token), ENDPOINT) is PermissionLevel.CAN_VIEW
    give(people, GROUP, "team", "CAN_MANAGE")
    give(people, USER, "ana", "CAN_QUERY")
    assert level(people.caller(token), ENDPOINT) is PermissionLevel.CAN_MANAGE
    assert level(people.caller(token), "another") is None


def test_a_renamed_group_keeps_what_it_has(people: World) -> None:
    ana = people.user("ana")
    token = people.token("ana")
    team = people.group("team", ana)
    give(people, GROUP, "team", "CAN_QUERY")
    people.access.principals.patch(GROUP, team, [Operation("replace", "displayName", "crew")])
    assert people.access.grants.level(people.caller(token), ENDPOINT) is PermissionLevel.CAN_QUERY


def test_somebody_of_the_name_of_a_deleted_user_has_nothing_of_it(people: World) -> None:
    ana = people.user("ana")
    give(people, USER, "ana", "CAN_MANAGE")
    people.access.principals.delete(USER, ana)
    assert people.access.grants.level(people.signed_in("ana"), ENDPOINT) is None


def test_the_creator_keeps_can_manage_whatever_is_set(people: World) -> None:
    owner, other = people.signed_in("owner"), people.signed_in("other")
    make(people, owner)
    give(people, USER, "other", "CAN_QUERY")
    give(people, USER, "owner", "CAN_VIEW")
    people.access.permissions.replace(THING, [])
    assert people.access.grants.level(owner, ENDPOINT) is PermissionLevel.CAN_MANAGE
    assert people.access.grants.level(other, ENDPOINT) is None


def test_a_deleted_endpoints_levels_go_with_it(people: World) -> None:
    owner = people.signed_in("owner")
    make(people, owner)
    with people.database.transaction(people.access.grants.take_over) as connection:
        people.access.grants.forget(connection, ENDPOINT)
    assert people.access.grants.level(owner, ENDPOINT) is None


def test_of_two_levels_for_one_the_higher_is_given(people: World) -> None:
    ana = people.signed_in("ana")
    entries = [Entry(USER, "ana", level) for level in ("CAN_VIEW", "CAN_MANAGE", "CAN_QUERY")]
    people.access.permissions.replace(THING, entries)
    assert people.access.grants.level(ana, ENDPOINT) is PermissionLevel.CAN_MANAGE


@pytest.mark.parametrize("entry", [Entry(USER, "nobody", "CAN_VIEW"), Entry(GROUP, "ana", "CAN_VIEW")])
def test_a_list_that_names_nobody_changes_nothing(people: World, entry: Entry) -> None:
    ana = people.signed_in("ana")
    give(people, USER, "ana", "CAN_VIEW")
    with pytest.raises(NotFound):
        people.access.permissions.replace(THING, [Entry(USER, "ana", "CAN_MANAGE"), entry])
    assert people.access.grants.level(ana, ENDPOINT) is PermissionLevel.CAN_VIEW


@pytest.mark.parametrize("level", ["", "IS_OWNER", "can_view", "CAN_USE"])
def test_levels_that_do_not_exist_are_refused(people: World, level: str) -> None:
    people.user("ana")
    with pytest.raises(InvalidParameterValue):
        give(people, USER, "ana", level)


def test_levels_outlive_a_restart(people: World) -> None:
    ana = people.signed_in("ana")
    give(people, USER, "ana", "CAN_QUERY")
    assert people.reopened().grants.level(ana, ENDPOINT) is PermissionLevel.CAN_QUERY


def test_everybody_may_execute_the_platforms_models_and_an_admin_manages_all(people: World) -> None:
    ana = people.signed_in("ana")
    book = people.access.grants
    assert book.may_execute(ana, "system.ai.m")
    assert not book.may_manage(ana, "system.ai.m")
    assert not book.may_execute(ana, "main.default.m")
    assert book.may_manage(people.admin, "main.default.m")
