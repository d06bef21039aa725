import asyncio
from collections import deque
from dataclasses import replace

import pytest

from openfm.core.endpoint import DeploymentState
from openfm.core.errors import EngineFailed, EntityWithdrawn, NoReplicaReady
from openfm.engines.scripted import FOREVER, ScriptedLauncher
from openfm.fleet.demand import Demand
from openfm.fleet.placement import Machine, Needs, Placement
from openfm.fleet.reconciler import DesiredReplica, Present, Reconciler, make_plan
from openfm.fleet.replica import ReplicaState
from openfm.fleet.roster import Fleet, Patience, Prospects
from tests.unit.fleet.fakes import DEPLOYMENT, ENTITY, SLEEPER, Clock, around, desired, is_in, settle, spec

ROOM = Machine((0, 1), memory_bytes=100)


def present(item: DesiredReplica, *, is_leaving: bool = False) -> Present:
    return Present(item, Placement(item.needs), is_leaving)


def test_a_plan_is_the_difference() -> None:
    wanted = desired(spec("same"), spec("changed", slots=8), spec("new"))
    there = {item.spec.replica_id: present(item) for item in desired(spec("same"), spec("changed"), spec("old"))}
    plan = make_plan(wanted, there, ROOM)
    assert plan.stop == ("changed", "old")
    assert [item.spec.replica_id for item, _ in plan.start] == ["new"]


def test_a_changed_replica_starts_once_its_predecessor_is_gone() -> None:
    wanted = desired(spec("changed", slots=8))
    (old,) = desired(spec("changed"))
    assert make_plan(wanted, {"changed": present(old, is_leaving=True)}, ROOM).start == ()
    assert len(make_plan(wanted, {}, ROOM).start) == 1


def test_what_does_not_fit_waits_for_those_that_leave_and_is_refused_if_nobody_does() -> None:
    wanted = desired(spec("new"), memory=60)
    (old,) = desired(spec("old"), memory=60)
    leaving = make_plan(wanted, {"old": present(old, is_leaving=True)}, ROOM)
    assert (leaving.start, leaving.refused) == ((), {})
    (staying,) = desired(spec("staying"), memory=60)
    refused = make_plan([*wanted, staying], {"staying": present(staying)}, ROOM)
    assert "0.00 GiB" in refused.refused["new"]


def test_what_never_fits_is_refused_at_once() -> None:
    (old,) = desired(spec("old"), memory=60)
    plan = make_plan(desired(spec("huge"), memory=101), {"old": present(old, is_leaving=True)}, ROOM)
    assert list(plan.refused) == ["huge"]


class Yard:
    """A reconciler, the fleet's view of it, and what is desired of it."""

    def __init__(self, launcher: ScriptedLauncher | None = None, machine: Machine = ROOM) -> None:
        self.clock = Clock()
        self.launcher = launcher or ScriptedLauncher()
        self.wanted: list[DesiredReplica] = []
        self.served = {DEPLOYMENT}
        self.has_no_files = False
        self.demand = Demand(self.clock, idle_s=60)
        self.reconciler = Reconciler(lambda: self.wanted, around(self.clock), machine)
        patience = Patience(self.clock, cold_start_s=50)
        prospects = Prospects(lambda deployment: deployment in self.served, lambda _: self.has_no_files)
        self.fleet = Fleet(self.reconciler, self.demand, patience, prospects)

    def want(self, count: int = 1, memory: int = 0) -> None:
        self.wanted = desired(*(spec(f"r{n}") for n in range(count)), launcher=self.launcher, memory=memory)


async def test_the_reconciler_follows_what_is_desired() -> None:
    yard = Yard()
    yard.want()
    await yard.reconciler.step()
    assert yard.fleet.deployment(ENTITY).state is DeploymentState.CREATING
    (replica,) = yard.reconciler.replicas(DEPLOYMENT)
    await settle(is_in(replica, ReplicaState.READY))
    assert await yard.fleet.ready(ENTITY) == [replica]
    assert yard.fleet.deployment(ENTITY).state is DeploymentState.READY
    await yard.reconciler.step()
    assert len(yard.launcher.specs) == 1
    yard.wanted = []
    await yard.reconciler.step()
    assert not yard.reconciler.replicas(DEPLOYMENT)
    await settle(lambda: replica.is_final)
    await yard.reconciler.stop_all()


async def test_requests_wait_for_a_replica_that_is_being_loaded_all_for_the_same() -> None:
    yard = Yard()
    asking = [asyncio.create_task(yard.fleet.ready(ENTITY)) for _ in range(50)]
    await asyncio.sleep(0)
    assert yard.demand.is_awake(DEPLOYMENT)
    yard.want()
    await yard.reconciler.step()
    found = await asyncio.gather(*asking)
    assert {id(replicas[0]) for replicas in found} == {id(yard.reconciler.replicas(DEPLOYMENT)[0])}
    assert len(yard.launcher.specs) == 1
    await yard.reconciler.stop_all()


async def test_a_request_whose_entity_was_taken_away_is_told_so() -> None:
    yard = Yard()
    yard.served.clear()
    with pytest.raises(EntityWithdrawn):
        await yard.fleet.ready(ENTITY)


async def test_a_request_that_waits_without_a_replica_learns_at_once_that_its_entity_was_taken_away() -> None:
    yard = Yard()
    asking = asyncio.create_task(yard.fleet.ready(ENTITY))
    await settle(lambda: DEPLOYMENT in yard.demand._waiting)
    yard.served.clear()
    yard.fleet.wake()
    async with asyncio.timeout(2):
        with pytest.raises(EntityWithdrawn):
            await asking


