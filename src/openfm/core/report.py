"""Usage by what one asks for: by principal, endpoint, tag or day, over days in UTC. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

from openfm.core.errors import InvalidParameterValue
from openfm.core.invoice import Used

DAY_US = 24 * 3600 * 1_000_000
_MOST_DAYS = 3660
_LONGEST_KEY = 255
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_EPOCH = date(1970, 1, 1)
_TAG = "tag:"


class GroupKind(StrEnum):
    """What lines are made of."""

    PRINCIPAL = "principal"
    ENDPOINT = "endpoint"
    DAY = "day"
    TAG = "tag"


@dataclass(frozen=True, slots=True)
class Grouping:
    """What one line is about; `tag` is the tag's key, for TAG alone."""

    kind: GroupKind
    tag: str = ""

    @classmethod
    def parse(cls, text: str) -> "Grouping":
        """`principal`, `endpoint`, `day` or `tag:KEY`. Raises `InvalidParameterValue`."""
        key = text.removeprefix(_TAG)
        if key != text and 0 < len(key) <= _LONGEST_KEY and key.isprintable() and '"' not in key:
            return cls(GroupKind.TAG, key)
        if text not in (GroupKind.PRINCIPAL, GroupKind.ENDPOINT, GroupKind.DAY):
            raise InvalidParameterValue("by must be principal, endpoint, day, or tag:KEY as in tag:team.", param="by")
        return cls(GroupKind(text))

    def __str__(self) -> str:
        return f"{_TAG}{self.tag}" if self.kind is GroupKind.TAG else self.kind.value


@dataclass(frozen=True, slots=True)
class Days:
    """Days from the first to the last, both included."""

    first: date
    last: date

    @classmethod
    def parse(cls, first: str, last: str) -> "Days":
        """Two dates as in 2026-11-01. Raises `InvalidParameterValue`, also for a range turned round."""
        days = cls(_date(first, "from"), _date(last, "to"))
        if days.last < days.first:
            raise InvalidParameterValue("to is before from. Send the earlier day as from.", param="to")
        if (days.last - days.first).days >= _MOST_DAYS:
            raise InvalidParameterValue(f"A report covers {_MOST_DAYS} days at most.", param="from")
        return days

    @property
    def bounds_us(self) -> tuple[int, int]:
        """Their first microsecond, and that of the day after."""
        return (self.first - _EPOCH).days * DAY_US, ((self.last - _EPOCH).days + 1) * DAY_US


@dataclass(frozen=True, slots=True, order=True)
class ReportKey:
    """What a line is about; `key` is empty for requests without the tag."""

    currency: str
    key: str


@dataclass(frozen=True, slots=True)
class Report:
    """Sums over the requests that were received on these days and are closed, and of the hours of model units.

    `subject` says whose they are.
    """

    by: Grouping
    days: Days
    subject: str
    lines: dict[ReportKey, Used]

    @property
    def totals(self) -> dict[str, Used]:
        """The sums by currency."""
        found: dict[str, Used] = {}
        for key, used in self.lines.items():
            found[key.currency] = found[key.currency] + used if key.currency in found else used
        return dict(sorted(found.items()))


def day_of(at_us: int) -> str:
    """The day as in 2026-11-01."""
    return datetime.fromtimestamp(at_us // 1_000_000, tz=UTC).date().isoformat()


def _date(text: str, field: str) -> date:
    try:
        found = date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        found = None
    if found is None or not 1971 <= found.year <= 9000:
        raise InvalidParameterValue(f"{field} must be a day in UTC, as in 2026-11-01.", param=field)
    return found
