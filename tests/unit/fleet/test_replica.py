import asyncio
import math
from collections import deque
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfm.core.chat import ChatRequest, Message, Role
from openfm.core.endpoint import DeploymentState, ServedEntity
from openfm.core.errors import EngineFailed, NoReplicaReady
from openfm.core.model import ModelProfile, Task
from openfm.engines.base import EngineSpec, LoadProgress
from openfm.engines.scripted import FOREVER, ScriptedLauncher
from openfm.fleet.reconciler import DesiredReplica, Reconciler, make_plan
from openfm.fleet.replica import Replica, ReplicaPolicy, ReplicaState, ReplicaStatus, Surroundings, backoff_s
from openfm.fleet.roster import Fleet, expected_wait_s

MODEL = ModelProfile("m", "m", "M", "", "", Task.CHAT, 8192)
ENTITY = ServedEntity("m-1", "system.ai.m", "1", MODEL)
HELLO = ChatRequest((Message(Role.USER, "hello"),))
PATIENT = ReplicaPolicy(max_launch_failures=3, drain_s=0.05, health_failures=2)


class Clock:
    """Time that stands still until a sleep ends; sleeps end when told, in the order of their time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sleepers: list[tuple[float, asyncio.Event]] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        self.sleepers.append((self.now + seconds, woken))
        await woken.wait()

    def advance(self, seconds: float) -> None:
        self.now += seconds
        for due, woken in self.sleepers:
            if due <= self.now:
                woken.set()
        self.sleepers = [(due, woken) for due, woken in self.sleepers if due > self.now]


def spec(replica_id: str = "r1", slots: int = 4) -> EngineSpec:
    return EngineSpec(replica_id, MODEL, {}, slots, 2, Path("log"), Path())


def around(clock: Clock, policy: ReplicaPolicy = PATIENT) -> Surroundings:
    return Surroundings(clock, clock.sleep, lambda: 1.0, policy)


async def settle(holds: Callable[[], bool]) -> None:
    """Let the other tasks run until `holds`."""
    async with asyncio.timeout(2):
        while not holds():  # noqa: ASYNC110 - the tasks under test set no event
            await asyncio.sleep(0)


def is_in(replica: Replica, state: ReplicaState) -> Callable[[], bool]:
    return lambda: replica.status.state is state


async def started(launcher: ScriptedLauncher, clock: Clock, policy: ReplicaPolicy = PATIENT) -> Replica:
    replica = Replica(launcher, spec(), around(clock, policy), lambda: None)
    replica.start()
    await asyncio.sleep(0)
    return replica


async def test_it_loads_and_is_ready() -> None:
    replica = await started(ScriptedLauncher(), Clock())
    await settle(is_in(replica, ReplicaState.READY))
    assert replica.status.progress == LoadProgress(1.0, "ready")
    assert [event async for event in replica.engine.generate(HELLO)]
    await replica.stop()
    assert replica.status.state is ReplicaState.STOPPED


async def test_a_crash_is_recovered_from_after_a_pause() -> None:
    clock, launcher = Clock(), ScriptedLauncher()
    replica = await started(launcher, clock)
    await settle(is_in(replica, ReplicaState.READY))
    launcher.launched[0].crash("killed by SIGSEGV")
    await settle(lambda: replica.status.state is ReplicaState.RECOVERING and replica.status.expected_s is not None)
    assert replica.status.reason == "killed by SIGSEGV"
    with pytest.raises(NoReplicaReady):
        _ = replica.engine
    clock.advance(1.0)
    await settle(is_in(replica, ReplicaState.READY))
    assert len(launcher.launched) == 2
    await replica.stop()


async def test_a_hung_engine_counts_as_crashed() -> None:
    clock, launcher = Clock(), ScriptedLauncher()
    replica = await started(launcher, clock)
    await settle(is_in(replica, ReplicaState.READY))
    launcher.launched[0].engine.is_down = True
    for _ in range(PATIENT.health_failures):
        await settle(lambda: bool(clock.sleepers))
        clock.advance(PATIENT.health_interval_s)
    await settle(is_in(replica, ReplicaState.RECOVERING))
    assert "health" in replica.status.reason
    await replica.stop()


async def test_launches_that_fail_end_in_failed_with_the_reason() -> None:
    clock = Clock()
    launcher = ScriptedLauncher(failures=deque(EngineFailed(f"No memory ({number}).") for number in range(3)))
    replica = await started(launcher, clock)
    for _ in range(2):
        await settle(lambda: bool(clock.sleepers))
        clock.advance(60)
    await settle(is_in(replica, ReplicaState.FAILED))
    assert replica.status.reason == "No memory (2)."
    await replica.stop()
    assert replica.status.state is ReplicaState.FAILED


async def test_a_stop_during_a_load_ends_it_at_once() -> None:
    replica = await started(ScriptedLauncher(load_s=FOREVER), Clock())
    await replica.stop()
    assert replica.status.state is ReplicaState.STOPPED


async def test_a_stop_during_a_pause_ends_it_at_once() -> None:
    clock = Clock()
    replica = await started(ScriptedLauncher(failures=deque([EngineFailed("No.")])), clock)
    await settle(lambda: bool(clock.sleepers))
    await replica.stop()
    assert replica.status.state is ReplicaState.STOPPED


async def test_a_stop_waits_for_requests_under_way() -> None:
    replica = await started(ScriptedLauncher(), Clock(), ReplicaPolicy(drain_s=60))
    await settle(is_in(replica, ReplicaState.READY))
    events = replica.engine.generate(HELLO)
    await anext(events)
    stopping = asyncio.create_task(replica.stop())
    await settle(is_in(replica, ReplicaState.DRAINING))
    assert replica.ongoing == 1
    await events.aclose()
    await stopping
    assert replica.status.state is ReplicaState.STOPPED


async def test_a_request_that_never_ends_does_not_hold_a_stop_up_for_ever() -> None:
    launcher = ScriptedLauncher()
    replica = await started(launcher, Clock())
    await settle(is_in(replica, ReplicaState.READY))
    launcher.launched[0].engine.will_say("one", "two", gap_s=FOREVER)
    async with aclosing(replica.engine.generate(HELLO)) as events:
        await anext(events)
        await replica.stop()
    assert replica.status.state is ReplicaState.STOPPED


async def test_two_stops_at_once_are_one() -> None:
    replica = await started(ScriptedLauncher(), Clock())
    await settle(is_in(replica, ReplicaState.READY))
    await asyncio.gather(replica.stop(), replica.stop())
    assert replica.is_final


async def test_it_cannot_be_started_twice() -> None:
    replica = await started(ScriptedLauncher(), Clock())
    with pytest.raises(RuntimeError):
        replica.start()
    await replica.stop()


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_a_pause_is_positive_and_capped(failures: int, draw: float) -> None:
    assert 0 < backoff_s(failures, PATIENT, draw) <= PATIENT.longest_backoff_s


def test_pauses_double() -> None:
    assert [backoff_s(failures, PATIENT, 1.0) for failures in (1, 2, 3, 30)] == [1, 2, 4, 60]


def desired(*specs: EngineSpec, launcher: ScriptedLauncher | None = None) -> list[DesiredReplica]:
    return [DesiredReplica(("system.ai.m", "1"), launcher or ScriptedLauncher(), item) for item in specs]


def test_a_plan_is_the_difference() -> None:
    wanted = desired(spec("same"), spec("changed", slots=8), spec("new"))
    plan = make_plan(wanted, [("same", spec("same")), ("changed", spec("changed")), ("old", spec("old"))])
    assert plan.stop == ("changed", "old")
    assert [item.spec.replica_id for item in plan.start] == ["changed", "new"]


async def test_the_reconciler_follows_what_is_desired() -> None:
    clock, launcher = Clock(), ScriptedLauncher()
    wanted = desired(spec(), launcher=launcher)
    reconciler = Reconciler(lambda: wanted, around(clock))
    fleet = Fleet(reconciler, clock)
    with pytest.raises(NoReplicaReady, match="no replica"):
        fleet.ready(ENTITY)
    await reconciler.step()
    assert fleet.deployment(ENTITY).state is DeploymentState.CREATING
    (replica,) = reconciler.replicas(("system.ai.m", "1"))
    await settle(is_in(replica, ReplicaState.READY))
    assert fleet.ready(ENTITY) == [replica]
    assert fleet.deployment(ENTITY).state is DeploymentState.READY
    await reconciler.step()
    assert len(launcher.specs) == 1
    wanted.clear()
    await reconciler.step()
    await settle(lambda: replica.is_final)
    with pytest.raises(NoReplicaReady):
        fleet.ready(ENTITY)
    await reconciler.stop_all()


async def test_a_nudge_makes_it_act_at_once_and_the_end_stops_all() -> None:
    clock = Clock()
    wanted: list[DesiredReplica] = []
    reconciler = Reconciler(lambda: wanted, around(clock), interval_s=3600)
    changes: list[int] = []
    reconciler.on_change(lambda: changes.append(1))
    running = asyncio.create_task(reconciler.run())
    await asyncio.sleep(0)
    wanted.extend(desired(spec()))
    reconciler.nudge()
    await settle(lambda: bool(reconciler.replicas(("system.ai.m", "1"))))
    (replica,) = reconciler.replicas(("system.ai.m", "1"))
    await settle(is_in(replica, ReplicaState.READY))
    assert changes
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert replica.status.state is ReplicaState.STOPPED


async def test_the_wait_while_loading_comes_from_the_progress() -> None:
    clock, launcher = Clock(), ScriptedLauncher(load_s=FOREVER)
    reconciler = Reconciler(lambda: desired(spec(), launcher=launcher), around(clock))
    fleet = Fleet(reconciler, clock)
    await reconciler.step()
    (replica,) = reconciler.replicas(("system.ai.m", "1"))
    await settle(lambda: replica.status.progress.fraction == 0.5)
    clock.now = 8.0
    with pytest.raises(NoReplicaReady, match="50%") as caught:
        fleet.ready(ENTITY)
    assert caught.value.retry_after_s == 8.0
    await reconciler.stop_all()


@pytest.mark.parametrize(
    ("status", "wait_s"),
    [
        (ReplicaStatus(ReplicaState.RECOVERING, LoadProgress(0, ""), expected_s=17.2), 8),
        (ReplicaStatus(ReplicaState.RECOVERING, LoadProgress(0, ""), expected_s=5.0), 1),
        (ReplicaStatus(ReplicaState.LOADING, LoadProgress(0, "")), 5),
        (ReplicaStatus(ReplicaState.LOADING, LoadProgress(0.001, "")), 120),
        (ReplicaStatus(ReplicaState.FAILED, LoadProgress(0, "")), 60),
    ],
)
def test_waits_are_honest_and_bounded(status: ReplicaStatus, wait_s: float) -> None:
    assert math.isclose(expected_wait_s(status, now=10.0), wait_s)
