"""How many replicas a served entity should have while it is awake: from the work asked of it, with hysteresis. Pure.

Whether it is awake, where it may have none, is for who knows when it was last asked (`fleet.demand`).
"""

import math
from dataclasses import dataclass, replace

_EXACT = 1e-9


@dataclass(frozen=True, slots=True)
class ScalingPolicy:
    """When to change. Utilisation is the work asked for over what the running replicas promise; times are seconds.

    Above `up_at` for `up_after_s` there are to be more, as many as bring utilisation to `target`; fewer only when the
    rest would stay below `down_at` for all of `down_after_s`. `down_at` below `up_at` is what keeps a steady load from
    starting and stopping replicas in turn.
    """

    up_at: float = 0.85
    target: float = 0.7
    down_at: float = 0.6
    up_after_s: float = 10.0
    down_after_s: float = 300.0

    def __post_init__(self) -> None:
        """Refuse thresholds between which a steady load would swing."""
        if not 0 < self.down_at <= self.target <= self.up_at:
            raise ValueError("0 < down_at <= target <= up_at must hold")
        if min(self.up_after_s, self.down_after_s) < 0:
            raise ValueError("times must not be negative")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How few and how many replicas there may be; `least` 0 for what may sleep."""

    least: int
    most: int

    def __post_init__(self) -> None:
        """Refuse what holds no number."""
        if not 0 <= self.least <= self.most or self.most == 0:
            raise ValueError("0 <= least <= most and 1 <= most must hold")

    @property
    def fewest(self) -> int:
        """Of what is awake."""
        return max(1, self.least)


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of an entity now: work a second, also what was refused; `per_replica` is what one promises."""

    work_per_s: float
    per_replica: float


@dataclass(frozen=True, slots=True)
class Scale:
    """How many replicas are wanted, why since the last change, and what is remembered of the load.

    `above_s` and `below_s`: since when it has been too much, or little enough for fewer. `peak_per_s` is the most work
    a second since `below_s`.
    """

    replicas: int
    reason: str = ""
    above_s: float | None = None
    below_s: float | None = None
    peak_per_s: float = 0.0


def scale(before: Scale, load: Load, bounds: Bounds, policy: ScalingPolicy, now: float) -> Scale:
    """The next number of replicas; call it when the load changes, and at `next_look_s`."""
    if not bounds.fewest <= before.replicas <= bounds.most:
        within = min(max(before.replicas, bounds.fewest), bounds.most)
        return Scale(within, f"it may have {bounds.fewest} to {bounds.most} replicas")
    seen = _remembered(before, load, policy, now)
    if seen.above_s is not None and now - seen.above_s >= policy.up_after_s:
        wanted = min(bounds.most, max(before.replicas + 1, needed(load.work_per_s, load.per_replica, policy.target)))
        if wanted > before.replicas:
            return Scale(wanted, f"utilisation was {_shown(load, before)}, above {policy.up_at:.0%}")
    if seen.below_s is not None and now - seen.below_s >= policy.down_after_s:
        wanted = max(bounds.fewest, needed(seen.peak_per_s, load.per_replica, policy.target))
        if wanted < before.replicas:
            return Scale(wanted, f"{wanted} would have been below {policy.target:.0%} for {policy.down_after_s:.0f} s")
    return seen


def needed(work_per_s: float, per_replica: float, utilisation: float) -> int:
    """The fewest replicas that do so much work a second at this utilisation."""
    return math.ceil(work_per_s / (per_replica * utilisation) - _EXACT)


def next_look_s(state: Scale, bounds: Bounds, policy: ScalingPolicy) -> float | None:
    """When to look again if the load stays as it is; None if nothing would change."""
    times = []
    if state.above_s is not None and state.replicas < bounds.most:
        times.append(state.above_s + policy.up_after_s)
    if state.below_s is not None and state.replicas > bounds.fewest:
        times.append(state.below_s + policy.down_after_s)
    return min(times, default=None)


def _remembered(before: Scale, load: Load, policy: ScalingPolicy, now: float) -> Scale:
    room = before.replicas * load.per_replica
    is_above = load.work_per_s > policy.up_at * room
    fewer = (before.replicas - 1) * load.per_replica
    is_below = before.replicas > 1 and load.work_per_s < policy.down_at * fewer
    return replace(
        before,
        above_s=_since(before.above_s, now) if is_above else None,
        below_s=_since(before.below_s, now) if is_below else None,
        peak_per_s=max(before.peak_per_s if before.below_s is not None else 0.0, load.work_per_s) if is_below else 0.0,
    )


def _since(before: float | None, now: float) -> float:
    return now if before is None else before


def _shown(load: Load, before: Scale) -> str:
    return f"{load.work_per_s / (before.replicas * load.per_replica):.0%} of {before.replicas} replicas"
