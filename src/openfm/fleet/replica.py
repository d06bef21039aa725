"""One replica's life, as a state machine with a single writer: the task that runs `_live`. See DESIGN.md."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum

from openfm.core.errors import ApiError, NoReplicaReady, Unavailable
from openfm.engines.base import Engine, EngineSpec, Launcher, LoadProgress, RunningEngine
from openfm.telemetry.survival import Outcome, survived


class ReplicaState(StrEnum):
    """Where a replica is in its life; STOPPED and FAILED are final."""

    LOADING = "loading"
    READY = "ready"
    RECOVERING = "recovering"
    DRAINING = "draining"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ReplicaPolicy:
    """How patient a replica is. Times are in seconds.

    A launch that fails `max_launch_failures` times in a row makes it FAILED; `Unavailable` does not count. One that was
    READY for `stable_s`, or answered a request, has its failures forgotten. `health_failures` probes in a row that fail
    count as a crash: an engine whose loop hangs has no other symptom. `drain_s` bounds how long requests under way may
    go on once the replica is to go.
    """

    first_backoff_s: float = 1.0
    longest_backoff_s: float = 60.0
    max_launch_failures: int = 5
    stable_s: float = 60.0
    health_interval_s: float = 10.0
    health_failures: int = 3
    drain_s: float = 600.0
    stop_grace_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a replica takes from outside: monotonic seconds, a sleep, a draw from [0, 1), and its patience."""

    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    jitter: Callable[[], float]
    policy: ReplicaPolicy = ReplicaPolicy()


@dataclass(frozen=True, slots=True)
class ReplicaStatus:
    """A snapshot: state, load progress, the reason of the last failure, and when (clock) this state will likely end."""

    state: ReplicaState
    progress: LoadProgress
    reason: str = ""
    since_s: float = 0.0
    expected_s: float | None = None


def backoff_s(failures: int, policy: ReplicaPolicy, draw: float) -> float:
    """Wait before the next launch after `failures` (from 1) in a row: doubling, capped, half of it random."""
    longest = min(policy.longest_backoff_s, policy.first_backoff_s * 2.0 ** min(failures - 1, 30))
    return longest * (0.5 + draw / 2)