async def test_a_request_that_waits_without_a_replica_learns_at_once_that_the_files_cannot_be_brought() -> None:
    yard = Yard()
    asking = asyncio.create_task(yard.fleet.ready(ENTITY))
    await settle(lambda: DEPLOYMENT in yard.demand._waiting)
    yard.has_no_files = True
    yard.fleet.wake()
    async with asyncio.timeout(2):
        with pytest.raises(NoReplicaReady, match="could not be started") as refused:
            await asking
    assert refused.value.retry_after_s == 60


async def test_past_the_deadline_it_is_503_with_the_wait_and_the_state() -> None:
    yard = Yard(ScriptedLauncher(load_s=FOREVER))
    yard.want()
    await yard.reconciler.step()
    (replica,) = yard.reconciler.replicas(DEPLOYMENT)
    await settle(lambda: replica.status.progress.fraction == 0.5)
    asking = asyncio.create_task(yard.fleet.ready(ENTITY))
    await asyncio.sleep(0)
    yard.clock.now = 50.0
    await yard.reconciler.step()
    yard.wanted = []
    yard.served.add(DEPLOYMENT)
    yard.reconciler.nudge()
    await yard.reconciler.step()
    with pytest.raises(NoReplicaReady):
        await asking
    await yard.reconciler.stop_all()


async def test_what_has_no_room_fails_at_once_with_the_numbers() -> None:
    yard = Yard()
    yard.want(memory=1 << 30)
    await yard.reconciler.step()
    shown = yard.fleet.deployment(ENTITY)
    assert (shown.state, "1.00 GiB" in shown.message) == (DeploymentState.FAILED, True)
    with pytest.raises(NoReplicaReady):
        await yard.fleet.ready(ENTITY)
    yard.want()
    await yard.reconciler.step()
    assert yard.fleet.deployment(ENTITY).state is DeploymentState.CREATING
    await yard.reconciler.stop_all()


async def test_an_entity_that_may_sleep_is_ready_while_it_does_and_says_what_waking_costs() -> None:
    yard = Yard()
    yard.want()
    await yard.reconciler.step()
    (replica,) = yard.reconciler.replicas(DEPLOYMENT)
    await settle(is_in(replica, ReplicaState.READY))
    yard.wanted = []
    await yard.reconciler.step()
    await settle(lambda: replica.is_final)
    shown = yard.fleet.asleep(SLEEPER)
    assert shown is not None
    assert shown.state is DeploymentState.READY
    assert yard.fleet.deployment(SLEEPER).state is DeploymentState.CREATING
    assert "Scaled to zero" in shown.message
    assert "about 0.0 s" in shown.message
    await yard.reconciler.stop_all()


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
    await settle(lambda: bool(reconciler.replicas(DEPLOYMENT)))
    (replica,) = reconciler.replicas(DEPLOYMENT)
    await settle(is_in(replica, ReplicaState.READY))
    assert changes
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert replica.status.state is ReplicaState.STOPPED


async def test_an_error_in_a_step_or_a_listener_ends_nothing() -> None:
    errors = [RuntimeError("a bug")]
    wanted = desired(spec())
    heard: list[int] = []

    def ask() -> list[DesiredReplica]:
        if errors:
            raise errors.pop()
        return wanted

    def fail() -> None:
        raise RuntimeError("a bug of a listener")

    reconciler = Reconciler(ask, around(Clock()), interval_s=3600)
    reconciler.on_change(fail)
    reconciler.on_change(lambda: heard.append(1))
    running = asyncio.create_task(reconciler.run())
    await settle(lambda: not errors)
    reconciler.nudge()
    await settle(lambda: bool(reconciler.replicas(DEPLOYMENT)))
    (replica,) = reconciler.replicas(DEPLOYMENT)
    await settle(is_in(replica, ReplicaState.READY))
    assert heard
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert replica.status.state is ReplicaState.STOPPED


async def test_what_failed_is_started_anew_when_it_is_asked_for_anew() -> None:
    launcher = ScriptedLauncher(failures=deque(EngineFailed("No key.") for _ in range(3)))
    yard = Yard(launcher)
    yard.want()
    await yard.reconciler.step()
    (failed,) = yard.reconciler.replicas(DEPLOYMENT)
    while not failed.is_final:
        await settle(lambda: failed.is_final or bool(yard.clock.sleepers))
        yard.clock.advance(60)
    assert yard.fleet.deployment(ENTITY).state is DeploymentState.FAILED
    yard.reconciler.renew(DEPLOYMENT)
    assert yard.fleet.deployment(ENTITY).state is DeploymentState.CREATING
    await settle(lambda: not yard.reconciler.placements)
    await yard.reconciler.step()
    (replica,) = yard.reconciler.replicas(DEPLOYMENT)
    await settle(is_in(replica, ReplicaState.READY))
    yard.reconciler.renew(DEPLOYMENT)
    assert yard.reconciler.replicas(DEPLOYMENT) == [replica]
    await yard.reconciler.stop_all()


def test_needs_of_nothing_always_fit() -> None:
    assert make_plan(desired(spec()), {}, Machine((), 0)).start[0][1] == Placement(Needs())


async def test_a_model_without_versions_is_named_without_one() -> None:
    yard = Yard()
    yard.want(memory=1 << 30)
    await yard.reconciler.step()
    with pytest.raises(NoReplicaReady, match=r"^gpt has no replica yet") as refused:
        await yard.fleet.ready(replace(ENTITY, entity_name="gpt", entity_version=""))
    assert "  " not in refused.value.message
