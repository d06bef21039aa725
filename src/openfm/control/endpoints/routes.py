"""`/api/2.0/serving-endpoints`: what clients do with endpoints as a whole.

Paths that old clients send with a slash at the end answer with and without it.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from openfm.control.endpoints.directory import EndpointDirectory
from openfm.control.endpoints.inputs import ConfigInput, EndpointInput, ProvisionedConfigInput, ProvisionedEndpointInput
from openfm.control.endpoints.openapi import openapi_document
from openfm.control.endpoints.outputs import EndpointList, EndpointOutput, endpoint_output
from openfm.control.endpoints.ports import Deployments, EndpointMetrics, EntityLogs
from openfm.control.endpoints.service import EndpointService
from openfm.control.identity.caller import Caller
from openfm.control.workspace.links import base_url
from openfm.core.endpoint import EndpointType, ServingEndpoint
from openfm.core.errors import InvalidParameterValue
from openfm.core.principal import PermissionLevel, Principal

router = APIRouter()

_ROOT = "/api/2.0/serving-endpoints"


@dataclass(frozen=True, slots=True)
class Desk:
    """What the handlers of endpoints work with."""

    directory: EndpointDirectory
    service: EndpointService
    deployments: Deployments
    logs: EntityLogs
    metrics: EndpointMetrics

    def output(self, endpoint: ServingEndpoint, caller: Principal) -> EndpointOutput:
        """The endpoint as the caller sees it."""
        level = self.directory.level(endpoint, caller) or PermissionLevel.CAN_VIEW
        return endpoint_output(endpoint, self.deployments, level)

    def manageable(self, name: str, caller: Principal) -> ServingEndpoint:
        """The endpoint, for a change of what it carries. Raises `InvalidParameterValue` for an alias."""
        endpoint = self.directory.permitted(name, caller, PermissionLevel.CAN_MANAGE)
        if endpoint.is_alias:
            raise InvalidParameterValue(
                f"'{name}' stands in for a model that is not served here; it cannot be changed."
            )
        return endpoint

    def own(self, name: str, caller: Principal) -> ServingEndpoint:
        """The endpoint, for a change of what it runs. Raises `InvalidParameterValue` for one of the platform's."""
        endpoint = self.manageable(name, caller)
        if endpoint.endpoint_type is EndpointType.FOUNDATION_MODEL_API:
            raise InvalidParameterValue(
                f"'{name}' is a pay-per-token endpoint of the platform: it cannot be updated, stopped or deleted. "
                f"Create an endpoint of your own for the same model."
            )
        return endpoint


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


AtDesk = Annotated[Desk, Depends(_desk)]


@router.get(_ROOT, response_model_exclude_none=True)
@router.get(_ROOT + "/", include_in_schema=False, response_model_exclude_none=True)
def list_endpoints(caller: Caller, desk: AtDesk) -> EndpointList:
    """Every endpoint that the caller may see."""
    return EndpointList(endpoints=[desk.output(endpoint, caller) for endpoint in desk.directory.visible(caller)])


@router.get(_ROOT + ":foundation-models", response_model_exclude_none=True)
def list_foundation_models(caller: Caller, desk: AtDesk) -> EndpointList:
    """The endpoints of models that the platform offers, with their API types."""
    offered = [e for e in desk.directory.visible(caller) if e.endpoint_type is EndpointType.FOUNDATION_MODEL_API]
    return EndpointList(endpoints=[desk.output(endpoint, caller) for endpoint in offered])


@router.post(_ROOT, response_model_exclude_none=True)
@router.post(_ROOT + "/", include_in_schema=False, response_model_exclude_none=True)
def create_endpoint(body: EndpointInput, caller: Caller, desk: AtDesk) -> EndpointOutput:
    """A new endpoint; it answers once its served entities do."""
    return desk.output(desk.service.create(caller, body), caller)


@router.post(_ROOT + "/pt", response_model_exclude_none=True)
def create_provisioned_endpoint(body: ProvisionedEndpointInput, caller: Caller, desk: AtDesk) -> EndpointOutput:
    """A new endpoint whose throughput is asked for in model units."""
    _require_units(body.config)
    return desk.output(desk.service.create(caller, body), caller)


@router.put(_ROOT + "/pt/{name}/config", response_model_exclude_none=True)
def update_provisioned_config(name: str, body: ProvisionedConfigInput, caller: Caller, desk: AtDesk) -> EndpointOutput:
    """Another config whose throughput is asked for in model units."""
    desk.own(name, caller)
    _require_units(body.config)
    return desk.output(desk.service.update_config(caller, name, body.config), caller)


@router.get(_ROOT + "/{name}", response_model_exclude_none=True)
@router.get(_ROOT + "/{name}/", include_in_schema=False, response_model_exclude_none=True)
def get_endpoint(name: str, caller: Caller, desk: AtDesk) -> EndpointOutput:
    """One endpoint."""
    return desk.output(desk.directory.permitted(name, caller, PermissionLevel.CAN_VIEW), caller)


@router.delete(_ROOT + "/{name}")
def delete_endpoint(name: str, caller: Caller, desk: AtDesk) -> dict[str, Any]:
    """Delete it; requests that run may end."""
    desk.own(name, caller)
    desk.service.delete(name)
    desk.metrics.forget(name)
    return {}


@router.put(_ROOT + "/{name}/config", response_model_exclude_none=True)
def update_config(name: str, body: ConfigInput, caller: Caller, desk: AtDesk) -> EndpointOutput:
    """Another config; the active one answers until it does."""
    desk.own(name, caller)
    return desk.output(desk.service.update_config(caller, name, body), caller)


@router.post(_ROOT + "/{name}/config:stop", response_model_exclude_none=True)
def stop_endpoint(name: str, caller: Caller, desk: AtDesk) -> EndpointOutput:
    """Let go of what it runs on."""
    desk.own(name, caller)
    return desk.output(desk.service.stop(name, caller.name), caller)


@router.post(_ROOT + "/{name}/config:start", response_model_exclude_none=True)
def start_endpoint(name: str, caller: Caller, desk: AtDesk) -> EndpointOutput:
    """Run it again, as a new version of its config."""
    desk.own(name, caller)
    return desk.output(desk.service.start(name, caller.name), caller)


@router.post(_ROOT + "/{name}/config:cancel", response_model_exclude_none=True)
def cancel_update(name: str, caller: Caller, desk: AtDesk) -> EndpointOutput:
    """Give an update up that is under way."""
    desk.own(name, caller)
    return desk.output(desk.service.cancel_update(name, caller.name), caller)


@router.get(_ROOT + "/{name}/openapi")
def get_openapi(name: str, caller: Caller, desk: AtDesk, request: Request) -> dict[str, Any]:
    """The endpoint's own API."""
    endpoint = desk.directory.permitted(name, caller, PermissionLevel.CAN_VIEW)
    return openapi_document(endpoint, base_url(request.app.state.public_url, request.scope))


def _require_units(config: ConfigInput | None) -> None:
    for entity in (config.served_entities or []) if config else []:
        if entity.provisioned_model_units is None:
            raise InvalidParameterValue(
                "Every served entity needs provisioned_model_units on this route.", param="provisioned_model_units"
            )
