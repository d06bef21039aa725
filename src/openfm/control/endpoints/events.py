"""The events of endpoints: told of a change by what it changed, kept and read in SQL."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, delete, insert, select

from openfm.core.endpoint import ServingEndpoint, UpdateState
from openfm.core.errors import InvalidParameterValue
from openfm.core.event import EndpointEvent, EventKind
from openfm.store.event_tables import endpoint_events

_KEPT = 1000
"""Of each endpoint; the oldest go."""
_LONGEST_MESSAGE = 2000


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events, the newest first; `next_page_token` leads to older ones, and is empty after the oldest."""

    events: Sequence[EndpointEvent]
    next_page_token: str


def told(before: ServingEndpoint, after: ServingEndpoint, actor: str) -> EndpointEvent | None:
    """The event that this change is; None where only what the endpoint carries changed."""
    found = _kind(before, after)
    if found is None:
        return None
    kind, message = found
    return EndpointEvent(after.id, after.last_updated_timestamp, kind, message, actor=actor)


def _kind(before: ServingEndpoint, after: ServingEndpoint) -> tuple[EventKind, str] | None:
    if after.is_stopped and not before.is_stopped:
        return EventKind.STOPPED, "All replicas are let go of; queries are refused until it is started."
    pending = after.pending_config
    if pending is not None and pending is not before.pending_config:
        if before.is_stopped:
            return EventKind.STARTED, f"Starting as version {pending.version} of its configuration."
        return EventKind.UPDATE_STARTED, f"Version {pending.version} of its configuration is being rolled out."
    if after.config is not None and after.config is not before.config:
        return EventKind.UPDATE_SUCCEEDED, f"Version {after.config.version} of its configuration answers."
    if after.update is before.update:
        return None
    if after.update is UpdateState.FAILED:
        reasons = "; ".join(f"{name}: {why}" for name, why in sorted(after.failures.items()))
        return EventKind.UPDATE_FAILED, reasons or "The update failed."
    if after.update is UpdateState.CANCELED:
        return EventKind.UPDATE_CANCELED, "The update was given up; what answered before answers still."
    return None


def record(connection: Connection, event: EndpointEvent) -> None:
    """Keep it."""
    values = asdict(event) | {"message": event.message[:_LONGEST_MESSAGE]}
    connection.execute(insert(endpoint_events).values(values))
    table = endpoint_events.c
    oldest = (
        select(table.id)
        .where(table.endpoint_id == event.endpoint_id)
        .order_by(table.id.desc())
        .offset(_KEPT)
        .limit(1)
        .scalar_subquery()
    )
    connection.execute(delete(endpoint_events).where(table.endpoint_id == event.endpoint_id, table.id <= oldest))


def page(connection: Connection, endpoint_id: str, page_token: str, size: int) -> EventPage:
    """Some of an endpoint's events. Raises `InvalidParameterValue` for a token that no page gave."""
    table = endpoint_events.c
    query = select(endpoint_events).where(table.endpoint_id == endpoint_id).order_by(table.id.desc()).limit(size + 1)
    if page_token:
        if not page_token.isdecimal() or len(page_token) > len(str(2**63)):
            raise InvalidParameterValue("page_token is not one that this list gave. Leave it out.", param="page_token")
        query = query.where(table.id < int(page_token))
    rows = connection.execute(query).mappings().all()
    events = [
        EndpointEvent(
            row["endpoint_id"],
            row["timestamp"],
            EventKind(row["kind"]),
            row["message"],
            row["served_entity"],
            row["actor"],
        )
        for row in rows[:size]
    ]
    return EventPage(events, str(rows[size - 1]["id"]) if len(rows) > size else "")
