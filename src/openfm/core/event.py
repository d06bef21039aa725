"""What happens to a serving endpoint, for its owner to read."""

from dataclasses import dataclass
from enum import StrEnum


class EventKind(StrEnum):
    """What happened."""

    CREATED = "CREATED"
    UPDATE_STARTED = "UPDATE_STARTED"
    UPDATE_SUCCEEDED = "UPDATE_SUCCEEDED"
    UPDATE_FAILED = "UPDATE_FAILED"
    UPDATE_CANCELED = "UPDATE_CANCELED"
    STARTED = "STARTED"
    STOPPED = "STOPPED"
    SCALED_UP = "SCALED_UP"
    SCALED_DOWN = "SCALED_DOWN"
    SCALED_TO_ZERO = "SCALED_TO_ZERO"
    COLD_START = "COLD_START"
    PROMISE_TOO_LARGE = "PROMISE_TOO_LARGE"


@dataclass(frozen=True, slots=True)
class EndpointEvent:
    """One of them. `timestamp` is ms since the epoch; `actor` is empty for what the server did by itself."""

    endpoint_id: str
    timestamp: int
    kind: EventKind
    message: str
    served_entity: str = ""
    actor: str = ""
