"""Endpoints on machines, event by event: load changes, replicas become ready, the scaling policy looks again.

Policy and sleep are the server's own code: `scheduling.autoscaling` and `fleet.demand`.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

from benchmarks.simulation.backlog import Backlog
from benchmarks.simulation.traces import Trace
from openfm.fleet.demand import Demand
from openfm.scheduling.autoscaling import Bounds, Load, Scale, ScalingPolicy, next_look_s, scale
from openfm.scheduling.capacity import Account, Amounts
from openfm.settings import Settings

OBJECTIVE_S, BURST_S = 3.0, 5.0
POLICY = ScalingPolicy()
IDLE_S = float(Settings.model_fields["scale_to_zero_after_s"].default)
_ASLEEP = Scale(0)
REPLICA = Amounts(cores=4, memory_bytes=8 << 30)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One endpoint: its load, how its replicas may number, what each does (work a second), and how long it loads."""

    trace: Trace
    step_s: float
    bounds: Bounds
    per_replica: float = 100.0
    load_s: float = 30.0


@dataclass(slots=True)
class _Endpoint:
    scenario: Scenario
    state: Scale
    backlog: Backlog
    ready: list[int] = field(default_factory=list)  # the machine of each
    starting: dict[int, int] = field(default_factory=dict)  # start -> machine
    load: float = 0.0
    told_s: float = 0.0
    replica_s: float = 0.0
    changes: int = 0
    short_s: float = 0.0
    look_s: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one endpoint. `short_s`: how long it had fewer replicas than it wanted, for want of room."""

    replica_s: float
    breach_s: float
    refused_share: float
    utilisation: float
    changes: int
    short_s: float


class World:
    """Machines and the endpoints on them; deterministic. Every replica takes `REPLICA` of its machine."""

    def __init__(
        self, machines: Sequence[Amounts], scenarios: Sequence[Scenario], policy: ScalingPolicy = POLICY
    ) -> None:
        self._machines = [Account(total) for total in machines]
        self._policy = policy
        self._endpoints = [_Endpoint(one, Scale(one.bounds.fewest), Backlog(OBJECTIVE_S, BURST_S)) for one in scenarios]
        self._now = 0.0
        self._demand = Demand(lambda: self._now, IDLE_S)
        self._agenda: list[tuple[float, int, str, int, int]] = []
        self._order = count()
        self._starts = count()
        self._short: set[int] = set()
        self._open = list(range(len(machines)))  # those that were not full when last asked
        self.events = 0

    def run(self) -> list[Outcome]:
        """Play all traces to their ends."""
        for index, endpoint in enumerate(self._endpoints):
            self._demand.touch(str(index))
            self._adjust(index, endpoint, 0.0, is_begin=True)
            self._at(0.0, "load", index, 0)
        while self._agenda:
            now, _, kind, index, number = heapq.heappop(self._agenda)
            self.events, self._now = self.events + 1, now
            endpoint = self._endpoints[index]
            self._settle(endpoint, now)
            if kind == "load":
                self._next_load(index, endpoint, number, now)
            elif kind == "ready":
                if number in endpoint.starting:
                    endpoint.ready.append(endpoint.starting.pop(number))
            elif kind == "look":
                if endpoint.look_s != now:
                    continue
                endpoint.look_s = None
            self._decide(index, endpoint, now)
        for endpoint in self._endpoints:
            self._settle(endpoint, len(endpoint.scenario.trace) * endpoint.scenario.step_s)
        return [_outcome(endpoint) for endpoint in self._endpoints]

    def _at(self, when: float, kind: str, index: int, number: int) -> None:
        scenario = self._endpoints[index].scenario
        if when < len(scenario.trace) * scenario.step_s:
            heapq.heappush(self._agenda, (when, next(self._order), kind, index, number))

    def _settle(self, endpoint: _Endpoint, now: float) -> None:
        seconds = now - endpoint.told_s
        if seconds <= 0:
            return
        scenario = endpoint.scenario
        capacity = len(endpoint.ready) * scenario.per_replica
        cold_limit = endpoint.load * (scenario.load_s + BURST_S)
        endpoint.backlog.pass_time(seconds, endpoint.load, capacity, cold_limit)
        there = len(endpoint.ready) + len(endpoint.starting)
        endpoint.replica_s += seconds * there
        endpoint.short_s += seconds * (there < endpoint.state.replicas)
        endpoint.told_s = now

    def _next_load(self, index: int, endpoint: _Endpoint, number: int, now: float) -> None:
        trace, step_s = endpoint.scenario.trace, endpoint.scenario.step_s
        was_used = endpoint.load > 0
        endpoint.load = trace[number] * endpoint.scenario.bounds.most * endpoint.scenario.per_replica
        if was_used or endpoint.load > 0:
            self._demand.touch(str(index))
        if endpoint.load == 0:
            self._at(now + IDLE_S, "sleep", index, 0)
        following = number + 1
        while following < len(trace) and trace[following] == trace[number]:
            following += 1
        self._at(now + (following - number) * step_s, "load", index, following)

    def _decide(self, index: int, endpoint: _Endpoint, now: float) -> None:
        bounds = endpoint.scenario.bounds
        before = endpoint.state
        endpoint.state = self._scaled(index, endpoint, now)
        if endpoint.state.replicas != before.replicas:
            endpoint.changes += 1
            self._adjust(index, endpoint, now)
            endpoint.state = self._scaled(index, endpoint, now)
        look_s = next_look_s(endpoint.state, bounds, self._policy)
        if look_s is not None and look_s != endpoint.look_s:
            endpoint.look_s = max(look_s, now)
            self._at(endpoint.look_s, "look", index, 0)

    def _scaled(self, index: int, endpoint: _Endpoint, now: float) -> Scale:
        """What is wanted now. Used is what has load; it is touched when that ends, which is when it matters."""
        is_awake = endpoint.load > 0 or self._demand.is_awake(str(index))
        if endpoint.scenario.bounds.least == 0 and not is_awake:
            return _ASLEEP
        load = Load(endpoint.load, endpoint.scenario.per_replica)
        return scale(endpoint.state, load, endpoint.scenario.bounds, self._policy, now)

    def _adjust(self, index: int, endpoint: _Endpoint, now: float, *, is_begin: bool = False) -> None:
        """Start or stop replicas; of what is to go, first what is not ready yet."""
        wanted, needs = endpoint.state.replicas, REPLICA
        while len(endpoint.ready) + len(endpoint.starting) > wanted:
            machine = endpoint.starting.popitem()[1] if endpoint.starting else endpoint.ready.pop()
            self._give_back(index, machine, now)
        while len(endpoint.ready) + len(endpoint.starting) < wanted:
            start = next(self._starts)
            found = self._room(start, needs)
            if found is None:
                self._short.add(index)
                return
            if is_begin:
                endpoint.ready.append(found)
            else:
                endpoint.starting[start] = found
                self._at(now + endpoint.scenario.load_s, "ready", index, start)
        self._short.discard(index)

    def _room(self, start: int, needs: Amounts) -> int | None:
        """The first machine with room. One that has none is not asked again before something of it is given back."""
        while self._open:
            number = self._open[0]
            changed = self._machines[number].with_holding(f"{start}", needs)
            if isinstance(changed, Account):
                self._machines[number] = changed
                return number
            heapq.heappop(self._open)
        return None

    def _give_back(self, index: int, machine: int, now: float) -> None:
        account = self._machines[machine]
        self._machines[machine] = account.without(next(iter(account.held)))  # all replicas need the same
        if machine not in self._open:
            heapq.heappush(self._open, machine)
        for other in sorted(self._short - {index}):
            if not self._open:
                return
            self._settle(self._endpoints[other], now)
            self._adjust(other, self._endpoints[other], now)


def _outcome(endpoint: _Endpoint) -> Outcome:
    backlog, scenario = endpoint.backlog, endpoint.scenario
    given = endpoint.replica_s * scenario.per_replica
    return Outcome(
        endpoint.replica_s,
        backlog.breach_s,
        backlog.refused / backlog.offered if backlog.offered else 0.0,
        backlog.done / given if given else 0.0,
        endpoint.changes,
        endpoint.short_s,
    )
