"""What an endpoint was promised at a time in the past. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_S_PER_MINUTE = 60


@dataclass(frozen=True, slots=True)
class Spell:
    """A deployment was READY with this throughput (tokens/s), from `from_s` up to `to_s` (s since the epoch)."""

    deployment_id: str
    from_s: int
    to_s: int
    throughput: float


class PromisedTime:
    """Tells from the spells of an endpoint's deployments what was promised when.

    A promise holds from the first spell to the last: what lies between is an outage or sleep, and was promised too.
    Those of `current`, which are promised so much now, hold from their last spell on; without any they always did.
    """

    def __init__(self, spells: Iterable[Spell], current: Mapping[str, float]) -> None:
        self._current = current
        self._spells: dict[str, list[Spell]] = {deployment_id: [] for deployment_id in current}
        for spell in sorted(spells, key=lambda one: one.from_s):
            self._spells.setdefault(spell.deployment_id, []).append(spell)

    def at(self, minute: int) -> float:
        """Tokens/s of all deployments together, when this minute since the epoch began."""
        return sum(self._of(deployment_id, minute * _S_PER_MINUTE) for deployment_id in self._spells)

    def _of(self, deployment_id: str, at_s: int) -> float:
        spells = self._spells[deployment_id]
        if not spells or at_s >= spells[-1].to_s:
            return self._current.get(deployment_id, 0.0)
        begun = bisect_right(spells, at_s, key=lambda one: one.from_s)
        return spells[begun - 1].throughput if begun else 0.0
