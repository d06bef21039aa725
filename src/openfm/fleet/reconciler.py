"""Moves what runs towards what is desired: on a change, and on a timer."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from openfm.engines.base import EngineSpec, Launcher
from openfm.fleet.placement import Machine, Needs, Placement, place
from openfm.fleet.precedence import Tenant
from openfm.fleet.replica import Replica, ReplicaState, Surroundings
from openfm.telemetry.survival import survived

ENDLESS = Machine((), 1 << 62)
"""A machine on which everything fits."""


@dataclass(frozen=True, slots=True)
class DesiredReplica:
    """One replica that should run. `spec.replica_id` is unique; another spec under the same id replaces the old one.

    `deployment_id` names the served entity it belongs to (`ServedEntity.deployment_id`), whose throughput may be
    provisioned.
    """

    deployment_id: str
    launcher: Launcher
    spec: EngineSpec
    needs: Needs = Needs()
    is_provisioned: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do next: ids to stop, replicas to start with their places, and ids that do not fit with the reason."""

    stop: tuple[str, ...] = ()
    start: tuple[tuple[DesiredReplica, Placement], ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Present:
    """A replica that takes room: what it was started from, where it is, and whether it is on its way out."""

    item: DesiredReplica
    placement: Placement
    is_leaving: bool


def make_plan(desired: Sequence[DesiredReplica], present: Mapping[str, Present], machine: Machine) -> Plan:
    """Pure: the difference between what is desired and what there is.

    A replica waits for its predecessor of the same id to be gone, and, where room is short, for those that are leaving.
    """
    wanted = {item.spec.replica_id: item for item in desired}
    stop = tuple(
        key
        for key, there in present.items()
        if not there.is_leaving and (key not in wanted or wanted[key].spec != there.item.spec)
    )
    taken = [there.placement for there in present.values()]
    is_room_coming = bool(stop) or any(there.is_leaving for there in present.values())
    start: list[tuple[DesiredReplica, Placement]] = []
    refused: dict[str, str] = {}
    for key, item in wanted.items():
        if key in present:
            continue
        found = place(machine, taken, item.needs)
        if isinstance(found, Placement):
            taken.append(found)
            start.append((item, found))
        elif found.is_lasting or not is_room_coming:
            refused[key] = found.message
    return Plan(stop, tuple(start), refused)


@dataclass(slots=True)
class _Entry:
    replica: Replica
    present: Present


class Reconciler:
    """Owns every replica. `desired` is asked at each step and must not wait."""

    def __init__(
        self,
        desired: Callable[[], Sequence[DesiredReplica]],
        around: Surroundings,
        machine: Machine = ENDLESS,
        interval_s: float = 5.0,
    ) -> None:
        self._desired = desired
        self._around = around
        self._machine = machine
        self._interval_s = interval_s
        self._entries: dict[str, _Entry] = {}
        self._by_deployment: dict[str, list[Replica]] = {}
        self._refused: dict[str, str] = {}
        self._load_s: dict[str, float] = {}
        self._stopping: set[asyncio.Task[None]] = set()
        self._listeners: list[Callable[[], None]] = []
        self._nudged = asyncio.Event()
        self._wanted: frozenset[str] = frozenset()

    def replicas(self, deployment_id: str) -> Sequence[Replica]:
        """The deployment's replicas that are not on their way out, in the order they were started."""
        return self._by_deployment.get(deployment_id, ())

    def everyone(self) -> Sequence[Replica]:
        """All replicas that are not on their way out."""
        return [replica for replicas in self._by_deployment.values() for replica in replicas]

    @property
    def deployments(self) -> Mapping[str, Sequence[Replica]]:
        """All replicas that are not on their way out, by deployment."""
        return self._by_deployment

    def is_wanted(self, deployment_id: str) -> bool:
        """Whether the last step found the deployment among the desired ones."""
        return deployment_id in self._wanted

    def refusal(self, deployment_id: str) -> str | None:
        """Why a replica of the deployment has no place, if so."""
        return self._refused.get(deployment_id)

    def load_s(self, deployment_id: str) -> float | None:
        """Seconds that the deployment's last load took, also when nothing of it runs any more."""
        for replica in self.replicas(deployment_id):
            if replica.last_load_s is not None:
                return replica.last_load_s
        return self._load_s.get(deployment_id)

    @property
    def placements(self) -> list[Placement]:
        """What is taken of the machine, by replicas on their way out too."""
        return [entry.present.placement for entry in self._entries.values()]

    @property
    def taken(self) -> Mapping[str, tuple[str, Placement]]:
        """By replica, its deployment and its place; those on their way out too. A copy, for any thread."""
        return {
            replica_id: (entry.present.item.deployment_id, entry.present.placement)
            for replica_id, entry in self._entries.copy().items()
        }

    def tenants(self) -> list[Tenant]:
        """The processes of all replicas that run here, also of those on their way out."""
        return [
            Tenant(entry.replica.pid, entry.replica.hardware, entry.present.item.is_provisioned)
            for entry in self._entries.values()
            if entry.replica.pid is not None
        ]

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change of any replica's state. It must not wait."""
        self._listeners.append(listener)

    def nudge(self) -> None:
        """Take a step now: the desired set has changed."""
        self._nudged.set()

    def renew(self, deployment_id: str) -> None:
        """Forget why the deployment could not be started: replicas that FAILED make room for new ones."""
        for entry in tuple(self._entries.values()):
            is_its = entry.present.item.deployment_id == deployment_id and not entry.present.is_leaving
            if is_its and entry.replica.status.state is ReplicaState.FAILED:
                self._let_go(entry)
        self._refused = {key: message for key, message in self._refused.items() if key != deployment_id}
        self._index()
        self.nudge()

    async def step(self) -> None:
        """Compare once and act. Replicas that go drain in the background, so that they hold up no other."""
        desired = self._desired()
        self._wanted = frozenset(item.deployment_id for item in desired)
        plan = make_plan(desired, {key: entry.present for key, entry in self._entries.items()}, self._machine)
        for key in plan.stop:
            self._let_go(self._entries[key])
        for item, placement in plan.start:
            self._take_on(item, placement)
        owner = {item.spec.replica_id: item.deployment_id for item in desired}
        refused = {owner[key]: message for key, message in plan.refused.items()}
        has_changed = bool(plan.stop or plan.start) or refused != self._refused
        self._refused = refused
        if has_changed:
            self._index()
            self._tell()

    async def run(self) -> None:
        """Take a step at once, after each nudge, and every `interval_s`, until cancelled; then stop all replicas.

        A step that fails is taken again like any other: without them nothing would ever be started or stopped.
        """
        try:
            while True:
                self._nudged.clear()
                with survived("fleet.step_failed"):
                    await self.step()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._interval_s):
                        await self._nudged.wait()
        finally:
            await self.stop_all()

    async def stop_all(self) -> None:
        """Drain and stop every replica, all at once."""
        self._wanted = frozenset()
        for entry in tuple(self._entries.values()):
            if not entry.present.is_leaving:
                self._let_go(entry)
        self._index()
        await asyncio.gather(*self._stopping, return_exceptions=True)

    def _take_on(self, item: DesiredReplica, placement: Placement) -> None:
        threads = len(placement.cores) or item.spec.threads
        is_yielding = not item.is_provisioned and self._shares(placement)
        spec = replace(item.spec, cores=placement.cores, threads=threads, gpu=placement.gpu, is_yielding=is_yielding)
        replica = Replica(item.launcher, spec, self._around, self._tell)
        self._entries[replica.id] = _Entry(replica, Present(item, placement, is_leaving=False))
        replica.start()

    def _shares(self, placement: Placement) -> bool:
        """Whether provisioned throughput computes there too, or will."""
        promised = [entry.present.placement for entry in self._entries.values() if entry.present.item.is_provisioned]
        return any((one.gpu, bool(one.cores)) == (placement.gpu, bool(placement.cores)) for one in promised)

    def _let_go(self, entry: _Entry) -> None:
        entry.present = replace(entry.present, is_leaving=True)
        if entry.replica.last_load_s is not None:
            self._load_s[entry.present.item.deployment_id] = entry.replica.last_load_s
        task = asyncio.create_task(self._gone(entry.replica), name=f"stop replica {entry.replica.id}")
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)

    async def _gone(self, replica: Replica) -> None:
        try:
            await replica.stop()
        finally:
            del self._entries[replica.id]
            self.nudge()  # its place is free

    def _index(self) -> None:
        self._by_deployment = _by_deployment(self._entries.values())

    def _tell(self) -> None:
        for listener in self._listeners:
            with survived("fleet.listener_failed"):
                listener()


def _by_deployment(entries: Iterable[_Entry]) -> dict[str, list[Replica]]:
    found: dict[str, list[Replica]] = {}
    for entry in entries:
        if not entry.present.is_leaving:
            found.setdefault(entry.present.item.deployment_id, []).append(entry.replica)
    return found
