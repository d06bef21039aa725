"""Percentiles, the same everywhere."""

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], rank: float) -> float | None:
    """The smallest value that at least `rank` percent of `values` do not exceed ("nearest rank"); None without values.

    Nearest rank gives a value that was measured, never one between two.
    """
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, math.ceil(rank / 100 * len(ordered)) - 1)]
