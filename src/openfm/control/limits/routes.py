"""`/api/2.0/openfm/limits`: every limit that binds the caller, and for admins the operator's, to set and remove."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import StrictFloat, StrictInt

from openfm.control.endpoints.directory import EndpointDirectory
from openfm.control.endpoints.inputs import Input
from openfm.control.identity.caller import Caller
from openfm.control.limits.platform import Platform
from openfm.control.limits.repository import StoredRule
from openfm.control.limits.service import PERIODS_S, LimitBook, LimitRequest, binding
from openfm.control.limits.weight_rows import StoredWeight
from openfm.control.limits.weights import KINDS, USUAL, WeightBook
from openfm.core.endpoint import ServingEndpoint

router = APIRouter(prefix="/api/2.0/openfm/limits")
_PERIODS = {seconds: name for name, seconds in PERIODS_S.items()}


class LimitInput(Input):
    """A limit to set. `amount` 0 admits nothing."""

    scope: str = "all"
    principal: str | None = None
    endpoint: str | None = None
    measure: str
    amount: StrictInt  # `true` would be a limit of 1
    period: str | None = None


class WeightInput(Input):
    """A weight to set; who has none has 1."""

    scope: str
    principal: str
    weight: StrictFloat


def _book(request: Request) -> LimitBook:
    book: LimitBook = request.app.state.limits
    return book


def _weights(request: Request) -> WeightBook:
    weights: WeightBook = request.app.state.weights
    return weights


def _directory(request: Request) -> EndpointDirectory:
    directory: EndpointDirectory = request.app.state.desk.directory
    return directory


def _platform(request: Request) -> Platform:
    platform: Platform = request.app.state.platform
    return platform


AtBook = Annotated[LimitBook, Depends(_book)]
AtWeights = Annotated[WeightBook, Depends(_weights)]


@router.get("")
def list_limits(
    caller: Caller, book: AtBook, weights: AtWeights, directory: Annotated[EndpointDirectory, Depends(_directory)]
) -> dict[str, Any]:
    """The operator's limits, those of each endpoint as its owner set them, and weights; `weight` is the caller's."""
    return {
        "limits": [shown(stored) for stored in binding(book.stored, caller)],
        "endpoints": [
            {"name": endpoint.name, "rate_limits": found}
            for endpoint in directory.visible(caller)
            if (found := _set_on(endpoint))
        ],
        "weight": weights.get(caller.id, USUAL),
        "weights": [shown_weight(one) for one in weights.binding(caller)],
    }


@router.get("/platform")
def show_platform(caller: Caller, platform: Annotated[Platform, Depends(_platform)]) -> dict[str, Any]:
    """The bounds that hold for everybody, and which foundation models answer here; for admins also `egress_allow`."""
    return {
        **({"egress_allow": platform.egress_allow} if caller.is_admin else {}),
        "region": platform.region,
        "limits": [
            {"name": limit.name, "value": limit.value, "unit": limit.unit, "setting": limit.setting}
            for limit in platform.limits
        ],
        "models": [
            {
                "name": model.endpoint_name,
                "display_name": model.display_name,
                "task": model.task,
                "region": platform.region,
                "availability": model.availability,
                "reason": model.reason,
            }
            for model in platform.models()
        ],
    }


@router.put("")
def set_limit(body: LimitInput, book: AtBook) -> dict[str, Any]:
    """Set a limit, in the place of one for the same."""
    return shown(
        book.set(LimitRequest(body.scope, body.measure, body.amount, body.period, body.principal, body.endpoint))
    )


@router.put("/weights")
def set_weight(body: WeightInput, weights: AtWeights) -> dict[str, Any]:
    """Set the share of a principal, or of each member of a group."""
    return shown_weight(weights.set(body.scope, body.principal, body.weight))


@router.delete("/weights")
def delete_weight(scope: str, principal: str, weights: AtWeights) -> dict[str, Any]:
    """Remove a weight: the principal's groups decide again."""
    weights.delete(scope, principal)
    return {}


@router.delete("/{limit_id}")
def delete_limit(limit_id: str, book: AtBook) -> dict[str, Any]:
    """Remove a limit."""
    book.delete(limit_id)
    return {}


def shown(stored: StoredRule) -> dict[str, Any]:
    """A limit as clients see it."""
    rule = stored.rule
    facts = {
        "id": stored.id,
        "scope": rule.scope.value,
        "principal": rule.principal,
        "endpoint": rule.endpoint,
        "measure": rule.measure.value,
        "amount": rule.amount,
        "period": None if rule.window_s is None else _PERIODS[rule.window_s],
    }
    return {name: value for name, value in facts.items() if value is not None}


def shown_weight(stored: StoredWeight) -> dict[str, Any]:
    """A weight as clients see it."""
    scope = next(scope for scope, kind in KINDS.items() if kind is stored.kind)
    return {"scope": str(scope), "principal": stored.principal, "weight": stored.weight}


def _set_on(endpoint: ServingEndpoint) -> Sequence[object]:
    listed = (endpoint.details.ai_gateway or {}).get("rate_limits")
    return [*endpoint.details.rate_limits, *(listed if isinstance(listed, list) else ())]
