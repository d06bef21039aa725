"""Errors of engines and of the HTTP client -> core errors. Nothing else in `engines` names a foreign exception."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import aiohttp
import msgspec

from openfm.core.errors import (
    ApiError,
    ContextTooLong,
    EngineFailed,
    EngineTimeout,
    EngineUnreachable,
    InvalidRequest,
    NoReplicaReady,
    Overloaded,
)
from openfm.wire.engine_api import ERRORS, ErrorAnswer, ErrorBody

_RETRY_AFTER_S = 2.0
_LONGEST_MESSAGE = 500
# vLLM and other servers say it in words only.
_CONTEXT_WORDS = re.compile(
    r"maximum context length is (\d+) tokens.{0,200}?(\d+)\s+(?:in the |input |prompt )?", re.DOTALL
)


@contextmanager
def foreign_errors() -> Iterator[None]:
    """Let only `ApiError`s out of the block.

    Refused connections are `EngineUnreachable` and broken ones `NoReplicaReady` (the fleet restarts the engine),
    silence is `EngineTimeout`, everything else that a server can do wrong is `EngineFailed`.
    """
    try:
        yield
    except (TimeoutError, aiohttp.ServerTimeoutError) as error:
        raise EngineTimeout("The engine did not answer in time. Send the request again.") from error
    except aiohttp.ClientConnectorError as error:
        raise EngineUnreachable(
            "The engine cannot be reached; it is being restarted. Send the request again.", retry_after_s=_RETRY_AFTER_S
        ) from error
    except (aiohttp.ClientConnectionError, ConnectionError) as error:
        raise NoReplicaReady(
            "The connection to the engine failed; it is being restarted. Send the request again.",
            retry_after_s=_RETRY_AFTER_S,
        ) from error
    except (aiohttp.ClientError, OSError, msgspec.MsgspecError, UnicodeError, ValueError) as error:
        raise EngineFailed(
            f"The engine answered what could not be understood ({type(error).__name__}). Its log has the details."
        ) from error


def refusal(status: int, raw: bytes) -> ApiError:
    """The error that an engine's HTTP error answer stands for."""
    body = error_body(raw)
    message = body.message[:_LONGEST_MESSAGE].strip() or f"HTTP status {status}"
    if status in (401, 403):
        return EngineFailed("The engine refused openfm's own credentials. Check the key of this model.")
    if status == 429:
        return Overloaded("The engine is busy. Try again shortly.", retry_after_s=_RETRY_AFTER_S)
    if status == 503:
        return NoReplicaReady(f"The engine is not ready: {message}.", retry_after_s=_RETRY_AFTER_S)
    if status in (400, 404, 413, 422):
        return too_long(body) or InvalidRequest(f"The model's engine refuses the request: {message}")
    return EngineFailed(f"The engine failed: {message}")


def stream_refusal(body: ErrorBody, judge: Callable[[int, bytes], ApiError] = refusal) -> ApiError:
    """The error that an `error` event inside a stream stands for, as `judge` has it for an HTTP answer."""
    status = body.code if isinstance(body.code, int) else 500
    return judge(status, msgspec.json.encode({"error": body}))


def too_long(body: ErrorBody) -> ContextTooLong | None:
    """The error for a prompt that does not fit, if that is what the engine says."""
    if body.n_prompt_tokens is not None and body.n_ctx is not None:
        return ContextTooLong(prompt_tokens=body.n_prompt_tokens, max_tokens=None, context_length=body.n_ctx)
    found = _CONTEXT_WORDS.search(body.message)
    if found is None:
        return None
    return ContextTooLong(prompt_tokens=int(found[2]), max_tokens=None, context_length=int(found[1]))


def error_body(raw: bytes) -> ErrorBody:
    """The error in an answer's body; its beginning, where it is none that is known."""
    try:
        answer = ERRORS.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ErrorBody(message=raw[:_LONGEST_MESSAGE].decode(errors="replace"))
    return _from_answer(answer)


def _from_answer(answer: ErrorAnswer) -> ErrorBody:
    if isinstance(answer.error, ErrorBody):
        return answer.error
    if isinstance(answer.error, str):
        return ErrorBody(message=answer.error)
    if answer.message is not None:
        return ErrorBody(message=answer.message)
    return ErrorBody(message="" if answer.detail is None else str(answer.detail))
