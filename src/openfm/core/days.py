"""Spans of whole days."""

from dataclasses import dataclass
from datetime import date

from openfm.core.errors import InvalidParameterValue


@dataclass(frozen=True, slots=True)
class Days:
    """From the first to the last day, both among them, in UTC. Raises `InvalidParameterValue` if they are turned."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise InvalidParameterValue(
                f"to ({self.last}) is before from ({self.first}): write the first day, then the last.", param="to"
            )

    @classmethod
    def parse(cls, first: str, last: str) -> "Days":
        """Out of `2026-11-01` and the like. Raises `InvalidParameterValue`."""
        return cls(_day(first, "from"), _day(last, "to"))

    def __contains__(self, day: object) -> bool:
        """Whether a day, as in `2026-11-01`, is among them."""
        return isinstance(day, str) and self.first.isoformat() <= day <= self.last.isoformat()


def _day(text: str, field: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        raise InvalidParameterValue(f"{field} must be a day, as in 2026-11-01.", param=field)
    return day
