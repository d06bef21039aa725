"""The operator's limits: kept, judged, and in force at once."""

from dataclasses import replace

import pytest
from sqlalchemy import insert

from openfm.control.endpoints.defaults import alias_id
from openfm.control.limits.service import LimitBook, LimitRequest, binding
from openfm.core.errors import InvalidParameterValue, NotFound
from openfm.core.limits import MOST, LimitScope, Measure
from openfm.core.principal import PrincipalKind
from openfm.store.tables import serving_endpoints
from tests.unit.control.access_world import World


def test_a_limit_is_in_force_as_soon_as_it_is_set_and_after_a_restart(people: World) -> None:
    ana = people.signed_in("ana")
    people.limits.set(LimitRequest("user", "tokens", 1000, "minute", "ana"))
    (rule,) = people.limits.rules
    assert (rule.scope, rule.measure, rule.amount, rule.window_s) == (LimitScope.USER, Measure.TOKENS, 1000, 60)
    assert rule.principal == ana.name
    again = LimitBook(people.database)
    with people.database.transaction(again.take_over):
        pass
    assert list(again.rules) == [rule]


def test_setting_it_again_replaces_it_and_another_period_does_not(people: World) -> None:
    people.limits.set(LimitRequest("all", "requests", 5, "second"))
    people.limits.set(LimitRequest("all", "requests", 7, "second"))
    people.limits.set(LimitRequest("all", "requests", 100, "minute"))
    assert sorted((rule.amount, rule.window_s) for rule in people.limits.rules) == [(7, 1), (100, 60)]


def test_a_limit_ends_with_its_principal_and_takes_on_its_name(people: World) -> None:
    user_id = people.user("ana")
    people.limits.set(LimitRequest("user", "tokens", 1000, "minute", "ana"))
    people.access.principals.delete(PrincipalKind.USER, user_id)
    assert people.limits.rules == ()
    people.user("ana")
    assert people.limits.rules == ()


def test_one_sees_what_may_bind_oneself_and_an_admin_everything(people: World) -> None:
    ana, bob = people.signed_in("ana"), people.signed_in("bob")
    people.group("team", ana.id)
    people.limits.set(LimitRequest("user", "tokens", 1, "minute", "bob"))
    people.limits.set(LimitRequest("user_group", "tokens", 2, "minute", "team"))
    people.limits.set(LimitRequest("user", "tokens", 3, "minute"))
    people.limits.set(LimitRequest("all", "concurrency", 4))

    def seen(caller_groups: frozenset[str], who: str) -> set[int]:
        caller = replace(ana if who == "ana" else bob, groups=caller_groups)
        return {stored.rule.amount for stored in binding(people.limits.stored, caller)}

    assert seen(frozenset({"team"}), "ana") == {2, 3, 4}
    assert seen(frozenset(), "bob") == {1, 3, 4}
    assert len(binding(people.limits.stored, people.admin)) == 4


def test_a_name_that_stands_in_for_a_model_can_be_limited_until_a_real_endpoint_takes_it(people: World) -> None:
    names = frozenset({"databricks-big"})
    book = LimitBook(people.database, aliases=names)
    with pytest.raises(NotFound):
        people.limits.set(LimitRequest("all", "requests", 1, "minute", endpoint="databricks-big"))
    book.set(LimitRequest("all", "requests", 1, "minute", endpoint="databricks-big"))
    book.set(LimitRequest("all", "requests", 2, "minute", endpoint="databricks-big"))
    (rule,) = book.rules
    assert (rule.endpoint, rule.endpoint_id, rule.amount) == ("databricks-big", alias_id("databricks-big"), 2)
    with people.database.transaction(book.take_over) as connection:
        values = {"task": "llm/v1/chat", "endpoint_type": "CUSTOM_MODEL", "creator": "admin"}
        times = {"creation_timestamp": 0, "last_updated_timestamp": 0, "active_config_version": 0}
        connection.execute(insert(serving_endpoints).values(name="databricks-big", id="e" * 32, **values, **times))
    (rule,) = book.rules
    assert (rule.endpoint, rule.endpoint_id) == ("databricks-big", "e" * 32)
    book.delete(book.stored[0].id)
    assert book.rules == ()


def test_what_was_deleted_does_not_bind(people: World) -> None:
    stored = people.limits.set(LimitRequest("all", "concurrency", 4))
    people.limits.delete(stored.id)
    assert people.limits.rules == ()
    with pytest.raises(NotFound):
        people.limits.delete(stored.id)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (LimitRequest("nobody", "tokens", 1, "minute"), "scope"),
        (LimitRequest("all", "bytes", 1, "minute"), "measure"),
        (LimitRequest("all", "tokens", -1, "minute"), "amount"),
        (LimitRequest("all", "tokens", MOST + 1, "minute"), "amount"),
        (LimitRequest("all", "tokens", 1, "fortnight"), "period"),
        (LimitRequest("all", "tokens", 1), "period"),
        (LimitRequest("all", "concurrency", 1, "minute"), "period"),
        (LimitRequest("all", "tokens", 1, "minute", "ana"), "principal"),
        (LimitRequest("user_group", "tokens", 1, "minute"), "principal"),
    ],
)
def test_limits_that_cannot_be_are_refused(people: World, request_: LimitRequest, field: str) -> None:
    with pytest.raises(InvalidParameterValue) as refused:
        people.limits.set(request_)
    assert refused.value.param == field
    assert people.limits.rules == ()


@pytest.mark.parametrize(
    "request_",
    [
        LimitRequest("user", "tokens", 1, "minute", "nobody"),
        LimitRequest("user_group", "tokens", 1, "minute", "admin"),
        LimitRequest("all", "tokens", 1, "minute", endpoint="nowhere"),
    ],
)
def test_whom_or_what_nobody_knows_cannot_be_limited(people: World, request_: LimitRequest) -> None:
    with pytest.raises(NotFound):
        people.limits.set(request_)
