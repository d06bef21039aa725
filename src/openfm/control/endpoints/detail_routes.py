"""`/api/2.0/serving-endpoints/{name}/…`: tags, limits, AI gateway, logs and metrics of one endpoint."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from openfm.control.endpoints.ai_gateway import checked_ai_gateway
from openfm.control.endpoints.inputs import (
    BudgetPolicyInput,
    DescriptionInput,
    NotificationsInput,
    RateLimitsInput,
    TagsPatch,
    TelemetryInput,
)
from openfm.control.endpoints.outputs import EndpointOutput, tags_output
from openfm.control.endpoints.parsing import parsed_tags
from openfm.control.endpoints.routes import AtDesk, Desk
from openfm.control.endpoints.service import limits_of
from openfm.control.identity.caller import Caller
from openfm.core.endpoint import EndpointDetails, ServedEntity
from openfm.core.errors import NotFound
from openfm.core.principal import PermissionLevel, Principal

_MOST_EVENTS = 200

router = APIRouter(prefix="/api/2.0/serving-endpoints/{name}")


@router.patch("/tags")
def patch_tags(name: str, body: TagsPatch, caller: Caller, desk: AtDesk) -> dict[str, Any]:
    """Add, change and delete tags."""
    desk.manageable(name, caller)
    gone = set(body.delete_tags or ())

    def change(details: EndpointDetails) -> EndpointDetails:
        kept = {key: value for key, value in details.tags.items() if key not in gone}
        return replace(details, tags=kept | parsed_tags(body.add_tags or ()))

    return {"tags": tags_output(desk.service.change_details(name, change).details.tags)}


@router.put("/rate-limits")
def put_rate_limits(name: str, body: RateLimitsInput, caller: Caller, desk: AtDesk) -> dict[str, Any]:
    """Replace the limits; an empty list clears them."""
    desk.manageable(name, caller)
    changed = desk.service.change_details(name, limits_of(body.rate_limits or ()))
    return {"rate_limits": list(changed.details.rate_limits)}


@router.put("/ai-gateway")
def put_ai_gateway(name: str, body: dict[str, Any], caller: Caller, desk: AtDesk) -> dict[str, Any]:
    """Replace the AI gateway's configuration."""
    desk.manageable(name, caller)
    checked = checked_ai_gateway(body)
    desk.service.change_details(name, lambda details: replace(details, ai_gateway=checked))
    return checked


@router.patch("/notifications", response_model_exclude_none=True)
def patch_notifications(name: str, body: NotificationsInput, caller: Caller, desk: AtDesk) -> dict[str, Any]:
    """Replace who is told of updates."""
    desk.manageable(name, caller)
    desk.service.change_details(name, lambda d: replace(d, email_notifications=body.email_notifications))
    return {"name": name, "email_notifications": body.email_notifications}


@router.patch("/description", response_model_exclude_none=True)
def patch_description(name: str, body: DescriptionInput, caller: Caller, desk: AtDesk) -> EndpointOutput:
    """Replace the description."""
    desk.manageable(name, caller)
    return desk.output(desk.service.change_details(name, lambda d: replace(d, description=body.description)), caller)


@router.patch("/budget-policy", response_model_exclude_none=True)
def patch_budget_policy(name: str, body: BudgetPolicyInput, caller: Caller, desk: AtDesk) -> EndpointOutput:
    """Replace the budget policy."""
    desk.manageable(name, caller)
    changed = desk.service.change_details(name, lambda d: replace(d, budget_policy_id=body.budget_policy_id))
    return desk.output(changed, caller)


@router.patch("/telemetry-config", response_model_exclude_none=True)
def patch_telemetry(name: str, body: TelemetryInput, caller: Caller, desk: AtDesk) -> EndpointOutput:
    """Replace the telemetry configuration."""
    desk.manageable(name, caller)
    changed = desk.service.change_details(name, lambda d: replace(d, telemetry_config=body.telemetry_config))
    return desk.output(changed, caller)


@router.get("/served-models/{served}/logs")
def get_logs(name: str, served: str, caller: Caller, desk: AtDesk) -> dict[str, str]:
    """The end of what the served entity's engines wrote."""
    return {"logs": desk.logs.service_log(_entity(desk, name, served, caller))}


@router.get("/served-models/{served}/build-logs")
def get_build_logs(name: str, served: str, caller: Caller, desk: AtDesk) -> dict[str, str]:
    """How the served entity's model was brought here."""
    return {"logs": desk.logs.build_log(_entity(desk, name, served, caller))}


@router.get("/metrics")
def get_metrics(name: str, caller: Caller, desk: AtDesk) -> Response:
    """The endpoint's health metrics in Prometheus' text format, which OpenMetrics parsers read too."""
    endpoint = desk.directory.permitted(name, caller, PermissionLevel.CAN_VIEW)
    return Response(desk.metrics.exposition(endpoint), media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/events")
def get_events(
    name: str,
    caller: Caller,
    desk: AtDesk,
    page_token: str = "",
    max_results: Annotated[int, Query(ge=1, le=_MOST_EVENTS)] = 50,
) -> dict[str, Any]:
    """What happened to the endpoint, the newest first: its configuration, its replicas, by whom and why."""
    endpoint = desk.directory.permitted(name, caller, PermissionLevel.CAN_VIEW)
    found = desk.service.events(endpoint, page_token, max_results)
    shown = [
        {
            "timestamp": event.timestamp,
            "type": event.kind,
            "message": event.message,
            "served_entity_name": event.served_entity,
            "actor": event.actor,
        }
        for event in found.events
    ]
    return {"events": shown} | ({"next_page_token": found.next_page_token} if found.next_page_token else {})


def _entity(desk: Desk, name: str, served: str, caller: Principal) -> ServedEntity:
    endpoint = desk.directory.permitted(name, caller, PermissionLevel.CAN_VIEW)
    for config in (endpoint.pending_config, endpoint.config):
        for entity in config.served_entities if config else ():
            if entity.name == served:
                return entity
    raise NotFound(f"The endpoint '{name}' has no served entity '{served}'.")
