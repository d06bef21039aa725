"""When requests are due: an open loop, in which the next one comes whether or not the last was answered.

A closed loop (so many callers, each waiting for its answer) slows down with the server, and so never shows what a
server does that is asked for more than it can (Schroeder, Wierman, Harchol-Balter, "Open Versus Closed", NSDI 2006).
"""

import math
import random
from collections.abc import Iterator, Sequence
from enum import StrEnum

from openfm.core.errors import InvalidParameterValue


class ArrivalKind(StrEnum):
    """How requests come: evenly, at random (a Poisson process), or as recorded."""

    CONSTANT = "constant"
    POISSON = "poisson"
    TRACE = "trace"


def constant_arrivals(rate_per_s: float, duration_s: float) -> Sequence[float]:
    """Seconds from the beginning: the first at 0, then every `1 / rate_per_s`, before `duration_s`."""
    _check(rate_per_s, duration_s)
    gap_s = 1.0 / rate_per_s
    return [number * gap_s for number in range(math.ceil(duration_s * rate_per_s)) if number * gap_s < duration_s]


def poisson_arrivals(rate_per_s: float, duration_s: float, chance: random.Random) -> Sequence[float]:
    """Seconds from the beginning, with exponential gaps: callers that know nothing of one another.

    The same `chance` gives the same times.
    """
    _check(rate_per_s, duration_s)
    return list(_poisson(rate_per_s, duration_s, chance))


def trace_arrivals(recorded_s: Sequence[float], duration_s: float, speed: float = 1.0) -> Sequence[float]:
    """Recorded times, moved so that the first is at 0, `speed` times as fast, before `duration_s`."""
    if not recorded_s:
        raise InvalidParameterValue("The trace has no requests. Write one time in seconds a line.", param="trace")
    if not all(math.isfinite(time) for time in recorded_s):
        raise InvalidParameterValue("The trace has a time that is no number.", param="trace")
    _check(speed, duration_s)
    ordered = sorted(recorded_s)
    moved = ((time - ordered[0]) / speed for time in ordered)
    return [time for time in moved if time < duration_s]


def parse_trace(text: str) -> Sequence[float]:
    """The times in `text`: one a line, in seconds; empty lines and those that begin with # are passed over.

    What follows a comma is not read, so that a CSV whose first column is a time will do.
    """
    times: list[float] = []
    for number, line in enumerate(text.splitlines(), start=1):
        written = line.split(",")[0].strip()
        if not written or written.startswith("#"):
            continue
        try:
            times.append(float(written))
        except ValueError:
            if times:
                raise InvalidParameterValue(
                    f"Line {number} of the trace is no time in seconds.", param="trace"
                ) from None
    return times


def _poisson(rate_per_s: float, duration_s: float, chance: random.Random) -> Iterator[float]:
    time = chance.expovariate(rate_per_s)
    while time < duration_s:
        yield time
        time += chance.expovariate(rate_per_s)


def _check(rate_per_s: float, duration_s: float) -> None:
    for name, value in (("rate", rate_per_s), ("duration", duration_s)):
        if not (math.isfinite(value) and value > 0):
            raise InvalidParameterValue(f"The {name} is {value}; it must be more than 0.", param=name)
