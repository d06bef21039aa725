"""The scaling policy over traces of load, beside an oracle; and a day of 1,000 endpoints on 100 machines. Simulated.

Policy and sleep are the server's own (`openfm.scheduling.autoscaling`, `openfm.fleet.demand`); everything is drawn from
a seed.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from statistics import mean

from benchmarks.simulation.oracle import BREACH_PRICE, FORMULA, oracle_cost, regret
from benchmarks.simulation.traces import TRACES
from benchmarks.simulation.world import BURST_S, OBJECTIVE_S, REPLICA, Outcome, Scenario, World
from openfm.scheduling.autoscaling import Bounds, ScalingPolicy
from openfm.scheduling.capacity import Amounts

ROOT = Path(__file__).resolve().parent.parent
DAY_S = 86_400.0
_BOUNDS = Bounds(1, 8)
_MACHINE = Amounts(cores=96, memory_bytes=512 << 30)
_FORMULAS = f"""\
load: work a second as a share of what the most replicas do; one value per step; utilisation = work done / work that the
      replicas could have done, from the start of their loading on
breach: seconds in which work waits more than {OBJECTIVE_S:g} s, or is refused (more than {BURST_S:g} s of work waits)
{FORMULA}"""


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of one trace and policy, the mean over seeds; `load_s` is how long a replica takes to start."""

    trace: str
    policy: str
    load_s: float
    breach_share: float
    refused_share: float
    utilisation: float
    regret: float
    changes: float


def policies() -> dict[str, ScalingPolicy | None]:
    """The server's, the same without patience, and none (always the most replicas)."""
    eager = ScalingPolicy(up_at=0.7, target=0.7, down_at=0.7, up_after_s=0, down_after_s=0)
    return {"openfm": ScalingPolicy(), "no hysteresis": eager, "always most": None}


def scenario(trace: str, seed: int, load_s: float, bounds: Bounds = _BOUNDS, step_s: float = 60.0) -> Scenario:
    """A day of this trace."""
    steps = int(DAY_S / step_s)
    return Scenario(TRACES[trace](steps, Random(f"{trace}-{seed}")), step_s, bounds, load_s=load_s)


def play(one: Scenario, policy: ScalingPolicy | None) -> Outcome:
    """One endpoint alone, with room for all of its replicas."""
    machine = Amounts(cores=REPLICA.cores * one.bounds.most, memory_bytes=REPLICA.memory_bytes * one.bounds.most)
    if policy is None:
        fixed = Scenario(one.trace, one.step_s, Bounds(one.bounds.most, one.bounds.most), one.per_replica, one.load_s)
        return World([machine], [fixed]).run()[0]
    return World([machine], [one], policy).run()[0]


def rows(seeds: int, load_s: float) -> list[Row]:
    """Every trace with every policy."""
    found = []
    for trace in TRACES:
        days = [scenario(trace, seed, load_s) for seed in range(seeds)]
        for name, policy in policies().items():
            outcomes = [play(day, policy) for day in days]
            found.append(_row(trace, name, days, outcomes))
    return found


def _row(trace: str, policy: str, days: Sequence[Scenario], outcomes: Sequence[Outcome]) -> Row:
    pairs = list(zip(outcomes, days, strict=True))
    return Row(
        trace,
        policy,
        days[0].load_s,
        mean(one.breach_s for one in outcomes) / DAY_S,
        mean(one.refused_share for one in outcomes),
        mean(one.utilisation for one in outcomes),
        mean(regret(outcome, day) for outcome, day in pairs),
        mean(one.changes for one in outcomes),
    )


def fleet(endpoints: int, machines: int, seed: int) -> dict[str, float]:
    """A day of many endpoints, each with a trace, bounds and a load time of its own, on machines that they share."""
    random = Random(f"fleet-{seed}")
    scenarios = []
    for number in range(endpoints):
        bounds = Bounds(random.choice((0, 1, 1)), random.choice((1, 2, 2, 4, 4, 8)))
        trace = random.choice(tuple(TRACES))
        scenarios.append(scenario(trace, seed * endpoints + number, random.uniform(5, 120), bounds))
    world = World([_MACHINE] * machines, scenarios)
    began = time.perf_counter()
    outcomes = world.run()
    wall_s = time.perf_counter() - began
    cost = sum(one.replica_s + BREACH_PRICE * one.breach_s for one in outcomes)
    given = sum(one.replica_s for one in outcomes)
    return {
        "endpoints": endpoints,
        "machines": machines,
        "wall_s": round(wall_s, 2),
        "events": world.events,
        "breach_share": sum(one.breach_s for one in outcomes) / (DAY_S * endpoints),
        "utilisation": sum(one.utilisation * one.replica_s for one in outcomes) / given,
        "regret": cost / sum(oracle_cost(one) for one in scenarios) - 1,
        "short_of_room_share": sum(one.short_s for one in outcomes) / (DAY_S * endpoints),
        "mean_replicas": given / DAY_S,
        "room_for_replicas": machines * (_MACHINE.cores // REPLICA.cores),
        "changes": sum(one.changes for one in outcomes),
    }


def show(found: Sequence[Row], day: dict[str, float]) -> None:
    """The tables."""
    print(f"{'trace':10}{'policy':15}{'load s':>7}{'breach':>9}{'refused':>9}{'utilis.':>9}{'regret':>9}{'changes':>9}")
    for row in found:
        print(
            f"{row.trace:10}{row.policy:15}{row.load_s:7.0f}{row.breach_share:9.2%}{row.refused_share:9.2%}"
            f"{row.utilisation:9.1%}{row.regret:9.1%}{row.changes:9.1f}"
        )
    print(
        f"\na day of {day['endpoints']:.0f} endpoints on {day['machines']:.0f} machines: {day['events']:.0f} events in "
        f"{day['wall_s']:.1f} s\nbreach {day['breach_share']:.2%} of endpoint seconds, utilisation "
        f"{day['utilisation']:.1%}, regret {day['regret']:.1%}, short of room {day['short_of_room_share']:.2%}; "
        f"{day['mean_replicas']:.0f} replicas on average, room for {day['room_for_replicas']:.0f}"
    )


def main() -> None:
    """Simulate and print; `--save` keeps the figures under benchmarks/results/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="days per trace")
    parser.add_argument("--seed", type=int, default=0, help="of the fleet")
    parser.add_argument("--endpoints", type=int, default=1000)
    parser.add_argument("--machines", type=int, default=100)
    parser.add_argument("--save", action="store_true")
    args = parser.parse_args()
    found = [row for load_s in (10.0, 120.0) for row in rows(args.seeds, load_s)]
    day = fleet(args.endpoints, args.machines, args.seed)
    show(found, day)
    print(f"\n{_FORMULAS}")
    if args.save:
        path = ROOT / "benchmarks" / "results" / f"scaling-{time.strftime('%Y-%m-%d')}.json"
        record = {"seeds": args.seeds, "seed": args.seed, "traces": [asdict(row) for row in found], "fleet": day}
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        print(f"saved to {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
