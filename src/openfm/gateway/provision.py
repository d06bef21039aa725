"""Provisioned throughput at the door: who is within it, who may go beyond it, and when the others may come back."""

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from openfm.core.endpoint import ServedEntity, ServingEndpoint
from openfm.core.errors import ProvisionUsedUp
from openfm.core.usage import Demand, TokenCounts
from openfm.gateway.ports import ThroughputBook
from openfm.scheduling.expectation import Expectation
from openfm.scheduling.leaky_bucket import BucketPolicy, LeakyBucket, Wait
from openfm.scheduling.work import Promise

_FORGET_AFTER_S = 3600.0
_RECENT_S = 30.0
_BELIEVED = 2.0


@dataclass(frozen=True, slots=True)
class Asker:
    """A request before the door: what it may use at most, whose it is, and its bytes, by which it is known again."""

    demand: Demand
    principal: str
    raw: bytes = b""

    @property
    def key(self) -> str:
        """The same for the same request of the same principal."""
        return hashlib.blake2b(self.raw, digest_size=16, key=self.principal.encode()[:64]).hexdigest()


@dataclass(slots=True)
class _Door:
    """One served entity's bucket, what is expected of its requests, and what was asked of it lately."""

    endpoint: str
    entity: str
    promise: Promise
    bucket: LeakyBucket
    expectation: Expectation = field(default_factory=Expectation)
    asked: float = 0.0  # work, of which older counts less
    told_s: float = 0.0

    def note(self, work: float, now: float) -> None:
        """So much more was asked; below zero, so much less than was thought.

        More than twice what was promised is remembered as that: those who come back before they were told to are
        counted each time, and would be believed long after they left.
        """
        most = _BELIEVED * self.promise.rate * _RECENT_S
        self.asked = min(most, max(0.0, self.asked * _fading(now - self.told_s) + work))
        self.told_s = now


@dataclass(slots=True)
class Share:
    """What one request took of an entity's provisioned throughput; nothing, where it went in beside it."""

    deployment_id: str
    demand: Demand
    estimate: float
    _door: _Door
    _clock: Callable[[], float]
    is_burst: bool = False
    _is_settled: bool = False

    @property
    def utilisation(self) -> float:
        """Of the entity's provisioned throughput, now: above 1 where it is used up."""
        return self._door.bucket.utilisation(self._clock())

    @property
    def unit_rate(self) -> float:
        """The work a second that is one unit of throughput."""
        return self._door.promise.chunk

    def work(self, used: TokenCounts) -> float:
        """What these tokens come to."""
        return self._door.promise.weights.work(used)

    def settle(self, used: TokenCounts) -> None:
        """The request left, and used so much. Idempotent."""
        if self._is_settled:
            return
        self._is_settled = True
        now, correction = self._clock(), self.work(used) - self.estimate
        self._door.note(correction, now)
        if not self.is_burst:
            self._door.bucket.correct(correction, now)
        if used.total:
            self._door.expectation.learn(self.demand, used)


class NothingPromised:
    """A `ThroughputBook` for gateways without provisioned throughput."""

    def promise(self, entity: ServedEntity) -> None:
        """See `ThroughputBook.promise`."""
        del entity


class Provisions:
    """The buckets of all provisioned served entities. `clock` gives seconds that never go back."""

    def __init__(self, book: ThroughputBook, clock: Callable[[], float], policy: BucketPolicy = BucketPolicy()) -> None:
        self._book = book
        self._clock = clock
        self._policy = policy
        self._doors: dict[str, _Door] = {}

    def enter(
        self, endpoint: ServingEndpoint, entity: ServedEntity, asker: Asker, is_idle: Callable[[], bool]
    ) -> Share | None:
        """Take what the request is expected to use; None for an entity that was promised nothing.

        Where the throughput is used up, bursts may go in beside it while the replicas are idle. Raises
        `ProvisionUsedUp` with the time at which the same request is let in.
        """
        promise = self._book.promise(entity)
        if promise is None:
            return None
        now, door = self._clock(), self._door(endpoint, entity, promise)
        estimate = promise.weights.work(door.expectation.counts(asker.demand))
        share = Share(entity.deployment_id, asker.demand, estimate, door, self._clock)
        may_burst = entity.settings.burst_scaling_enabled is not False
        key = asker.key
        if not door.bucket.is_due(key, now):  # who comes back as told was counted when he was told
            door.note(estimate, now)
        if may_burst and not door.bucket.is_open(key, now) and is_idle():
            share.is_burst = True
            return share
        wait = door.bucket.take(estimate, key, now)
        if wait is not None:
            raise _used_up(endpoint.name, entity, door.bucket.utilisation(now), wait)
        return share

    def note_replicas(self, entity: ServedEntity, running: int) -> None:
        """So many of the entity's replicas take requests: that part of its promise can be kept now."""
        door = self._doors.get(entity.deployment_id)
        if door is None:
            return
        rate = door.promise.rate_of(running)
        if rate != door.bucket.rate:
            door.bucket.change_rate(rate, self._clock())

    def utilisations(self) -> Mapping[tuple[str, str], float]:
        """By endpoint and served entity: how much of what was provisioned is in use."""
        now = self._clock()
        return {(door.endpoint, door.entity): door.bucket.utilisation(now) for door in self._doors.values()}

    def asked_per_s(self, deployment_id: str) -> float:
        """The work a second that was asked of the deployment lately, also what was refused."""
        door = self._doors.get(deployment_id)
        return 0.0 if door is None else door.asked * _fading(self._clock() - door.told_s) / _RECENT_S

    def _door(self, endpoint: ServingEndpoint, entity: ServedEntity, promise: Promise) -> _Door:
        now = self._clock()
        door = self._doors.get(entity.deployment_id)
        if door is None:
            self._forget(now)
            bucket = LeakyBucket(promise.rate, self._policy)
            door = self._doors[entity.deployment_id] = _Door(endpoint.name, entity.name, promise, bucket)
        elif door.promise != promise:
            door.promise = promise
            door.bucket.change_rate(promise.rate, now)
        return door

    def _forget(self, now: float) -> None:
        for gone in [key for key, door in self._doors.items() if now - door.told_s > _FORGET_AFTER_S]:
            del self._doors[gone]


def _fading(elapsed_s: float) -> float:
    return math.exp(-max(0.0, elapsed_s) / _RECENT_S)


def _used_up(endpoint: str, entity: ServedEntity, utilisation: float, wait: Wait) -> ProvisionUsedUp:
    may_burst = entity.settings.burst_scaling_enabled is not False
    return ProvisionUsedUp(
        f"The provisioned throughput of '{entity.name}' of the endpoint '{endpoint}' is in use ({utilisation:.0%}"
        f"{', and its replicas are busy' if may_burst else ''}). Send the same request again in "
        f"{wait.retry_after_s:.3f} s, or provision more.",
        retry_after_s=wait.retry_after_s,
        utilisation=utilisation,
    )
