"""`/api/2.0/openfm/capacity`, `/plan` and an endpoint's `/report`."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from openfm.control.identity.caller import Caller
from openfm.control.throughput.service import PlanRequest, ThroughputService
from openfm.scheduling.sizing import Shape

router = APIRouter(prefix="/api/2.0/openfm")


def _service(request: Request) -> ThroughputService:
    service: ThroughputService = request.app.state.throughput
    return service


Service = Annotated[ThroughputService, Depends(_service)]


class Load:
    """The query of a plan: one shape of requests, or the hours of the ledger that tell it."""

    def __init__(
        self,
        requests_per_minute: float | None = None,
        prompt_tokens: float | None = None,
        completion_tokens: float | None = None,
        cached_tokens: float = 0.0,
        ledger_hours: float | None = None,
    ) -> None:
        self.requests_per_minute = requests_per_minute
        self.ledger_hours = ledger_hours
        self.shape: Shape | None = None
        if prompt_tokens is not None and completion_tokens is not None:
            self.shape = Shape(prompt_tokens, completion_tokens, cached_tokens)


@router.get("/capacity")
def capacity(service: Service) -> dict[str, Any]:
    """What this fleet has, has promised and has left."""
    return service.capacity()


@router.get("/serving-estimate")
def serving_estimate(
    entity_name: str, entity_version: str, caller: Caller, service: Service, beside: str = ""
) -> dict[str, Any]:
    """What serving a model version takes of the memory here, and what its throughput means."""
    return service.estimate(entity_name, entity_version, beside, caller)


@router.get("/plan")
def plan(
    entity_name: str, entity_version: str, caller: Caller, service: Service, load: Annotated[Load, Depends()]
) -> dict[str, Any]:
    """How much throughput a load needs, and what that costs."""
    wanted = PlanRequest(entity_name, entity_version, load.requests_per_minute, load.shape, load.ledger_hours)
    return service.plan(wanted, caller)


@router.get("/endpoints/{name}/report")
def report(name: str, caller: Caller, service: Service, minutes: int = 60) -> dict[str, Any]:
    """Promised against delivered throughput, and latency against the objective, minute by minute."""
    return service.report(name, minutes, caller)
