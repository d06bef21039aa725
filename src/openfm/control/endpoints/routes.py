"""`/api/2.0/serving-endpoints`: read only in this version. Paths answer with and without a slash at the end."""

from typing import Any

from fastapi import APIRouter, Request

from openfm.control.endpoints.directory import EndpointDirectory, permission_level
from openfm.control.endpoints.openapi import openapi_document
from openfm.control.endpoints.schemas import EndpointList, EndpointOutput, endpoint_output
from openfm.control.identity.caller import Caller
from openfm.control.workspace.links import base_url
from openfm.core.endpoint import EndpointType, ServingEndpoint
from openfm.core.principal import Principal

router = APIRouter()


@router.get("/api/2.0/serving-endpoints")
@router.get("/api/2.0/serving-endpoints/", include_in_schema=False)
def list_endpoints(caller: Caller, request: Request) -> EndpointList:
    """Every endpoint that the caller may see."""
    directory: EndpointDirectory = request.app.state.directory
    return EndpointList(endpoints=[_output(request, e, caller) for e in directory.visible(caller)])


@router.get("/api/2.0/serving-endpoints:foundation-models")
def list_foundation_models(caller: Caller, request: Request) -> EndpointList:
    """The endpoints of models that the platform offers, with their API types."""
    directory: EndpointDirectory = request.app.state.directory
    offered = [e for e in directory.visible(caller) if e.endpoint_type is EndpointType.FOUNDATION_MODEL_API]
    return EndpointList(endpoints=[_output(request, endpoint, caller) for endpoint in offered])


@router.get("/api/2.0/serving-endpoints/{name}")
@router.get("/api/2.0/serving-endpoints/{name}/", include_in_schema=False)
def get_endpoint(name: str, caller: Caller, request: Request) -> EndpointOutput:
    """One endpoint."""
    return _output(request, _viewable(request, name, caller), caller)


@router.get("/api/2.0/serving-endpoints/{name}/openapi")
def get_openapi(name: str, caller: Caller, request: Request) -> dict[str, Any]:
    """The endpoint's own API."""
    return openapi_document(_viewable(request, name, caller), base_url(request.app.state.public_url, request.scope))


def _viewable(request: Request, name: str, caller: Principal) -> ServingEndpoint:
    directory: EndpointDirectory = request.app.state.directory
    return directory.viewable(name, caller)


def _output(request: Request, endpoint: ServingEndpoint, caller: Principal) -> EndpointOutput:
    return endpoint_output(endpoint, request.app.state.deployments, permission_level(caller))
