"""The usage sink of this version: one log event a request, with counts and times, never with text."""

import structlog

from openfm.core.usage import UsageRecord

log = structlog.get_logger(__name__)


class UsageLog:
    """Writes usage records to the log."""

    def record(self, usage: UsageRecord) -> None:
        """One event."""
        log.info(
            "request.finished",
            request_id=usage.request_id,
            client_request_id=usage.client_request_id,
            principal=usage.principal,
            endpoint=usage.endpoint,
            served_entity=usage.served_entity,
            status=usage.status,
            streaming=usage.is_streaming,
            prompt_tokens=usage.generated.prompt,
            cached_tokens=usage.generated.cached,
            completion_tokens=usage.generated.completion,
            delivered_tokens=usage.delivered.completion,
            duration_s=round(usage.finished_s - usage.received_s, 4),
            ttft_s=None if usage.first_token_s is None else round(usage.first_token_s - usage.received_s, 4),
        )
