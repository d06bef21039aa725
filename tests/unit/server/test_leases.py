from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from openfm.engines.scripted import ScriptedLauncher
from openfm.fleet.replica import Replica
from openfm.server.leases import LEASE_S, Leases
from openfm.wire.fleet import Report
from tests.unit.fleet.fakes import Clock, around, spec

_GATEWAYS, _REPLICAS = ("one", "other"), ("r1", "r2", "r3")
_names = st.sampled_from(_GATEWAYS)


def made(replica_id: str, clock: Clock) -> Replica:
    return Replica(ScriptedLauncher(), spec(replica_id), around(clock), lambda: None)


class Fleet(RuleBasedStateMachine):
    """Gateways that take pictures over, or never get them, use what these show, and die; a control that leases.

    What a gateway that lives may use is lent to it, and what nobody may use is not, once all have spoken.
    """

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.leases = Leases(self.clock)
        self.replicas = {replica_id: made(replica_id, self.clock) for replica_id in _REPLICAS}
        self.ready = set(_REPLICAS)
        self.epoch = 1
        self.pictures: dict[str, tuple[int, frozenset[str]]] = {name: (0, frozenset()) for name in _GATEWAYS}
        self.ongoing: dict[str, dict[str, int]] = {name: {} for name in _GATEWAYS}
        self.heard_s: dict[str, float] = {}

    @rule(replica_id=st.sampled_from(_REPLICAS))
    def a_replica_comes_or_goes(self, replica_id: str) -> None:
        self.ready ^= {replica_id}
        self.epoch += 1

    @rule(name=_names, does_answer_arrive=st.booleans())
    def a_gateway_reports(self, name: str, does_answer_arrive: bool) -> None:  # noqa: FBT001  # drawn
        seen, _ = self.pictures[name]
        self.leases.hear(Report(name, seen, dict(self.ongoing[name])))
        self.heard_s[name] = self.clock()
        shown = sorted(self.ready)
        self.leases.show(name, self.epoch, [self.replicas[replica_id] for replica_id in shown])
        if does_answer_arrive:
            self.pictures[name] = (self.epoch, frozenset(shown))

    @rule(name=_names, replica_id=st.sampled_from(_REPLICAS))
    def a_request_begins(self, name: str, replica_id: str) -> None:
        if replica_id in self.pictures[name][1] and self.is_heard(name):
            self.ongoing[name][replica_id] = self.ongoing[name].get(replica_id, 0) + 1

    @rule(name=_names, replica_id=st.sampled_from(_REPLICAS))
    def a_request_ends(self, name: str, replica_id: str) -> None:
        self.ongoing[name][replica_id] = max(0, self.ongoing[name].get(replica_id, 0) - 1)

    @rule(seconds=st.floats(0, LEASE_S))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.leases.forget_silent()
        for name in _GATEWAYS:
            if not self.is_heard(name):
                self.pictures[name], self.ongoing[name] = (0, frozenset()), {}

    @invariant()
    def what_a_gateway_may_use_is_lent_to_it(self) -> None:
        for name in _GATEWAYS:
            used = {replica_id for replica_id, count in self.ongoing[name].items() if count}
            for replica_id in self.pictures[name][1] | used:
                assert name in self.replicas[replica_id].borrowers

    def teardown(self) -> None:
        self.ready.clear()
        self.epoch += 1
        for name in _GATEWAYS:
            self.ongoing[name] = {}
            self.a_gateway_reports(name, does_answer_arrive=True)
            self.a_gateway_reports(name, does_answer_arrive=True)
        assert not any(replica.borrowers for replica in self.replicas.values())

    def is_heard(self, name: str) -> bool:
        return name in self.heard_s and self.clock() - self.heard_s[name] <= LEASE_S


TestFleet = Fleet.TestCase
TestFleet.settings = settings(max_examples=200, stateful_step_count=30)
