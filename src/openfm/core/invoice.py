"""What was used in a month and what it costs, line by line: sums of the ledger, before they are written as text."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from openfm.core.errors import InvalidParameterValue

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTH = re.compile(r"(2\d{3})-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month in UTC."""

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> "Month":
        """The month in `2026-11`. Raises `InvalidParameterValue`."""
        match = _MONTH.fullmatch(text)
        if match is None or not match[0].isascii():
            raise InvalidParameterValue("month must be a year and a month, as in 2026-11.", param="month")
        return cls(int(match[1]), int(match[2]))

    @property
    def bounds_us(self) -> tuple[int, int]:
        """Its first microsecond, and that of the next month, since the epoch."""
        after = (self.year + self.month // 12, self.month % 12 + 1)
        return _start_us(self.year, self.month), _start_us(*after)

    def __str__(self) -> str:
        return f"{self.year}-{self.month:02}"


@dataclass(frozen=True, slots=True, order=True)
class LineKey:
    """What one line of an invoice is about. `price_version` 0 is the price of what has none."""

    currency: str
    principal_name: str
    principal_id: str
    endpoint_name: str
    entity_name: str
    price_version: int


@dataclass(frozen=True, slots=True)
class Used:
    """Sums over requests: `prompt` with its cached part, `cost_pico` in 10^-12 of the line's currency."""

    requests: int
    prompt: int
    cached: int
    completion: int
    cost_pico: int

    def __add__(self, other: "Used") -> "Used":
        """Both together."""
        return Used(
            self.requests + other.requests,
            self.prompt + other.prompt,
            self.cached + other.cached,
            self.completion + other.completion,
            self.cost_pico + other.cost_pico,
        )


@dataclass(frozen=True, slots=True, order=True)
class Correction:
    """An entry that reverses or adds to what a request cost, made in this month."""

    created_us: int
    id: str
    request_id: str
    currency: str
    cost_pico: int
    reason: str


def _start_us(year: int, month: int) -> int:
    return (datetime(year, month, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
