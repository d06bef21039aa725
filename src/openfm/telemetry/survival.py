"""The one way to live with an error that nobody expected: it is logged with its traceback, and the loop goes on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Outcome:
    """How it went; `error` is what was survived."""

    error: Exception | None = None


@contextmanager
def survived(event: str, **fields: object) -> Iterator[Outcome]:
    """Do the body; what it raises is logged as `event` and kept in the outcome, not raised. Cancellation passes.

    For loops that work for everybody: one endpoint, replica or listener that fails must not end the work for the
    others. Whoever uses it tries again or shows the failure.
    """
    outcome = Outcome()
    try:
        yield outcome
    except Exception as error:
        log.exception(event, **fields)
        outcome.error = error
