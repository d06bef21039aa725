"""Corrections of what a request cost: entries beside its row of the ledger, which itself is never changed. Pure."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from openfm.core.errors import InvalidParameterValue
from openfm.core.price import PICO, exact_parts, shown_pico

MOST_AMOUNT = 1_000_000
"""Of a correction, in its currency, either way: with the request's cost it keeps within 64 bits."""

MOST_TIMES = 1000
"""What a request first cost, times this, is the most that corrections may bring it to: a price that was taken for a
thousand tokens and not for a million is put right, a slipped decimal point is not charged."""

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
    pico = exact_parts(amount, PICO)
    if not pico or abs(amount) > MOST_AMOUNT:
        raise InvalidParameterValue(
            f"amount must be a decimal number other than 0, up to {MOST_AMOUNT:,} either way, with twelve decimals at "
            "most; -0.5 gives half a unit of the currency back. Leave it out to give back all that the request cost.",
            param="amount",
        )
    return pico


def check_sum(amount_pico: int, first_pico: int, cost_pico: int, currency: str) -> None:
    """Raise `InvalidParameterValue` where a request that cost `first_pico`, now `cost_pico`, cannot cost the sum."""
    if not amount_pico:
        raise InvalidParameterValue("The request costs nothing, so there is nothing to give back.", param="request_id")
    if cost_pico + amount_pico < 0:
        raise InvalidParameterValue(
            f"The request costs {shown_pico(cost_pico)} {currency} with its corrections so far; no more can be given "
            "back.",
            param="amount",
        )
    most = max(PICO, MOST_TIMES * first_pico)
    if amount_pico > 0 and cost_pico + amount_pico > most:
        raise InvalidParameterValue(
            f"The request first cost {shown_pico(first_pico)} {currency}, and corrections may bring it to "
            f"{shown_pico(most)} {currency} at most: {MOST_TIMES:,} times as much, or 1 {currency} where that is more. "
            f"It costs {shown_pico(cost_pico)} {currency} now. Look whether the decimal point is right.",
            param="amount",
        )


def checked_reason(text: str) -> str:
    """The reason. Raises `InvalidParameterValue`."""
    reason = text.strip()
    if not reason or len(reason) > _LONGEST_REASON or not reason.isprintable():
        raise InvalidParameterValue(
            f"reason must say why, in one line of up to {_LONGEST_REASON} characters: it is on the invoice.",
            param="reason",
        )
    return reason
