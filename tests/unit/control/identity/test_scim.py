"""SCIM's filters and PATCH operations, without a server."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfm.control.identity.scim_filter import parse_filter
from openfm.control.identity.scim_patch import Operation, patched
from openfm.control.identity.scim_resources import parse_draft
from openfm.core.errors import InvalidParameterValue
from openfm.core.principal import PrincipalKind

ANA = {
    "userName": "Ana@example.com",
    "displayName": "Ana O'Neill",
    "active": True,
    "emails": [{"value": "a@example.com", "primary": True}, {"value": "b@example.com"}],
    "name": {"givenName": "Ana"},
    "externalId": None,
}


@pytest.mark.parametrize(
    "text",
    [
        'userName eq "ana@EXAMPLE.com"',
        "userName eq 'ana@example.com'",
        "username EQ bob OR active EQ true",
        'displayName co "o\'neill"',
        'displayName sw "ana" and active eq true',
        'not (displayName ew "x") and (userName pr and emails pr)',
        'emails.value eq "b@example.com"',
        'emails eq "a@example.com"',
        "active eq true and userName ne -1.5 and userName ne 1",
        'name.givenName eq "ana"',
        'userName ne "bob"',
        'userName eq "x" or userName sw "ana" and active eq true',
        '(((active eq "true")))',
    ],
)
def test_filters_that_match(text: str) -> None:
    assert parse_filter(text)(ANA)


@pytest.mark.parametrize(
    "text",
    [
        'userName eq "bob"',
        'externalId pr or nothing pr or displayName eq ""',
        'active eq false or emails co "nobody"',
        'not (userName sw "ana")',
        'nothing eq "x"',
        '(userName sw "bob" or active eq true) and active eq false',
    ],
)
def test_filters_that_do_not_match(text: str) -> None:
    assert not parse_filter(text)(ANA)


@pytest.mark.parametrize(
    "text",
    [
        "userName",
        "userName eq",
        "userName maybe x",
        "userName eq ana@example.com",
        'userName eq "open',
        "(userName pr",
        "userName pr)",
        "and",
        "not userName pr",
        'userName eq "a" "b"',
        "(" * 500 + "userName pr" + ")" * 500,
        "userName pr or " * 400 + "userName pr",
        'userName gt "a"',
        "userName eq " + "[" * 2000,
        'userName eq {"a":1}',
    ],
)
def test_filters_that_cannot_be_read_are_refused_with_the_field(text: str) -> None:
    with pytest.raises(InvalidParameterValue) as refused:
        parse_filter(text)
    assert refused.value.param == "filter"


@given(st.text(max_size=60) | st.text(alphabet="userName eqpradot()'\" \\1", max_size=60))
def test_any_text_is_a_filter_or_is_refused(text: str) -> None:
    with suppress(InvalidParameterValue):
        parse_filter(text)(ANA)


TEAM: dict[str, Any] = {"displayName": "team", "members": [{"value": "1"}, {"value": "2"}]}


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        (Operation("add", "members", [{"value": "3"}]), ["1", "2", "3"]),
        (Operation("Add", "members", {"value": "3"}), ["1", "2", "3"]),
        (Operation("add", None, {"members": [{"value": "2"}]}), ["1", "2"]),
        (Operation("replace", "Members", [{"value": "4"}]), ["4"]),
        (Operation("remove", 'members[value eq "1"]', None), ["2"]),
        (Operation("remove", "members", [{"value": "1"}]), ["2"]),
        (Operation("remove", "members", None), []),
    ],
)
def test_members_are_added_replaced_and_removed(operation: Operation, members: list[str]) -> None:
    assert sorted(m["value"] for m in patched(TEAM, [operation]).get("members", [])) == members


def test_attributes_are_replaced_by_path_or_together() -> None:
    operations = [
        Operation("replace", "active", "False"),
        Operation("replace", None, {"displayName": "B", "name.familyName": "O"}),
        Operation("replace", 'emails[value eq "b@example.com"].value', "c@example.com"),
        Operation("add", "urn:ietf:params:scim:schemas:core:2.0:User:externalId", "7"),
        Operation("remove", "name.givenName", None),
    ]
    changed = patched(ANA, operations)
    draft = parse_draft(PrincipalKind.USER, changed)
    assert (draft.is_active, draft.display_name) == (False, "B")
    assert draft.attributes["emails"][1] == {"value": "c@example.com"}
    assert draft.attributes["externalId"] == "7"
    assert draft.attributes["name"] == {"familyName": "O"}
    assert ANA["displayName"] == "Ana O'Neill", "the resource itself is left alone"


@pytest.mark.parametrize(
    "operation",
    [
        Operation("move", "active", "x"),
        Operation("remove", None, None),
        Operation("add", None, "x"),
        Operation("replace", "active", None),
        Operation("add", "members[", []),
        Operation("remove", "members[value maybe 1]", None),
    ],
)
def test_operations_that_mean_nothing_are_refused(operation: Operation) -> None:
    with pytest.raises(InvalidParameterValue):
        patched(TEAM, [operation])


@pytest.mark.parametrize(
    ("kind", "resource"),
    [
        (PrincipalKind.USER, {}),
        (PrincipalKind.USER, {"userName": ""}),
        (PrincipalKind.USER, {"userName": " a"}),
        (PrincipalKind.USER, {"userName": "a\x00b"}),
        (PrincipalKind.USER, {"userName": "a" * 257}),
        (PrincipalKind.USER, {"userName": "a", "active": "perhaps"}),
        (PrincipalKind.USER, {"userName": "a", "emails": [{"value": "x" * 70_000}]}),
        (PrincipalKind.USER, {"userName": "a", "emails": "x"}),
        (PrincipalKind.GROUP, {"displayName": "g", "members": [{}]}),
        (PrincipalKind.GROUP, {"userName": "g"}),
        (PrincipalKind.SERVICE_PRINCIPAL, {"applicationId": "'; --"}),
    ],
)
def test_resources_that_cannot_be_are_refused(kind: PrincipalKind, resource: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameterValue) as refused:
        parse_draft(kind, resource)
    assert refused.value.param
