"""Work that waits, as a fluid: exact between two events."""

from dataclasses import dataclass


@dataclass(slots=True)
class Backlog:
    """What waits before one endpoint, and what became of all that was asked. Times in seconds.

    Waiting longer than `objective_s` is a breach; more than `burst_s` of what the replicas do is refused, a breach too.
    Without replicas whatever waits is in breach.
    """

    objective_s: float
    burst_s: float
    waiting: float = 0.0
    offered: float = 0.0
    refused: float = 0.0
    breach_s: float = 0.0

    def pass_time(self, seconds: float, load: float, capacity: float, cold_limit: float) -> None:
        """So long it went on like this: `load` came and up to `capacity` was done, a second.

        `cold_limit` is the work that may wait while there is no replica.
        """
        if seconds <= 0:
            return
        self.offered += load * seconds
        limit = capacity * self.burst_s if capacity > 0 else cold_limit
        before, growth = self.waiting, load - capacity
        after = max(0.0, before + growth * seconds)
        threshold = capacity * self.objective_s
        self.breach_s += _time_above(before, growth, seconds, threshold)
        limit = max(limit, min(before, after))  # what waits already is not sent away
        self.refused += max(0.0, after - limit)
        self.waiting = min(after, limit)

    @property
    def done(self) -> float:
        """The work that was done."""
        return self.offered - self.refused - self.waiting


def _time_above(before: float, growth: float, seconds: float, threshold: float) -> float:
    """How long `before + growth · t` is above the threshold within `seconds`."""
    after = before + growth * seconds
    if before > threshold and after > threshold:
        return seconds
    if before <= threshold and after <= threshold:
        return 0.0
    crossing = (threshold - before) / growth
    return crossing if before > threshold else seconds - crossing
