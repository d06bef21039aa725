"""What who knows the future would have paid."""

from benchmarks.simulation.world import Outcome, Scenario
from openfm.scheduling.autoscaling import needed

BREACH_PRICE = 10.0
"""A second in breach costs as much as so many seconds of a replica."""

FORMULA = f"""\
cost = replica seconds (from the start of loading on) + {BREACH_PRICE:g} · seconds in breach
oracle: at each instant the fewest replicas that do all the work, within the same bounds; it starts them in time and has
        room for them always, so that no policy is cheaper but for what waits less than the objective
regret = cost / cost of the oracle - 1"""


def oracle_cost(scenario: Scenario) -> float:
    """The cost of the oracle on this scenario."""
    bounds, cost = scenario.bounds, 0.0
    for share in scenario.trace:
        load = share * bounds.most * scenario.per_replica
        replicas = min(bounds.most, max(bounds.least, needed(load, scenario.per_replica, 1.0)))
        is_too_much = load > bounds.most * scenario.per_replica
        cost += scenario.step_s * (replicas + BREACH_PRICE * is_too_much)
    return cost


def regret(outcome: Outcome, scenario: Scenario) -> float:
    """How much more the outcome cost than the oracle's."""
    return (outcome.replica_s + BREACH_PRICE * outcome.breach_s) / oracle_cost(scenario) - 1