class Replica:
    """One running copy of a served entity. `start` once; then only `stop` or its own task change its state."""

    def __init__(
        self, launcher: Launcher, spec: EngineSpec, around: Surroundings, on_change: Callable[[], None]
    ) -> None:
        self.launcher = launcher
        self.spec = spec
        self._around = around
        self._on_change = on_change
        self._status = ReplicaStatus(
            ReplicaState.LOADING, LoadProgress(0.0, "waiting to start"), since_s=around.clock()
        )
        self._running: RunningEngine | None = None
        self._engine: Engine | None = None
        self._holds = 0
        self._lent: dict[str, int] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._failures = 0  # of any kind: they make the pauses longer
        self._failed_launches = 0
        self._has_served = False
        self._last_load_s: float | None = None
        self._stop_asked = asyncio.Event()
        self._life: asyncio.Task[None] | None = None

    @property
    def id(self) -> str:
        """Unique in this fleet."""
        return self.spec.replica_id

    @property
    def slots(self) -> int:
        """How many sequences it runs at once."""
        return self.spec.slots

    @property
    def hardware(self) -> frozenset[str]:
        """What it computes on: its GPU, its own cores or the shared ones; nothing where another machine does it all."""
        if self.spec.gpu is not None:
            return frozenset((f"gpu {self.spec.gpu}",))
        if self.spec.cores:
            return frozenset(f"core {core}" for core in self.spec.cores)
        return frozenset(("shared cores",)) if self.spec.files else frozenset()

    @property
    def engine(self) -> Engine:
        """Where to send requests. Raises `NoReplicaReady` if it went while it was looked at."""
        if self._engine is None:
            raise NoReplicaReady("The replica is not ready. Try again shortly.", retry_after_s=1.0)
        return self._engine

    @property
    def pid(self) -> int | None:
        """The engine's process, where it has one here and now."""
        return None if self._running is None else self._running.pid

    @property
    def last_load_s(self) -> float | None:
        """Seconds from launch to the first answer, the last time."""
        return self._last_load_s

    @contextmanager
    def hold(self) -> Iterator[Engine]:
        """The engine, for one request: while it is held, a drain waits. Raises `NoReplicaReady` like `engine`."""
        engine = self.engine
        self._holds += 1
        self._idle.clear()
        try:
            yield engine
            self._has_served = True
        finally:
            self._holds -= 1
            self._note_idle()

    def lend(self, gateway: str, requests: int) -> None:
        """Another process uses the engine too, for so many requests now: until it is taken back, a drain waits."""
        self._lent[gateway] = requests
        self._has_served = self._has_served or requests > 0
        self._idle.clear()

    @property
    def borrowers(self) -> frozenset[str]:
        """The processes to which it is lent."""
        return frozenset(self._lent)

    def take_back(self, gateway: str) -> None:
        """That process does not use it any more. Idempotent."""
        self._lent.pop(gateway, None)
        self._note_idle()

    def _note_idle(self) -> None:
        if not self._holds and not self._lent:
            self._idle.set()

    @property
    def status(self) -> ReplicaStatus:
        """A snapshot of how it is doing."""
        return self._status

    @property
    def ongoing(self) -> int:
        """Requests under way, as far as is known of other processes."""
        return self._holds + sum(self._lent.values())

    @property
    def is_final(self) -> bool:
        """Whether it will never be READY again."""
        return self._status.state in (ReplicaState.STOPPED, ReplicaState.FAILED)

    def start(self) -> None:
        """Begin its life. Call once."""
        if self._life is not None:
            raise RuntimeError(f"Replica {self.id} was started twice.")
        self._life = asyncio.create_task(self._live(), name=f"replica {self.id}")

    async def stop(self) -> None:
        """Drain and end; returns when nothing is left of it. Idempotent, from any state."""
        self._stop_asked.set()
        if self._life is not None:
            await asyncio.shield(self._life)

    async def _live(self) -> None:
        """Launch, watch, wind down. What nobody expected is shown as FAILED: raised, it would break off other stops."""
        try:
            with survived("replica.broke", replica=self.id) as outcome:
                while not self._stop_asked.is_set() and self._status.state is not ReplicaState.FAILED:
                    await self._until_stop(self._launch_and_watch())
            self._show(outcome)
        finally:
            with survived("replica.not_stopped", replica=self.id) as outcome:
                await self._wind_down()
            self._show(outcome)

    def _show(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            self._become(ReplicaState.FAILED, reason=f"openfm made an error of its own: {outcome.error!r}")

    async def _until_stop(self, work: Awaitable[None]) -> None:
        """Do `work`, but give it up as soon as a stop is asked for."""
        doing = asyncio.ensure_future(work)
        asked = asyncio.create_task(self._stop_asked.wait())
        try:
            await asyncio.wait({doing, asked}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
            if not doing.done():
                doing.cancel()
            with suppress(asyncio.CancelledError):
                await doing

    async def _launch_and_watch(self) -> None:
        clock, policy = self._around.clock, self._around.policy
        began = clock()
        self._become(ReplicaState.LOADING, expected_s=None if self._last_load_s is None else began + self._last_load_s)
        try:
            self._running = await self.launcher.launch(self.spec, self._note_progress)
        except ApiError as error:
            await self._launch_failed(error)
            return
        self._failed_launches = 0
        self._last_load_s = clock() - began
        self._engine, self._has_served = self._running.engine, False
        self._become(ReplicaState.READY, progress=LoadProgress(1.0, "ready"))
        reason = await self._gone(self._running)
        if self._has_served or clock() - self._status.since_s >= policy.stable_s:
            self._failures = 0
        self._engine = None
        self._become(ReplicaState.RECOVERING, reason=reason)
        await self._discard(0.0)
        await self._retry_later(reason)

    async def _gone(self, running: RunningEngine) -> str:
        """Wait until the engine exits or stops answering; why."""
        exit_, silence = asyncio.ensure_future(running.exited()), asyncio.ensure_future(self._silent(running.engine))
        try:
            done, _ = await asyncio.wait({exit_, silence}, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            exit_.cancel()
            silence.cancel()

    async def _silent(self, engine: Engine) -> str:
        policy, failed = self._around.policy, 0
        while failed < policy.health_failures:
            await self._around.sleep(policy.health_interval_s)
            try:
                await engine.health()
                failed = 0
            except ApiError:
                failed += 1
        return f"it did not answer {failed} health checks in a row"

    async def _launch_failed(self, error: ApiError) -> None:
        # What is busy now says nothing about this launch; an engine that came up and is gone again does.
        is_passing = isinstance(error, Unavailable) and not isinstance(error, NoReplicaReady)
        self._failed_launches += not is_passing
        if self._failed_launches >= self._around.policy.max_launch_failures:
            self._become(ReplicaState.FAILED, reason=error.message)
        else:
            await self._retry_later(error.message)

    async def _retry_later(self, reason: str) -> None:
        policy = self._around.policy
        self._failures += 1
        wait_s = backoff_s(self._failures, policy, self._around.jitter())
        expected = self._around.clock() + wait_s + (self._last_load_s or 0.0)
        self._become(ReplicaState.RECOVERING, reason=reason, expected_s=expected)
        await self._around.sleep(wait_s)

    async def _wind_down(self) -> None:
        if self._status.state is ReplicaState.READY:
            self._become(ReplicaState.DRAINING)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._around.policy.drain_s):
                    await self._idle.wait()
        self._engine = None
        await self._discard(self._around.policy.stop_grace_s)
        if self._status.state is not ReplicaState.FAILED:
            self._become(ReplicaState.STOPPED)

    async def _discard(self, grace_s: float) -> None:
        running, self._running = self._running, None
        if running is not None:
            await running.stop(grace_s)

    def _note_progress(self, progress: LoadProgress) -> None:
        self._status = replace(self._status, progress=progress)

    def _become(
        self,
        state: ReplicaState,
        *,
        progress: LoadProgress | None = None,
        reason: str = "",
        expected_s: float | None = None,
    ) -> None:
        shown = progress or (LoadProgress(0.0, "starting") if state is ReplicaState.LOADING else self._status.progress)
        kept = reason or self._status.reason
        self._status = ReplicaStatus(
            state, shown, "" if state is ReplicaState.READY else kept, self._around.clock(), expected_s
        )
        self._on_change()
