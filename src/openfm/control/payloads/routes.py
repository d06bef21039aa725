"""`/api/2.0/openfm/inference-tables/{name}`: what an endpoint was asked and answered, for those who manage it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from openfm.control.endpoints.directory import EndpointDirectory
from openfm.control.payloads.ports import Payloads
from openfm.core.endpoint import ServingEndpoint
from openfm.core.errors import NotFound

router = APIRouter(prefix="/api/2.0/openfm/inference-tables")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST, _USUAL = 100, 20


def _payloads(request: Request) -> Payloads:
    found: Payloads = request.app.state.payloads
    return found


def _endpoint(request: Request, name: str) -> ServingEndpoint:
    directory: EndpointDirectory = request.app.state.desk.directory
    return directory.get(name)


@router.get("/{name}")
def list_payloads(
    endpoint: Annotated[ServingEndpoint, Depends(_endpoint)],
    payloads: Annotated[Payloads, Depends(_payloads)],
    max_results: Annotated[int, Query(ge=1, le=_MOST)] = _USUAL,
    page_token: str | None = None,
) -> dict[str, Any]:
    """The rows of the endpoint's inference table, the latest first."""
    rows, token = payloads.page(endpoint.id, page_token or None, max_results)
    shown = {
        "table_name": endpoint.inference_table_name,
        "enabled": endpoint.details.has_inference_table,
        "rows": [_shown(row) for row in rows],
    }
    return shown if token is None else shown | {"next_page_token": token}


@router.get("/{name}/{request_id}")
def get_payload(
    request_id: str,
    endpoint: Annotated[ServingEndpoint, Depends(_endpoint)],
    payloads: Annotated[Payloads, Depends(_payloads)],
) -> dict[str, Any]:
    """The row of one request. Raises `NotFound`."""
    row = payloads.one(endpoint.id, request_id)
    if row is None:
        raise NotFound(
            f"The inference table of '{endpoint.name}' has no request '{request_id}'. Requests are kept from when the "
            "table was enabled on, for its retention."
        )
    return _shown(row)


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    time = _EPOCH + timedelta(microseconds=row["request_time_us"])
    return {
        "request_date": time.date().isoformat(),
        "databricks_request_id": row["databricks_request_id"],
        "client_request_id": row["client_request_id"],
        "request_time": time.isoformat(),
        "status_code": row["status_code"],
        "sampling_fraction": row["sampling_fraction"],
        "execution_duration_ms": row["execution_duration_ms"],
        "request": row["request"],
        "response": row["response"],
        "served_entity_id": row["served_entity_id"],
        "logging_error_codes": row["logging_error_codes"],
        "requester": row["requester"],
    }
