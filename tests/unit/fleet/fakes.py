"""Time that obeys, and short ways to say what the fleet's tests say often."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from openfm.core.chat import ChatRequest, Message, Role
from openfm.core.endpoint import EntitySettings, ServedEntity
from openfm.core.model import ModelProfile, Task
from openfm.engines.base import EngineSpec
from openfm.engines.scripted import ScriptedLauncher
from openfm.fleet.placement import Needs
from openfm.fleet.reconciler import DesiredReplica
from openfm.fleet.replica import Replica, ReplicaPolicy, ReplicaState, Surroundings

MODEL = ModelProfile("m", "m", "M", "", "", Task.CHAT, 8192)
DEPLOYMENT = "m-1-abc"
ENTITY = ServedEntity("m-1", "system.ai.m", "1", MODEL, DEPLOYMENT)
SLEEPER = ServedEntity("m-1", "system.ai.m", "1", MODEL, DEPLOYMENT, EntitySettings(scale_to_zero_enabled=True))
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


def desired(*specs: EngineSpec, launcher: ScriptedLauncher | None = None, memory: int = 0) -> list[DesiredReplica]:
    return [DesiredReplica(DEPLOYMENT, launcher or ScriptedLauncher(), item, Needs(memory)) for item in specs]


def around(clock: Clock, policy: ReplicaPolicy = PATIENT) -> Surroundings:
    return Surroundings(clock, clock.sleep, lambda: 1.0, policy)


async def settle(holds: Callable[[], bool]) -> None:
    """Let the other tasks run until `holds`."""
    async with asyncio.timeout(2):
        while not holds():  # noqa: ASYNC110 - the tasks under test set no event
            await asyncio.sleep(0)


def is_in(replica: Replica, state: ReplicaState) -> Callable[[], bool]:
    return lambda: replica.status.state is state
