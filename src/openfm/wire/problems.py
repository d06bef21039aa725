"""Core error -> body and headers; the only place that does it."""

import math
from dataclasses import dataclass

import msgspec

from openfm.core.errors import ApiError, InternalError, MethodNotAllowed, RateLimited
from openfm.wire.manner import ErrorShape
from openfm.wire.rate_limits import rate_limit_headers

_LONGEST_SDK_WAIT_S = 120


@dataclass(frozen=True, slots=True)
class Problem:
    """An error, ready to send."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


def internal_error(request_id: str) -> InternalError:
    """What a caller sees of a bug: the id under which the log has the traceback, nothing else."""
    return InternalError(f"openfm made an error of its own; its log has the details under request id {request_id}.")


def problem(error: ApiError, shape: ErrorShape) -> Problem:
    """The error as the route's clients parse it."""
    headers = [(b"content-type", b"application/json"), *_retry_headers(error)]
    if isinstance(error, RateLimited):
        headers += rate_limit_headers(error.standings)
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", error.allow.encode()))
    return Problem(error.status, tuple(headers), msgspec.json.encode(error_body(error, shape)))


def error_body(error: ApiError, shape: ErrorShape) -> dict[str, object]:
    """The error's JSON object.

    The Databricks shape has no key `error`: databricks-sdk would print that instead of the message.
    """
    body: dict[str, object] = {}
    message = _text(error.message)
    if shape is not ErrorShape.OPENAI:
        body |= {"error_code": error.error_code, "message": message}
    if shape is not ErrorShape.DATABRICKS:
        body["error"] = {
            "message": message,
            "type": error.openai_type,
            "param": None if error.param is None else _text(error.param),
            "code": error.openai_code,
        }
    return body


def stream_error(error: ApiError) -> bytes:
    """The one event that ends a stream which failed after it began; no `[DONE]` follows.

    Both shapes together, because no single one is noticed by every client once a stream runs.
    """
    return b"data: " + msgspec.json.encode(error_body(error, ErrorShape.BOTH)) + b"\n\n"


def _text(said: str) -> str:
    """What was said, where it repeats what a caller sent: half of a surrogate pair has no bytes."""
    return said.encode(errors="replace").decode()


def _retry_headers(error: ApiError) -> list[tuple[bytes, bytes]]:
    if error.retry_after_s is None:
        return []
    milliseconds = max(1, math.ceil(error.retry_after_s * 1000))
    seconds = math.ceil(milliseconds / 1000)
    headers = [(b"retry-after", b"%d" % seconds), (b"retry-after-ms", b"%d" % milliseconds)]
    if seconds > _LONGEST_SDK_WAIT_S:
        headers.append((b"x-should-retry", b"false"))
    return headers
