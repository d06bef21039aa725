"""The management API as one ASGI application."""

import re
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware

from openfm.control.access import enforce
from openfm.control.access_setup import Access
from openfm.control.bodies import JsonBodies
from openfm.control.budgets import routes as budget_routes
from openfm.control.budgets.service import BudgetBook
from openfm.control.calibrations import routes as calibration_routes
from openfm.control.calibrations.routes import CalibrationDesk
from openfm.control.endpoints import detail_routes, history_routes
from openfm.control.endpoints import routes as endpoint_routes
from openfm.control.endpoints.routes import Desk
from openfm.control.limits import routes as limit_routes
from openfm.control.limits.platform import Platform
from openfm.control.limits.service import LimitBook
from openfm.control.limits.weights import WeightBook
from openfm.control.payloads import routes as payload_routes
from openfm.control.payloads.ports import Payloads
from openfm.control.registry.setup import Registry
from openfm.control.sql import routes as sql_routes
from openfm.control.sql import statement_routes
from openfm.control.sql.ports import Sql
from openfm.control.sql.statements import Statements
from openfm.control.throughput import routes as throughput_routes
from openfm.control.throughput.service import ThroughputService
from openfm.control.usage import correction_routes
from openfm.control.usage import routes as usage_routes
from openfm.control.usage.routes import UsageDesk
from openfm.core.errors import ApiError, InvalidParameterValue, MethodNotAllowed, NotFound
from openfm.wire.hang_up import ClientGone
from openfm.wire.manner import ErrorShape
from openfm.wire.problems import internal_error, problem

log = structlog.get_logger(__name__)

# A list of 500 endpoints is 600 kB as JSON. Files are what they are: weights and Parquet do not shrink.
_FIELD = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_COMPRESSED_FROM_BYTES = 2_000
_COMPRESSION_LEVEL = 5
_CLIENT_CLOSED_REQUEST = 499
_AS_IT_IS = (*DEFAULT_EXCLUDED_CONTENT_TYPES, "application/octet-stream", "application/vnd.apache.parquet")
_ROUTES = (
    endpoint_routes,
    detail_routes,
    history_routes,
    usage_routes,
    correction_routes,
    limit_routes,
    sql_routes,
    statement_routes,
    calibration_routes,
    throughput_routes,
    budget_routes,
    payload_routes,
)


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """What the management routes work on."""

    access: Access
    desk: Desk
    registry: Registry
    workspace_id: str
    public_url: str | None
    usage: UsageDesk
    limits: LimitBook
    weights: WeightBook
    platform: Platform
    sql: Sql
    statements: Statements
    calibrations: CalibrationDesk
    throughput: ThroughputService
    budgets: BudgetBook
    payloads: Payloads


def management_api(plane: ControlPlane) -> FastAPI:
    """Routes and error bodies of `/api` and `/oidc`."""
    api = FastAPI(
        title="openfm",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        redirect_slashes=False,
        dependencies=[Depends(enforce)],
    )
    api.state.desk = plane.desk
    api.state.workspace_id = plane.workspace_id
    api.state.public_url = plane.public_url
    api.state.usage = plane.usage
    api.state.limits = plane.limits
    api.state.weights = plane.weights
    api.state.platform = plane.platform
    api.state.sql = plane.sql
    api.state.statements = plane.statements
    api.state.calibrations = plane.calibrations
    api.state.throughput = plane.throughput
    api.state.budgets = plane.budgets
    api.state.payloads = plane.payloads
    plane.access.install(api)
    plane.registry.install(api)
    for routes in _ROUTES:
        api.include_router(routes.router)
    api.add_middleware(
        GZipMiddleware,
        minimum_size=_COMPRESSED_FROM_BYTES,
        compresslevel=_COMPRESSION_LEVEL,
        exclude_content_types=_AS_IT_IS,
    )
    api.add_middleware(JsonBodies, tokens=plane.access.token_book)
    api.middleware("http")(_with_request_id)
    api.exception_handler(ApiError)(_api_error)
    api.exception_handler(HTTPException)(_http_error)
    api.exception_handler(RequestValidationError)(_validation_error)
    api.exception_handler(ClientGone)(_nobody)
    api.exception_handler(Exception)(_bug)
    return api


async def _with_request_id(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    request.state.request_id = str(uuid.uuid4())
    response = await call_next(request)
    response.headers["x-request-id"] = request.state.request_id
    return response


def _api_error(_request: Request, error: ApiError) -> Response:
    answer = problem(error, ErrorShape.DATABRICKS)
    headers = {name.decode(): value.decode() for name, value in answer.headers}
    if error.param is not None and _FIELD.fullmatch(error.param):
        headers["x-openfm-param"] = error.param  # the body is Databricks' own, which has no place for it
    return Response(answer.body, answer.status, headers)


def _http_error(request: Request, error: HTTPException) -> Response:
    if error.status_code == MethodNotAllowed.status:
        return _api_error(
            request, MethodNotAllowed(request.method, (error.headers or {}).get("Allow", "another method"))
        )
    if error.status_code == InvalidParameterValue.status:
        return _api_error(request, InvalidParameterValue("The body is not JSON in UTF-8. Send one JSON object."))
    return _api_error(
        request, NotFound(f"There is no route {request.url.path}. GET /api/openapi.json lists those of /api.")
    )


def _validation_error(request: Request, error: RequestValidationError) -> Response:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:]) or "body"
    if first["type"] == "json_invalid":
        return _api_error(request, InvalidParameterValue("The body is not JSON in UTF-8. Send one JSON object."))
    said = first["msg"].removeprefix("Value error, ").removesuffix(".")
    return _api_error(request, InvalidParameterValue(f"{where}: {said}.", param=where))


def _nobody(_request: Request, _gone: Exception) -> Response:
    return Response(status_code=_CLIENT_CLOSED_REQUEST)


def _bug(request: Request, error: Exception) -> Response:
    log.error("request.failed", request_id=request.state.request_id, exc_info=error)
    return _api_error(request, internal_error(request.state.request_id))
