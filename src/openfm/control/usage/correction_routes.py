"""`/api/2.0/openfm/usage/corrections`: what requests cost, corrected by admins; entries are only ever added."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from openfm.control.endpoints.inputs import Input
from openfm.control.identity.caller import Caller
from openfm.control.usage.ports import Corrections
from openfm.core.correction import CorrectionRequest, MadeCorrection, checked_amount, checked_reason
from openfm.core.invoice import Month
from openfm.core.price import shown_pico

router = APIRouter(prefix="/api/2.0/openfm/usage/corrections")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class CorrectionInput(Input):
    """A correction to make. `amount` is added to what the request cost; without it, all is given back."""

    request_id: str
    amount: str | None = None
    reason: str


def _corrections(request: Request) -> Corrections:
    corrections: Corrections = request.app.state.usage.corrections
    return corrections


AtDesk = Annotated[Corrections, Depends(_corrections)]


@router.get("")
def list_corrections(month: str, caller: Caller, desk: AtDesk) -> dict[str, Any]:
    """Those made in a month: for an admin everybody's, else those of one's own requests."""
    return {"corrections": [_shown(one) for one in desk.of_month(Month.parse(month), caller)]}


@router.post("")
def correct(body: CorrectionInput, caller: Caller, desk: AtDesk) -> dict[str, Any]:
    """Correct what a request cost."""
    request = CorrectionRequest(body.request_id, checked_amount(body.amount), checked_reason(body.reason))
    return _shown(desk.correct(request, caller))


def _shown(made: MadeCorrection) -> dict[str, Any]:
    return {
        "id": made.id,
        "request_id": made.request_id,
        "principal": made.principal,
        "endpoint": made.endpoint,
        "currency": made.currency,
        "amount": shown_pico(made.amount_pico),
        "cost": shown_pico(made.cost_pico),
        "reason": made.reason,
        "created_by": made.created_by,
        "created_at": (_EPOCH + timedelta(microseconds=made.created_us)).isoformat(),
    }
