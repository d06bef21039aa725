"""Corrections of what a request cost: entries beside its row of the ledger, which itself is never changed. Pure."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from openfm.core.errors import InvalidParameterValue
from openfm.core.price import PICO

MOST_AMOUNT = 1_000_000
"""Of a correction, in its currency, either way: with the request's cost it keeps within 64 bits."""

_LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class CorrectionRequest:
    """A correction to make. `amount_pico` (10^-12 of the currency) is added to the cost; None: all of it goes back."""

    request_id: str
    amount_pico: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class MadeCorrection:
    """A correction as it is kept. `cost_pico` is what the request costs with all corrections of it so far."""

    id: str
    request_id: str
    principal: str
    endpoint: str
    currency: str
    amount_pico: int
    cost_pico: int
    reason: str
    created_by: str
    created_us: int


def checked_amount(text: str | None) -> int | None:
    """The amount in 10^-12 of its currency. Raises `InvalidParameterValue` for 0, and what is huge or too fine."""
    if text is None:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not 0 < abs(amount) <= MOST_AMOUNT or amount * PICO != int(amount * PICO):
        raise InvalidParameterValue(
            f"amount must be a decimal number other than 0, up to {MOST_AMOUNT:,} either way, with twelve decimals at "
            "most; -0.5 gives half a unit of the currency back. Leave it out to give back all that the request cost.",
            param="amount",
        )
    return int(amount * PICO)


def checked_reason(text: str) -> str:
    """The reason. Raises `InvalidParameterValue`."""
    reason = text.strip()
    if not reason or len(reason) > _LONGEST_REASON or not reason.isprintable():
        raise InvalidParameterValue(
            f"reason must say why, in one line of up to {_LONGEST_REASON} characters: it is on the invoice.",
            param="reason",
        )
    return reason
