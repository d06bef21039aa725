"""What inference tables keep of a request: Databricks' columns ("AI Gateway-enabled inference tables")."""

from dataclasses import dataclass

MOST_BYTES = 1 << 20
"""Of a request, and of an answer, that is kept."""

REQUEST_TOO_LARGE = "MAX_REQUEST_SIZE_EXCEEDED"
RESPONSE_TOO_LARGE = "MAX_RESPONSE_SIZE_EXCEEDED"


@dataclass(frozen=True, slots=True)
class Payload:
    """A request and its answer, as they came and went. Times are us since the epoch.

    `request` and `response` are None where they were larger than `MOST_BYTES`; `error_codes` say so. `served_entity_id`
    is empty where the request was refused before it went to an entity.
    """

    request_id: str
    endpoint_id: str
    client_request_id: str | None
    request_time_us: int
    status_code: int
    execution_duration_ms: int
    request: str | None
    response: str | None
    served_entity_id: str
    requester: str
    error_codes: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Roughly, in bytes of memory."""
        return 1000 + sum(4 * len(text) for text in (self.request, self.response) if text is not None)
