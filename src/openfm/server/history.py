"""The last hour of every served entity that runs: a sample every few seconds, in memory, and no more than that."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from openfm.control.endpoints.ports import SAMPLE_INTERVAL_S, SAMPLES_KEPT, Sample
from openfm.core.endpoint import ServedEntity, ServingEndpoint
from openfm.core.errors import ApiError
from openfm.core.usage import TokenCounts
from openfm.engines.base import EngineStats
from openfm.fleet.replica import Replica, ReplicaState
from openfm.server.processes import Processes

_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Watched:
    """What is looked at. `waiting` says how many requests wait for a deployment; None where other processes know.

    `clock` gives seconds since the epoch.
    """

    endpoints: Callable[[], Sequence[ServingEndpoint]]
    replicas: Callable[[str], Sequence[Replica]]
    waiting: Callable[[str], int] | None
    clock: Callable[[], float]


@dataclass(frozen=True, slots=True)
class _Told:
    """What one replica's counters were, and when."""

    at_s: float
    stats: EngineStats


class History:
    """By endpoint and served entity, so that an update goes on where the version before it ended."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._samples: dict[_Key, deque[Sample]] = {}
        self._told: dict[str, _Told] = {}
        self._processes = Processes()

    async def run(self) -> None:
        """Look again and again, for ever."""
        while True:
            await self.step()
            await asyncio.sleep(SAMPLE_INTERVAL_S)

    async def step(self) -> None:
        """Look once at whatever runs, and drop what is an hour old or belongs to nobody any more."""
        entities = {
            (endpoint.name, entity.name): entity
            for endpoint in self._watched.endpoints()
            for entity in endpoint.shown_entities
        }
        running = {entity.deployment_id: entity for entity in entities.values()}  # aliases have one together
        seen = dict(zip(running, await asyncio.gather(*map(self._sample, running.values())), strict=True))
        for key, entity in entities.items():
            sample = seen[entity.deployment_id]
            if sample is not None:
                self._samples.setdefault(key, deque(maxlen=SAMPLES_KEPT)).append(sample)
        self._forget(set(entities))
        self._processes.forget_ended()

    def of(self, endpoint: str, entity: str, most: int) -> Sequence[Sample]:
        """The last samples of an entity, the oldest first. Any thread may ask."""
        return tuple(self._samples.get((endpoint, entity), ()))[-most:]

    def forget(self, endpoint: str) -> None:
        """The endpoint is gone: another of its name begins anew."""
        for key in [key for key in self._samples.copy() if key[0] == endpoint]:
            self._samples.pop(key, None)

    def _forget(self, kept: set[_Key]) -> None:
        oldest_s = self._watched.clock() - SAMPLE_INTERVAL_S * SAMPLES_KEPT
        for key, samples in self._samples.copy().items():
            if key not in kept or samples[-1].timestamp < oldest_s * 1000:
                self._samples.pop(key, None)
        self._told = {replica: told for replica, told in self._told.items() if told.at_s >= oldest_s}

    async def _sample(self, entity: ServedEntity) -> Sample | None:
        """How it is now; None where nothing of it runs and nobody waits for it."""
        replicas = self._watched.replicas(entity.deployment_id)
        ready = [replica for replica in replicas if replica.status.state is ReplicaState.READY]
        waiting = None if self._watched.waiting is None else self._watched.waiting(entity.deployment_id)
        if not replicas and not waiting:
            return None
        answers = await asyncio.gather(*(self._asked(replica) for replica in ready))
        told = [answer for answer in answers if answer is not None]
        stats = [stats for stats, _ in told]
        pids = [replica.pid for replica in replicas if replica.pid is not None]
        use = await asyncio.to_thread(self._processes.use, pids) if pids else None
        in_engines = sum(one.requests_waiting for one in stats)
        return Sample(
            timestamp=int(self._watched.clock() * 1000),
            replicas=len(ready),
            requests_running=sum(one.requests_running for one in stats),
            requests_waiting=None if waiting is None else waiting + in_engines,
            kv_cache_percent=_mean(one.kv_cache_ratio for one in stats),
            cpu_percent=None if use is None else round(use.cpu_percent, 2),
            memory_percent=None if use is None else round(use.memory_percent, 2),
            prompt_tokens_per_s=round(sum(rate[0] for _, rate in told), 2),
            completion_tokens_per_s=round(sum(rate[1] for _, rate in told), 2),
        )

    async def _asked(self, replica: Replica) -> tuple[EngineStats, tuple[float, float]] | None:
        """Its counters, and how many prompt and completion tokens a second it made since it was asked last."""
        with suppress(ApiError):  # it ends, or is busy: the others' numbers count
            now = _Told(self._watched.clock(), await replica.engine.stats())
            before = self._told.get(replica.id)
            self._told[replica.id] = now
            return now.stats, (0.0, 0.0) if before is None else _rates(before, now)
        return None


def _rates(before: _Told, now: _Told) -> tuple[float, float]:
    """An engine that was started again counts from 0."""
    took_s = max(0.001, now.at_s - before.at_s)
    made = _tokens(now), _tokens(before)
    return (
        max(0, made[0].prompt - made[1].prompt) / took_s,
        max(0, made[0].completion - made[1].completion) / took_s,
    )


def _tokens(told: _Told) -> TokenCounts:
    return TokenCounts(told.stats.prompt_tokens_total, told.stats.completion_tokens_total)


def _mean(ratios: Iterable[float | None]) -> float | None:
    """Of replicas of one size, as per cent."""
    known = [ratio for ratio in ratios if ratio is not None]
    return round(100 * sum(known) / len(known), 2) if known else None
