"""`/api/2.0/openfm/endpoints/{name}/history`: how an endpoint's served entities were in the last hour."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query

from openfm.control.endpoints.ports import SAMPLE_INTERVAL_S, SAMPLES_KEPT
from openfm.control.endpoints.routes import AtDesk
from openfm.control.identity.caller import Caller
from openfm.core.principal import PermissionLevel

router = APIRouter(prefix="/api/2.0/openfm/endpoints/{name}")


@router.get("/history")
def get_history(
    name: str, caller: Caller, desk: AtDesk, samples: Annotated[int, Query(ge=1, le=SAMPLES_KEPT)] = SAMPLES_KEPT
) -> dict[str, Any]:
    """Replicas, requests under way and waiting, the KV cache, CPU, memory and tokens a second, the oldest first."""
    endpoint = desk.directory.permitted(name, caller, PermissionLevel.CAN_VIEW)
    found = desk.metrics.samples(endpoint, samples)
    return {
        "interval_s": SAMPLE_INTERVAL_S,
        "served_entities": [
            {"name": entity, "samples": [asdict(sample) for sample in kept]} for entity, kept in found.items()
        ],
    }
