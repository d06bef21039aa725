"""A fleet in which anything breaks at any time: it always converges, and never takes more than there is."""

import asyncio

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from openfm.core.errors import EngineFailed
from openfm.engines.base import EngineSpec
from openfm.engines.scripted import RunningScript, ScriptedLauncher
from openfm.fleet.placement import Machine, Needs
from openfm.fleet.reconciler import DesiredReplica, Reconciler
from openfm.fleet.replica import ReplicaPolicy, ReplicaState, Surroundings
from tests.unit.fleet.fakes import Clock, spec

MEMORY = 100
POLICY = ReplicaPolicy(max_launch_failures=3, drain_s=1.0, first_backoff_s=1.0, longest_backoff_s=4.0)
TURNS = 40


class FleetMachine(RuleBasedStateMachine):
    """The reconciler on a machine of 100 bytes; deployments of 10 to 60 bytes come, go, crash and fail to start."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = Clock()
        self.launchers: dict[str, ScriptedLauncher] = {}
        self.sizes: dict[str, int] = {}
        self.wanted: dict[str, DesiredReplica] = {}
        self.reconciler = self.loop.run_until_complete(self._made())

    async def _made(self) -> Reconciler:
        around = Surroundings(self.clock, self.clock.sleep, lambda: 0.5, POLICY)
        return Reconciler(lambda: tuple(self.wanted.values()), around, Machine((0, 1), MEMORY))

    def turn(self) -> None:
        """Let every task that can go on go on."""

        async def breathe() -> None:
            await self.reconciler.step()
            for _ in range(TURNS):
                await asyncio.sleep(0)

        self.loop.run_until_complete(breathe())

    @rule(name=st.sampled_from("abcdef"), memory=st.integers(10, 60), load_s=st.sampled_from([0.0, 3.0]))
    def deploy(self, name: str, memory: int, load_s: float) -> None:
        """Something is wanted, or wanted in another size (which is another deployment)."""
        key = f"{name}-{memory}"
        launcher = self.launchers.setdefault(key, ScriptedLauncher(sleep=self.clock.sleep, load_s=load_s))
        self.wanted = {other: item for other, item in self.wanted.items() if not other.startswith(f"{name}-")}
        self.wanted[key] = DesiredReplica(key, launcher, self._spec(key), Needs(memory))
        self.turn()

    @rule(name=st.sampled_from("abcdef"))
    def withdraw(self, name: str) -> None:
        """Something is not wanted any more."""
        self.wanted = {key: item for key, item in self.wanted.items() if not key.startswith(f"{name}-")}
        self.turn()

    @rule(draw=st.integers(0, 100))
    def crash(self, draw: int) -> None:
        """A running engine dies."""
        running = [engine for launcher in self.launchers.values() for engine in launcher.launched]
        alive = [engine for engine in running if not engine.engine.is_down]
        if alive:
            alive[draw % len(alive)].crash()
        self.turn()

    @precondition(lambda self: self.launchers)
    @rule(draw=st.integers(0, 100), count=st.integers(1, 4))
    def fail_next_launches(self, draw: int, count: int) -> None:
        """The next launches of a deployment fail."""
        launcher = list(self.launchers.values())[draw % len(self.launchers)]
        launcher.failures.extend(EngineFailed("No.") for _ in range(count))

    @rule(seconds=st.floats(0.1, 30))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.clock.advance(seconds)
        self.turn()

    @invariant()
    def never_more_than_there_is(self) -> None:
        """What is taken, by replicas that leave too, fits the machine."""
        taken = sum(placement.needs.memory_bytes for placement in self.reconciler.placements)
        assert taken <= MEMORY

    @invariant()
    def each_replica_is_there_once(self) -> None:
        """One engine a replica: what was replaced or crashed is gone before its successor runs."""
        for key, launcher in self.launchers.items():
            alive = [engine for engine in launcher.launched if not engine.engine.is_down and not _has_ended(engine)]
            assert len(alive) <= 1, key

    def teardown(self) -> None:
        """Left alone with time, the fleet is what is wanted: READY, FAILED after its launches, or refused for room."""
        for _ in range(40):
            self.clock.advance(5)
            self.turn()
        refused = 0
        for key, item in self.wanted.items():
            replicas = self.reconciler.replicas(item.deployment_id)
            if not replicas:
                assert self.reconciler.refusal(item.deployment_id) is not None, key
                refused += item.needs.memory_bytes
                continue
            (replica,) = replicas
            assert replica.status.state in (ReplicaState.READY, ReplicaState.FAILED), (key, replica.status)
        assert len(self.reconciler.placements) == len(self.wanted) - sum(
            self.reconciler.refusal(item.deployment_id) is not None for item in self.wanted.values()
        )
        self.loop.run_until_complete(self.reconciler.stop_all())
        assert self.reconciler.placements == []
        self.loop.close()

    @staticmethod
    def _spec(key: str) -> EngineSpec:
        return spec(f"{key}-1")


def _has_ended(engine: RunningScript) -> bool:
    return engine._ended.done()


TestFleet = FleetMachine.TestCase
TestFleet.settings = settings(max_examples=150, stateful_step_count=30, suppress_health_check=[HealthCheck.too_slow])
