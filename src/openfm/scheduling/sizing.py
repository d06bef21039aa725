"""How much throughput a load needs. Pure."""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from openfm.scheduling.calibration import work_of
from openfm.scheduling.profile import ThroughputProfile
from openfm.scheduling.work import CostWeights


@dataclass(frozen=True, slots=True)
class Shape:
    """The tokens of one request; `cached` is part of `prompt`."""

    prompt: float
    completion: float
    cached: float = 0.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request of the past: in which minute (since the epoch) it came, and its shape."""

    minute: int
    shape: Shape


@dataclass(frozen=True, slots=True)
class Sizing:
    """What a load needs. `units` are throughput chunks; `throughput` is what to provision, tokens/s.

    `utilization` is the part of it that the load takes on average, `spare_requests_per_minute` what would fit beside.
    """

    work_per_request: float
    work_per_s: float
    units: int
    throughput: int
    utilization: float
    spare_requests_per_minute: float


def size(profile: ThroughputProfile, shape: Shape, requests_per_minute: float) -> Sizing:
    """The chunks that so many requests of this shape need; at least one."""
    work = work_of(profile.weights, shape.prompt, shape.cached, shape.completion)
    return size_work(profile, work, work * requests_per_minute / 60)


def size_work(profile: ThroughputProfile, work_per_request: float, work_per_s: float) -> Sizing:
    """The chunks that so much work a second needs; at least one."""
    units = max(1, math.ceil(work_per_s / profile.chunk_size - 1e-9))
    throughput = units * profile.chunk_size
    spare = (throughput - work_per_s) / work_per_request * 60 if work_per_request > 0 else 0.0
    return Sizing(work_per_request, work_per_s, units, throughput, work_per_s / throughput, max(0.0, spare))


def busiest_minute(arrivals: Iterable[Arrival], weights: CostWeights) -> tuple[int, float, float] | None:
    """The minute with the most work: its number, work a second, and the work of a request on average there."""
    work: defaultdict[int, float] = defaultdict(float)
    requests: defaultdict[int, int] = defaultdict(int)
    for arrival in arrivals:
        shape = arrival.shape
        work[arrival.minute] += work_of(weights, shape.prompt, shape.cached, shape.completion)
        requests[arrival.minute] += 1
    if not work:
        return None
    busiest = max(work, key=lambda minute: (work[minute], -minute))
    return busiest, work[busiest] / 60, work[busiest] / requests[busiest]
