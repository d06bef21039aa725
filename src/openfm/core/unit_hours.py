"""Hours of model units: what provisioned endpoints are billed for while a served entity is READY. Pure.

Time is cut into intervals in whole seconds. How long one is comes from a clock that only goes on; where it lies,
from the calendar. So a step of the calendar's clock bills nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from openfm.core.price import MICRO, Price, PriceUnit

HOUR_S = 3600
LONGEST_S = 60
"""Of an interval; what a server that is killed loses, in the customer's favour."""

_MOST_DRIFT_S = 2


@dataclass(frozen=True, slots=True)
class Provisioned:
    """A served entity of a provisioned endpoint: whose it is, its model units, and the tokens/s that they promise."""

    deployment_id: str
    units: int
    endpoint_id: str
    endpoint_name: str
    creator: str
    entity_name: str
    tags: tuple[tuple[str, str], ...] = ()
    throughput: int | None = None


@dataclass(frozen=True, slots=True)
class ReadyInterval:
    """It was READY from `from_s` up to `to_s`, in seconds since the epoch."""

    entity: Provisioned
    from_s: int
    to_s: int


@dataclass(frozen=True, slots=True)
class UnitSeconds:
    """Model units times seconds, and what they cost in 10^-12 of the currency."""

    seconds: int
    cost_pico: int


@dataclass(frozen=True, slots=True)
class _Open:
    entity: Provisioned
    from_s: int
    began_s: float


class ReadyClock:
    """Watches which entities are READY, and tells the intervals. Everything it is given is of the same moment."""

    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}

    def look(self, ready: Mapping[str, Provisioned], wall_s: float, steady_s: float) -> list[ReadyInterval]:
        """These are READY now, by deployment id; the intervals that ended, or are long enough to be written."""
        ended = []
        for key, known in tuple(self._open.items()):
            now = ready.get(key)
            length_s = int(steady_s - known.began_s)
            is_same = now == known.entity
            if is_same and length_s < LONGEST_S:
                continue
            if length_s > 0:
                ended.append(ReadyInterval(known.entity, known.from_s, known.from_s + length_s))
            if is_same:
                self._open[key] = _next(known, length_s, wall_s, steady_s)
            else:
                del self._open[key]
        for key, entity in ready.items():
            self._open.setdefault(key, _Open(entity, int(wall_s), steady_s))
        return ended


def _next(known: _Open, length_s: int, wall_s: float, steady_s: float) -> _Open:
    """It goes on where it was, unless the calendar's clock made a step."""
    from_s = known.from_s + length_s
    if abs(wall_s - from_s) > _MOST_DRIFT_S:
        return _Open(known.entity, int(wall_s), steady_s)
    return replace(known, from_s=from_s, began_s=known.began_s + length_s)


def unit_cost(units: int, from_s: int, to_s: int, price: Price) -> int:
    """What so many units cost for that time, in 10^-12 of the price's currency.

    Rounded so that intervals which follow each other cost together what one long interval does: a whole hour costs
    exactly its price, however it was cut.
    """
    rate = units * price.micro(PriceUnit.MODEL_UNIT_HOUR) * MICRO
    return rate * to_s // HOUR_S - rate * from_s // HOUR_S
