"""`/api/2.0/openfm/prices` and `/api/2.0/openfm/usage/invoice`."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from openfm.control.endpoints.inputs import Input
from openfm.control.identity.caller import Caller
from openfm.control.usage.ports import Corrections, InvoiceFormat, Invoices, Prices, Reports, Retention
from openfm.core.errors import InvalidParameterValue
from openfm.core.invoice import Month
from openfm.core.price import (
    Price,
    PriceRequest,
    PriceUnit,
    Target,
    TargetKind,
    checked_currency,
    micro_of,
    shown_micro,
)
from openfm.core.report import Days, Grouping

router = APIRouter(prefix="/api/2.0/openfm")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MEDIA = {InvoiceFormat.TEXT: "text/plain", InvoiceFormat.CSV: "text/csv", InvoiceFormat.JSON: "application/json"}


@dataclass(frozen=True, slots=True)
class UsageDesk:
    """What these routes work on."""

    prices: Prices
    invoices: Invoices
    reports: Reports
    retention: Retention
    corrections: Corrections


class PriceInput(Input):
    """A price to set. Amounts are per million tokens, or per hour of a model unit."""

    endpoint: str | None = None
    entity_name: str | None = None
    currency: str | None = None
    prompt: str | None = None
    cached: str | None = None
    completion: str | None = None
    model_unit_hour: str | None = None
    effective_from: str | None = None


def _desk(request: Request) -> UsageDesk:
    desk: UsageDesk = request.app.state.usage
    return desk


AtDesk = Annotated[UsageDesk, Depends(_desk)]


def _days(request: Request) -> Days:
    asked = request.query_params
    return Days.parse(asked.get("from", ""), asked.get("to", ""))


@router.get("/prices")
def list_prices(desk: AtDesk) -> dict[str, Any]:
    """Every price ever set."""
    return {"prices": [_shown(price) for price in desk.prices.all()]}


@router.post("/prices")
def set_price(body: PriceInput, caller: Caller, desk: AtDesk) -> dict[str, Any]:
    """Set a price, from now on or from a given time."""
    return _shown(desk.prices.set(_parsed(body), caller))


@router.get("/usage/invoice")
def invoice(month: str, caller: Caller, desk: AtDesk, format: str = "json") -> Response:  # noqa: A002  # its name there
    """What was used in a month, and what it costs."""
    try:
        form = InvoiceFormat(format)
    except ValueError:
        raise InvalidParameterValue(f"format must be one of {', '.join(InvoiceFormat)}.", param="format") from None
    return Response(desk.invoices.invoice(Month.parse(month), caller, form), media_type=_MEDIA[form])


@router.get("/usage/report")
def report(
    by: str,
    days: Annotated[Days, Depends(_days)],
    caller: Caller,
    desk: AtDesk,
    format: str = "json",  # noqa: A002  # its name there
) -> Response:
    """What was used, by principal, endpoint, day or tag:KEY; days are in UTC, and both included."""
    written = desk.reports.report(Grouping.parse(by), days, caller, format)
    return Response(written, media_type="text/csv" if format == "csv" else "application/json")


@router.get("/usage/retention")
def kept(desk: AtDesk) -> dict[str, Any]:
    """For how long usage is kept, and what is there."""
    return dict(desk.retention.kept())


@router.post("/usage/retention")
def sweep(desk: AtDesk) -> dict[str, Any]:
    """Forget now what is old enough; it happens each hour by itself."""
    return dict(desk.retention.sweep())


def _parsed(body: PriceInput) -> PriceRequest:
    given = {unit: getattr(body, unit.lower()) for unit in PriceUnit}
    amounts = {unit: micro_of(_decimal(text, unit), unit) for unit, text in given.items() if text is not None}
    if not amounts:
        raise InvalidParameterValue(
            f"A price needs an amount: {', '.join(unit.lower() for unit in PriceUnit)}.", param="prompt"
        )
    return PriceRequest(
        target=_target(body),
        currency=checked_currency(body.currency),
        amounts=amounts,
        effective_from_us=None if body.effective_from is None else _time_us(body.effective_from),
    )


def _target(body: PriceInput) -> Target:
    if (body.endpoint is None) == (body.entity_name is None):
        raise InvalidParameterValue("Send either endpoint, as in 'chat-*', or entity_name.", param="endpoint")
    if body.endpoint is not None:
        return Target(TargetKind.ENDPOINT, body.endpoint)
    return Target(TargetKind.ENTITY, body.entity_name or "")


def _decimal(text: str, unit: PriceUnit) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise InvalidParameterValue(f"{unit.lower()} must be a decimal number.", param=unit.lower()) from None


def _time_us(text: str) -> int:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None or not 1971 <= time.year <= 9000:
        raise InvalidParameterValue(
            "effective_from must be a time with its zone, as in 2026-12-01T00:00:00Z.", param="effective_from"
        )
    return (time - _EPOCH) // timedelta(microseconds=1)


def _shown(price: Price) -> dict[str, Any]:
    is_endpoint = price.target.kind is TargetKind.ENDPOINT
    return {
        "version": price.version,
        ("endpoint" if is_endpoint else "entity_name"): price.target.name,
        "currency": price.currency,
        **{unit.lower(): shown_micro(micro) for unit, micro in sorted(price.amounts.items())},
        "effective_from": _shown_time(price.effective_from_us),
        "created_at": _shown_time(price.created_us),
        "created_by": price.created_by,
    }


def _shown_time(time_us: int) -> str:
    return (_EPOCH + timedelta(microseconds=time_us)).isoformat()
