"""What things cost: prices, their units, and which requests one is for. No float comes near money."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from fnmatch import fnmatchcase

from openfm.core.currencies import CURRENCIES
from openfm.core.errors import InvalidParameterValue

MICRO = 1_000_000
PICO = 1_000_000_000_000
DBU = "DBU"
HIGHEST_AMOUNT = 100_000
"""Per unit. With `core.ledger.MOST_TOKENS` it keeps the cost of any request within 64 bits."""

_NAMES = {"ENDPOINT": re.compile(r"[\w.*-]{1,63}", re.ASCII), "ENTITY": re.compile(r"[^\s/\\*]{1,800}")}
_WILDCARD = "*"


class PriceUnit(StrEnum):
    """What an amount is for: a million tokens of a kind, or an hour of one model unit."""

    PROMPT = "PROMPT"
    CACHED = "CACHED"
    COMPLETION = "COMPLETION"
    MODEL_UNIT_HOUR = "MODEL_UNIT_HOUR"


class TargetKind(StrEnum):
    """What a price's target names: endpoints (`*` stands for any text), or a served model wherever it is served."""

    ENDPOINT = "ENDPOINT"
    ENTITY = "ENTITY"


@dataclass(frozen=True, slots=True)
class Target:
    """The requests that a price is for. Raises `InvalidParameterValue` for a name that nothing can have."""

    kind: TargetKind
    name: str

    def __post_init__(self) -> None:
        if not _NAMES[self.kind].fullmatch(self.name) or not self.name.isprintable():
            raise InvalidParameterValue(
                "A price is for an endpoint's name, in which * stands for any text, or for a model's whole "
                "catalog.schema.model.",
                param="target",
            )

    @property
    def rank(self) -> tuple[int, int]:
        """Of two prices for a request the higher rank is taken: endpoint, then model, then the longer pattern."""
        if self.kind is TargetKind.ENTITY:
            return (1, 0)
        return (0, len(self.name)) if _WILDCARD in self.name else (2, 0)

    def is_same(self, other: "Target") -> bool:
        """Whether both are for the same requests: models' names know no case."""
        is_model = self.kind is TargetKind.ENTITY
        mine, its = (one.name.lower() if is_model else one.name for one in (self, other))
        return self.kind is other.kind and mine == its

    def covers(self, endpoint_name: str, entity_name: str) -> bool:
        """Whether a request to this endpoint, served by this entity, is meant."""
        if self.kind is TargetKind.ENTITY:
            return self.name.lower() == entity_name.lower()
        return fnmatchcase(endpoint_name, self.name)


@dataclass(frozen=True, slots=True)
class Price:
    """A target's amounts from a time on. `amounts` are 10^-6 of the currency; a missing one is 0.

    Without an amount of their own cached prompt tokens cost what other prompt tokens do. Times are microseconds since
    the epoch; of two prices in effect the later one holds, of two of the same time the higher version.
    """

    version: int
    target: Target
    currency: str
    amounts: Mapping[PriceUnit, int]
    effective_from_us: int
    created_us: int
    created_by: str

    def micro(self, unit: PriceUnit) -> int:
        """The amount of a unit."""
        if unit is PriceUnit.CACHED and unit not in self.amounts:
            unit = PriceUnit.PROMPT
        return self.amounts.get(unit, 0)


@dataclass(frozen=True, slots=True)
class PriceRequest:
    """A price to be set. `effective_from_us` None: from now on."""

    target: Target
    currency: str
    amounts: Mapping[PriceUnit, int]
    effective_from_us: int | None = None


def checked_currency(currency: str | None) -> str:
    """The currency. Raises `InvalidParameterValue`."""
    if currency is None or (currency != DBU and currency not in CURRENCIES):
        raise InvalidParameterValue(
            "A price needs a currency: a code of ISO 4217, as USD or EUR, in capital letters, or DBU.", param="currency"
        )
    return currency


def micro_of(amount: Decimal, unit: PriceUnit) -> int:
    """The amount in 10^-6 of its currency. Raises `InvalidParameterValue` if it is negative, huge or too fine."""
    field = unit.lower()
    if not amount.is_finite() or not 0 <= amount <= HIGHEST_AMOUNT:
        raise InvalidParameterValue(f"{field} must be from 0 to {HIGHEST_AMOUNT:,}.", param=field)
    micro = exact_parts(amount, MICRO)
    if micro is None:
        raise InvalidParameterValue(f"{field} can have six decimals at most.", param=field)
    return micro


def exact_parts(amount: Decimal, parts: int) -> int | None:
    """The amount in so many parts, a power of ten, of its unit; None for one that is finer, or too large for 28 digits.

    Products are rounded to 28 digits, comparisons are exact.
    """
    try:
        rounded = amount.quantize(Decimal(1) / parts)
    except InvalidOperation:
        return None
    return int(rounded * parts) if rounded == amount else None


def shown_micro(micro: int) -> str:
    """The amount as a plain decimal number, as in `0.25`."""
    return _plain(micro, MICRO)


def shown_pico(pico: int) -> str:
    """The cost as a plain decimal number, exact to the last digit."""
    return _plain(pico, PICO)


def _plain(number: int, parts: int) -> str:
    whole, rest = divmod(abs(number), parts)
    decimals = str(rest).zfill(len(str(parts)) - 1).rstrip("0")
    sign = "-" if number < 0 else ""
    return f"{sign}{whole}.{decimals}" if decimals else f"{sign}{whole}"
