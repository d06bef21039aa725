"""Weights of principals: kept, judged, and in force at once."""

import pytest

from openfm.control.limits.weights import WeightBook
from openfm.core.errors import InvalidParameterValue, NotFound
from openfm.core.principal import PrincipalKind
from openfm.scheduling.fair_queue import FairQueue
from tests.unit.control.access_world import World


def test_a_weight_is_in_force_as_soon_as_it_is_set_and_after_a_restart(people: World) -> None:
    ana = people.signed_in("ana")
    people.weights.set("user", "ana", 2.5)
    people.weights.set("user", "ana", 3)
    assert dict(people.weights) == {ana.id: 3}
    again = WeightBook(people.database)
    with people.database.transaction(again.take_over):
        pass
    assert dict(again) == {ana.id: 3}
    people.weights.delete("user", "ana")
    assert dict(people.weights) == {}


def test_ones_own_weight_holds_else_the_highest_of_ones_groups(people: World) -> None:
    ana, bob, eve = people.signed_in("ana"), people.signed_in("bob"), people.signed_in("eve")
    inner = people.group("inner", ana.id, bob.id)
    people.group("outer", inner)
    people.weights.set("user_group", "inner", 2)
    people.weights.set("user_group", "outer", 5)
    people.weights.set("user", "bob", 0.5)
    assert dict(people.weights) == {ana.id: 5, bob.id: 0.5}
    people.weights.set("user_group", "users", 3)
    assert (people.weights[ana.id], people.weights[bob.id], people.weights[eve.id]) == (5, 0.5, 3)


def test_who_leaves_a_group_loses_its_weight_and_a_weight_ends_with_its_principal(people: World) -> None:
    ana = people.signed_in("ana")
    group = people.group("team", ana.id)
    people.weights.set("user_group", "team", 2)
    people.weights.set("user", "ana", 4)
    people.access.principals.delete(PrincipalKind.GROUP, group)
    assert dict(people.weights) == {ana.id: 4}
    people.access.principals.delete(PrincipalKind.USER, ana.id)
    assert dict(people.weights) == {}


def test_one_sees_what_is_about_oneself_and_an_admin_everything(people: World) -> None:
    ana = people.signed_in("ana")
    people.signed_in("bob")
    people.weights.set("user", "ana", 2)
    people.weights.set("user", "bob", 3)
    people.weights.set("user_group", "users", 4)
    assert {one.principal for one in people.weights.binding(ana)} == {"ana", "users"}
    assert len(people.weights.binding(people.admin)) == 3


@pytest.mark.parametrize("weight", [0, -1, 0.009, 100.1, 1e308, float("nan"), float("inf")])
def test_weights_that_make_no_sense_are_refused(people: World, weight: float) -> None:
    people.user("ana")
    with pytest.raises(InvalidParameterValue, match=r"from 0.01 to 100"):
        people.weights.set("user", "ana", weight)
    assert dict(people.weights) == {}


def test_nobody_unknown_has_a_weight(people: World) -> None:
    people.user("ana")
    with pytest.raises(NotFound, match="no User called 'nobody'"):
        people.weights.set("user", "nobody", 2)
    with pytest.raises(NotFound, match="no Group called 'ana'"):
        people.weights.set("user_group", "ana", 2)
    with pytest.raises(InvalidParameterValue, match="scope must be one of: user, service_principal, user_group"):
        people.weights.set("all", "ana", 2)
    with pytest.raises(NotFound, match="No weight is set for 'ana'"):
        people.weights.delete("user", "ana")


def test_a_queue_goes_by_the_weights_as_they_are_now(people: World) -> None:
    ana, bob = people.signed_in("ana").id, people.signed_in("bob").id
    queue: FairQueue[str] = FairQueue(people.weights)

    def served(count: int) -> dict[str, int]:
        turns = {ana: 0, bob: 0}
        for _ in range(count):
            who = queue.pop()
            turns[who] += 1
            queue.charge(who, 1)
            queue.finish(who)
            queue.push(who, who)
        return turns

    for who in (ana, bob):
        for _ in range(2):
            queue.push(who, who)
    assert served(100) == {ana: 50, bob: 50}
    queue.expect(ana, 7)
    people.weights.set("user", "ana", 4)
    queue.expect(ana, -7)
    turns = served(1000)
    assert abs(turns[ana] - 800) <= 8, "a change of weight leaves nothing behind of what was expected"
