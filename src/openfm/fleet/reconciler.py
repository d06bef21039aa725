"""Moves what runs towards what is desired: on a change, and on a timer."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from openfm.engines.base import EngineSpec, Launcher
from openfm.fleet.replica import Replica, Surroundings

GroupKey = tuple[str, str]
"""Entity name and version: endpoints that serve the same version share its replicas."""


@dataclass(frozen=True, slots=True)
class DesiredReplica:
    """One replica that should run. `spec.replica_id` is unique; another spec under the same id replaces the old one."""

    group: GroupKey
    launcher: Launcher
    spec: EngineSpec


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do next: ids to stop, replicas to start. A changed one is in both."""

    stop: tuple[str, ...]
    start: tuple[DesiredReplica, ...]


def make_plan(desired: Sequence[DesiredReplica], running: Sequence[tuple[str, EngineSpec]]) -> Plan:
    """Pure: the difference between what is desired and what runs (id and spec)."""
    wanted = {item.spec.replica_id: item for item in desired}
    present = dict(running)
    stop = tuple(key for key, spec in present.items() if key not in wanted or wanted[key].spec != spec)
    start = tuple(item for key, item in wanted.items() if key not in present or key in stop)
    return Plan(stop, start)


class Reconciler:
    """Owns every replica. `desired` is asked at each step and must not wait."""

    def __init__(
        self, desired: Callable[[], Sequence[DesiredReplica]], around: Surroundings, interval_s: float = 5.0
    ) -> None:
        self._desired = desired
        self._around = around
        self._interval_s = interval_s
        self._replicas: dict[str, tuple[GroupKey, Replica]] = {}
        self._stopping: set[asyncio.Task[None]] = set()
        self._listeners: list[Callable[[], None]] = []
        self._nudged = asyncio.Event()
        self._wanted_groups: frozenset[GroupKey] = frozenset()

    def replicas(self, group: GroupKey) -> list[Replica]:
        """The group's replicas, in the order they were started."""
        return [replica for key, replica in self._replicas.values() if key == group]

    def is_wanted(self, group: GroupKey) -> bool:
        """Whether the last step found the group among the desired ones."""
        return group in self._wanted_groups

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change of any replica's state. It must not wait."""
        self._listeners.append(listener)

    def nudge(self) -> None:
        """Take a step now: the desired set has changed."""
        self._nudged.set()

    async def step(self) -> None:
        """Compare once and act. Replicas that go drain in the background, so that they hold up no other."""
        desired = self._desired()
        self._wanted_groups = frozenset(item.group for item in desired)
        plan = make_plan(desired, [(key, replica.spec) for key, (_, replica) in self._replicas.items()])
        leaving = {key: self._replicas.pop(key)[1] for key in plan.stop}
        for replica in leaving.values():
            task = asyncio.create_task(replica.stop(), name=f"stop replica {replica.id}")
            self._stopping.add(task)
            task.add_done_callback(self._stopping.discard)
        for item in plan.start:
            replica = Replica(item.launcher, item.spec, self._around, self._tell)
            self._replicas[replica.id] = (item.group, replica)
            replica.start()
        if plan.stop or plan.start:
            self._tell()

    async def run(self) -> None:
        """Take a step at once, after each nudge, and every `interval_s`, until cancelled; then stop all replicas."""
        try:
            while True:
                self._nudged.clear()
                await self.step()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._interval_s):
                        await self._nudged.wait()
        finally:
            await self.stop_all()

    async def stop_all(self) -> None:
        """Drain and stop every replica, all at once."""
        replicas = [replica for _, replica in self._replicas.values()]
        self._wanted_groups = frozenset()
        await asyncio.gather(*(replica.stop() for replica in replicas), *self._stopping)
        self._replicas.clear()

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()
