"""Load over time: work a second, one value a step, drawn from a seed."""

import math
from collections.abc import Callable, Mapping
from random import Random

Trace = tuple[float, ...]
"""The load of each step, as a share of the highest that the endpoint may have (`most` replicas)."""


def step_trace(steps: int, random: Random) -> Trace:
    """Little, then all at once most of it, then little again."""
    low, high = random.uniform(0.05, 0.15), random.uniform(0.6, 0.9)
    begin, end = steps // 3, 2 * steps // 3
    return tuple(high if begin <= number < end else low for number in range(steps))


def ramp_trace(steps: int, random: Random) -> Trace:
    """Evenly from little to most of it, and down again."""
    low, high = random.uniform(0.02, 0.1), random.uniform(0.7, 0.95)
    half = steps / 2
    return tuple(low + (high - low) * (1 - abs(number - half) / half) for number in range(steps))


def diurnal_trace(steps: int, random: Random) -> Trace:
    """A day: the night has a tenth of the afternoon; noise of 5 %."""
    peak, phase = random.uniform(0.6, 0.9), random.uniform(-0.08, 0.08)
    waves = (0.55 - 0.45 * math.cos(2 * math.pi * (number / steps - phase)) for number in range(steps))
    return tuple(max(0.0, peak * wave * random.gauss(1, 0.05)) for wave in waves)


def bursty_trace(steps: int, random: Random) -> Trace:
    """Mostly quiet; bursts come by chance (about 20 in all) and last 1 to 15 steps."""
    trace, left, height = [], 0, 0.0
    for _ in range(steps):
        if left == 0 and random.random() < 20 / steps:
            left, height = random.randint(1, 15), random.uniform(0.4, 1.0)
        trace.append(height if left else 0.05)
        left = max(0, left - 1)
    return tuple(trace)


def recorded_trace(steps: int, random: Random) -> Trace:
    """Synthetic, shaped like recorded ones: working hours, a lunch dip, hourly jobs, noise with a memory, one rush."""
    trace, noise = [], 0.0
    rush = random.uniform(0.4, 0.75)
    for number in range(steps):
        day = number / steps
        office = 1 / (1 + math.exp(-60 * (day - 0.35))) - 1 / (1 + math.exp(-60 * (day - 0.74)))
        lunch = 0.35 * math.exp(-(((day - 0.52) / 0.02) ** 2))
        hourly = 0.12 if (24 * day) % 1 < 0.05 else 0.0
        rushing = 0.45 * math.exp(-(((day - rush) / 0.008) ** 2))
        noise = 0.9 * noise + random.gauss(0, 0.015)
        trace.append(min(1.0, max(0.0, 0.04 + 0.5 * office * (1 - lunch) + hourly + rushing + noise)))
    return tuple(trace)


TRACES: Mapping[str, Callable[[int, Random], Trace]] = {
    "step": step_trace,
    "ramp": ramp_trace,
    "diurnal": diurnal_trace,
    "bursty": bursty_trace,
    "recorded": recorded_trace,
}
