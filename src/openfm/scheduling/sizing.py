"""How much throughput a load needs. Pure."""

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from openfm.scheduling.calibration import work_of
from openfm.scheduling.leaky_bucket import LeakyBucket
from openfm.scheduling.profile import ThroughputProfile
from openfm.scheduling.work import CostWeights

_MOST_REFUSED = 0.01
_PARTS = 12
"""Of a minute in a replay: as long as what the bucket holds."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The tokens of one request; `cached` is part of `prompt`."""

    prompt: float
    completion: float
    cached: float = 0.0


@dataclass(frozen=True, slots=True)
class Load:
    """What was asked in a minute (since the epoch) of the past: answered requests, their tokens, and refused ones."""

    minute: int
    answered: int
    tokens: Shape
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Sizing:
    """What a load needs. `units` are throughput chunks; `throughput` is what to provision, tokens/s.

    `utilization` is the part of it that the load takes on average (of a past one, in its busiest minute),
    `spare_requests_per_minute` what would fit beside.
    """

    work_per_request: float
    work_per_s: float
    units: int
    throughput: int
    utilization: float
    spare_requests_per_minute: float


@dataclass(frozen=True, slots=True)
class Demanded:
    """Work that was asked in a minute by so many requests."""

    minute: int
    requests: int
    work: float


@dataclass(frozen=True, slots=True)
class Replay:
    """What sizing by the past found: what is needed, and which share of the requests would be refused with it."""

    sizing: Sizing
    requests: int
    refused: float
    busiest: Demanded


def size(profile: ThroughputProfile, shape: Shape, requests_per_minute: float) -> Sizing:
    """The chunks that so many requests of this shape need; at least one."""
    work = work_of(profile.weights, shape.prompt, shape.cached, shape.completion)
    return size_work(profile, work, work * requests_per_minute / 60)


def size_work(profile: ThroughputProfile, work_per_request: float, work_per_s: float) -> Sizing:
    """The chunks that so much work a second needs; at least one."""
    units = max(1, math.ceil(work_per_s / profile.chunk_size - 1e-9))
    return _sizing(profile, work_per_request, work_per_s, units)


def _sizing(profile: ThroughputProfile, work_per_request: float, work_per_s: float, units: int) -> Sizing:
    throughput = units * profile.chunk_size
    spare = (throughput - work_per_s) / work_per_request * 60 if work_per_request > 0 else 0.0
    return Sizing(work_per_request, work_per_s, units, throughput, work_per_s / throughput, max(0.0, spare))


def demanded(loads: Iterable[Load], weights: CostWeights) -> Sequence[Demanded]:
    """The work of each minute; nothing where no request was answered at all.

    Nobody knows what refused requests would have taken: each counts as one that was answered does on average.
    """
    known = [(load, work_of(weights, load.tokens.prompt, load.tokens.cached, load.tokens.completion)) for load in loads]
    answered = sum(load.answered for load, _ in known)
    if not answered:
        return []
    mean = sum(work for _, work in known) / answered
    return [Demanded(one.minute, one.answered + one.refused, work + one.refused * mean) for one, work in known]


def size_replay(profile: ThroughputProfile, minutes: Sequence[Demanded]) -> Replay:
    """The fewest chunks with which a replay of these minutes (one at least) refuses one request in a hundred at most.

    Each minute's requests come at even intervals, and pass the leaky bucket that admits them in earnest.
    """
    busiest = max(minutes, key=lambda one: (one.work, -one.minute))
    requests = sum(one.requests for one in minutes)
    mean = sum(one.work for one in minutes) / requests
    most = size_work(profile, mean, busiest.work / 60).units  # with these nothing is refused

    def share(units: int) -> float:
        return _refused(units * profile.chunk_size, minutes) / requests

    units = 1 + bisect_left(range(1, most), -_MOST_REFUSED, key=lambda tried: -share(tried))
    return Replay(_sizing(profile, mean, busiest.work / 60, units), requests, share(units), busiest)


def _refused(rate: float, minutes: Sequence[Demanded]) -> float:
    """Requests that would be refused at this rate."""
    bucket = LeakyBucket(rate)
    refused = 0.0
    for one in minutes:
        parts = min(one.requests, _PARTS)
        for part in range(parts):
            now = 60.0 * (one.minute - minutes[0].minute + part / parts)
            if bucket.take(one.work / parts, f"{one.minute}/{part}", now) is not None:
                refused += one.requests / parts
    return refused
