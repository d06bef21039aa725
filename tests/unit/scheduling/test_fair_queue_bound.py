"""The bound of the paper, in seeded simulations: whoever waits gets its share, whatever the others do."""

import itertools
import random

import pytest

from tests.unit.scheduling.simulation import Fifo, Queue, Request, Simulation, Spread, World, fair

_STEPS = 3000
EQUAL = {"a": 1.0, "b": 1.0, "c": 1.0}
WORLDS = {
    "exact": World(places=4, prompt=50, completion=30, slack=1, weights=EQUAL),
    "one place": World(places=1, prompt=200, completion=5, slack=1, weights=EQUAL),
    "estimates four times too high": World(places=4, prompt=50, completion=30, slack=4, weights=EQUAL),
    "weights": World(places=3, prompt=20, completion=40, slack=1, weights={"a": 1.0, "b": 2.5, "c": 0.5, "d": 7.0}),
    "weights and estimates": World(places=8, prompt=90, completion=20, slack=3, weights={"a": 1.0, "b": 4.0, "c": 1.5}),
}


def keep_busy(simulation: Simulation, principals: set[str], pressure: int) -> None:
    """Each of them has at least some requests waiting, each a number of its own."""
    for number, principal in enumerate(sorted(principals), start=1):
        while simulation.waiting[principal] < pressure * number:
            simulation.arrive(principal)


def run_backlogged(world: World, queue: Queue, seed: int) -> dict[tuple[str, str], Spread]:
    """All ask more than there is, one ten times as much as another."""
    simulation = Simulation(world, queue, random.Random(seed))  # noqa: S311  # a reproducible load
    pairs = list(itertools.combinations(sorted(world.weights), 2))
    spreads = {pair: Spread(0.0, 0.0) for pair in pairs}
    for _ in range(_STEPS):
        keep_busy(simulation, set(world.weights), pressure=world.places + 2)
        simulation.step()
        assert not simulation.emptied
        for (one, other), spread in spreads.items():
            spread.see(simulation.service[one] - simulation.service[other])
    return spreads


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", WORLDS)
def test_two_who_always_wait_are_served_alike_however_long_it_lasts(name: str, seed: int) -> None:
    world = WORLDS[name]
    for (one, other), spread in run_backlogged(world, fair(world), seed).items():
        assert max(spread.most_rise, spread.most_fall) <= world.bound(one, other)


def test_first_come_first_served_is_outside_the_bound() -> None:
    world = WORLDS["exact"]
    spreads = run_backlogged(world, Fifo(), 0)
    assert any(spread.most_fall > world.bound(*pair) for pair, spread in spreads.items())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", WORLDS)
def test_who_comes_and_goes_is_never_far_ahead_of_who_always_waits(name: str, seed: int) -> None:
    world = WORLDS[name]
    chance = random.Random(seed)  # noqa: S311  # a reproducible load
    simulation = Simulation(world, fair(world), chance)
    others = sorted(world.weights)[1:]
    spreads = {other: Spread(0.0, 0.0) for other in others}
    for step in range(_STEPS):
        keep_busy(simulation, {"a"}, pressure=world.places + 1)
        for number, other in enumerate(others):
            if (step // (97 * (number + 1))) % 2 and chance.random() < 0.3:
                simulation.arrive(other)
        simulation.step()
        for other, spread in spreads.items():
            spread.see(simulation.service[other] - simulation.service["a"])
    for other, spread in spreads.items():
        assert spread.most_rise <= world.bound_of_visitor("a", other)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", WORLDS)
def test_whoever_waits_together_for_a_while_is_served_alike_for_that_while(name: str, seed: int) -> None:
    world = WORLDS[name]
    chance = random.Random(seed)  # noqa: S311  # a reproducible load
    simulation = Simulation(world, fair(world), chance)
    pairs = list(itertools.combinations(sorted(world.weights), 2))
    spells: dict[tuple[str, str], Spread] = {}
    longest = 0
    for step in range(_STEPS):
        for number, principal in enumerate(sorted(world.weights)):
            if (step // (53 * (number + 1))) % 3 and chance.random() < 0.4:
                simulation.arrive(principal)
        simulation.step()
        assert not (simulation.idle_places and len(simulation.queue)), "a free place while something waits"
        for pair in pairs:
            value = simulation.service[pair[0]] - simulation.service[pair[1]]
            if simulation.emptied.intersection(pair):
                spells.pop(pair, None)
                continue
            spread = spells.setdefault(pair, Spread(value, value))
            spread.see(value)
            longest += 1
            assert max(spread.most_rise, spread.most_fall) <= world.bound(*pair)
    assert longest > _STEPS // 4, "the load was too light to say anything"


@pytest.mark.parametrize("has_company", [True, False], ids=["others waited meanwhile", "the line was empty meanwhile"])
def test_absence_saves_up_nothing(*, has_company: bool) -> None:
    world = WORLDS["exact"]
    simulation = Simulation(world, fair(world), random.Random(3))  # noqa: S311  # a reproducible load
    for _ in range(500):  # `a` is served, `b` was never seen
        keep_busy(simulation, {"a"}, pressure=5)
        simulation.step()
    if not has_company:
        while simulation.running or len(simulation.queue):
            simulation.step()
    assert simulation.service["a"] > 3 * world.bound("a", "b"), "long enough for credit to show"
    begun = simulation.service["a"] - simulation.service["b"]
    for _ in range(500):
        keep_busy(simulation, {"a", "b"}, pressure=5)
        simulation.step()
        assert abs(simulation.service["a"] - simulation.service["b"] - begun) <= world.bound("a", "b")


def test_a_request_is_the_oldest_of_its_principal() -> None:
    queue = fair(WORLDS["exact"])
    requests = [Request("a", 1, 1, number) for number in range(5)]
    for request in requests:
        queue.push("a", request)
    assert [queue.pop() for _ in requests] == requests
