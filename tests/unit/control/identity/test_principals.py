"""Principals: names, memberships, what nobody can take away."""

import pytest

from openfm.control.identity.records import Memberships
from openfm.control.identity.scim_patch import Operation
from openfm.control.identity.scim_resources import parse_draft
from openfm.core.errors import AlreadyExists, InvalidParameterValue, NotFound
from openfm.core.principal import PrincipalKind
from tests.unit.control.access_world import ADMIN_TOKEN, World

USER, GROUP = PrincipalKind.USER, PrincipalKind.GROUP


def test_the_admin_and_its_groups_are_there_and_made_once(people: World) -> None:
    again = people.reopened()
    assert [seen.record.name for seen in again.principals.list(GROUP)] == ["admins", "users"]
    assert [seen.record.name for seen in again.principals.list(USER)] == ["admin"]
    assert people.admin.is_admin
    assert people.admin.groups == {"admins", "users"}


def test_who_is_in_a_group_within_admins_is_an_admin(people: World) -> None:
    ana = people.user("ana")
    token = people.token("ana")
    inner = people.group("inner", ana)
    assert not people.caller(token).is_admin
    people.access.principals.patch(GROUP, "2", [Operation("add", "members", [{"value": inner}])])
    assert people.caller(token).is_admin
    assert people.caller(token).groups == {"inner", "admins", "users"}
    people.access.principals.delete(GROUP, inner)
    assert not people.caller(token).is_admin


def test_circles_of_groups_end() -> None:
    memberships = Memberships.of([("a", "b"), ("b", "a"), ("a", "u")])
    assert memberships.all_groups_of("u") == {"a", "b"}


@pytest.mark.parametrize("name", ["admin", "users", "team", "system", "System", "account users"])
def test_a_name_that_means_somebody_else_is_refused(people: World, name: str) -> None:
    people.group("team")
    with pytest.raises((AlreadyExists, InvalidParameterValue)):
        people.user(name)


def test_a_group_cannot_take_a_name_in_use(people: World) -> None:
    people.user("ana")
    team = people.group("team")
    with pytest.raises(AlreadyExists):
        people.access.principals.replace(GROUP, team, {"displayName": "ana"})


def test_the_admin_stays_what_it_is(people: World) -> None:
    principals = people.access.principals
    with pytest.raises(InvalidParameterValue):
        principals.patch(USER, "1", [Operation("replace", "active", "false")])
    with pytest.raises(InvalidParameterValue):
        principals.delete(USER, "1")
    with pytest.raises(InvalidParameterValue):
        principals.patch(GROUP, "2", [Operation("remove", 'members[value eq "1"]', None)])
    with pytest.raises(InvalidParameterValue):
        principals.replace(GROUP, "2", {"displayName": "others", "members": [{"value": "1"}]})
    assert people.is_known(ADMIN_TOKEN)


def test_everybody_is_in_users_and_stays_there(people: World) -> None:
    ana = people.user("ana")
    users = people.access.principals.get(GROUP, "3")
    assert {member.name for member in users.members} == {"admin", "ana"}
    with pytest.raises(InvalidParameterValue):
        people.access.principals.patch(GROUP, "3", [Operation("remove", f'members[value eq "{ana}"]', None)])
    with pytest.raises(InvalidParameterValue):
        people.group("all", "3")


def test_a_failed_patch_changes_nothing(people: World) -> None:
    ana = people.user("ana")
    team = people.group("team", ana)
    operations = [Operation("replace", "displayName", "new"), Operation("add", "members", [{"value": "404"}])]
    with pytest.raises(InvalidParameterValue):
        people.access.principals.patch(GROUP, team, operations)
    seen = people.access.principals.get(GROUP, team)
    assert (seen.record.name, [member.id for member in seen.members]) == ("team", [ana])


def test_a_put_without_active_leaves_somebody_out_who_was_out(people: World) -> None:
    ana, token = people.user("ana"), people.token("ana")
    people.access.principals.patch(USER, ana, [Operation("replace", "active", "false")])
    people.access.principals.replace(USER, ana, {"displayName": "Ana"})
    assert not people.is_known(token)


def test_ids_are_of_one_kind(people: World) -> None:
    ana = people.user("ana")
    for kind in (GROUP, PrincipalKind.SERVICE_PRINCIPAL):
        with pytest.raises(NotFound):
            people.access.principals.get(kind, ana)


def test_a_service_principal_may_bring_its_application_id(people: World) -> None:
    kind = PrincipalKind.SERVICE_PRINCIPAL
    given = "2818BB15-5f45-4ab5-aa9f-7c6b44a25be9"
    made = people.access.principals.create(kind, parse_draft(kind, {"applicationId": given, "displayName": "robot"}))
    assert made.record.name == given.lower()
    with pytest.raises(AlreadyExists):
        people.access.principals.create(kind, parse_draft(kind, {"applicationId": given}))
