import asyncio
from collections import deque
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfm.core.errors import EngineFailed, NoReplicaReady, Unavailable
from openfm.engines.base import EngineSpec, LoadProgress
from openfm.engines.scripted import FOREVER, RunningScript, ScriptedLauncher
from openfm.fleet.replica import Replica, ReplicaPolicy, ReplicaState, backoff_s
from tests.unit.fleet.fakes import HELLO, PATIENT, Clock, around, is_in, settle, spec


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


async def test_crashes_are_no_failed_launches() -> None:
    clock, launcher = Clock(), ScriptedLauncher()
    replica = await started(launcher, clock)
    for number in range(4):
        await settle(is_in(replica, ReplicaState.READY))
        launcher.launched[number].crash()
        await settle(is_waiting(replica))
        if number == 3:
            launcher.failures.append(EngineFailed("No memory."))
        clock.advance(60)
    await settle(lambda: not launcher.failures)
    await settle(is_waiting(replica))
    clock.advance(60)
    await settle(is_in(replica, ReplicaState.READY))
    await replica.stop()


async def test_what_is_busy_for_now_is_waited_for_however_long() -> None:
    clock = Clock()
    launcher = ScriptedLauncher(failures=deque(Unavailable("The database is busy.") for _ in range(6)))
    replica = await started(launcher, clock)
    for _ in range(6):
        await settle(lambda: bool(clock.sleepers))
        assert replica.status.state is ReplicaState.RECOVERING
        clock.advance(60)
    await settle(is_in(replica, ReplicaState.READY))
    await replica.stop()


def is_waiting(replica: Replica) -> Callable[[], bool]:
    return lambda: replica.status.state is ReplicaState.RECOVERING and replica.status.expected_s is not None


class Buggy(ScriptedLauncher):
    """Raises what no launcher should."""

    async def launch(self, spec: EngineSpec, on_progress: Callable[[LoadProgress], None]) -> RunningScript:
        await super().launch(spec, on_progress)
        raise RuntimeError("a bug")


async def test_what_a_launcher_should_not_raise_is_shown_and_does_not_break_whoever_stops_it() -> None:
    replica = await started(Buggy(), Clock())
    await settle(is_in(replica, ReplicaState.FAILED))
    assert "a bug" in replica.status.reason
    await replica.stop()
    assert replica.status.state is ReplicaState.FAILED


class Undying(ScriptedLauncher):
    """Its engines cannot be stopped."""

    async def launch(self, spec: EngineSpec, on_progress: Callable[[LoadProgress], None]) -> RunningScript:
        running = await super().launch(spec, on_progress)
        return _Undying(running.engine)


class _Undying(RunningScript):
    async def stop(self, grace_s: float) -> None:
        raise PermissionError(f"not within {grace_s} s")


async def test_an_engine_that_cannot_be_stopped_is_shown() -> None:
    replica = await started(Undying(), Clock())
    await settle(is_in(replica, ReplicaState.READY))
    await replica.stop()
    assert replica.status.state is ReplicaState.FAILED
    assert "PermissionError" in replica.status.reason


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
    with replica.hold():
        stopping = asyncio.create_task(replica.stop())
        await settle(is_in(replica, ReplicaState.DRAINING))
        assert replica.ongoing == 1
        assert not stopping.done()
    await stopping
    assert replica.status.state is ReplicaState.STOPPED


async def test_a_request_that_never_ends_does_not_hold_a_stop_up_for_ever() -> None:
    replica = await started(ScriptedLauncher(), Clock())
    await settle(is_in(replica, ReplicaState.READY))
    with replica.hold():
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
