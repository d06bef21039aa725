import asyncio
import inspect

import aiohttp
import msgspec
import pytest
from aiohttp import client_exceptions

from openfm.core.errors import (
    ApiError,
    ContextTooLong,
    EngineFailed,
    EngineTimeout,
    InvalidRequest,
    NoReplicaReady,
    Overloaded,
)
from openfm.engines.foreign_errors import foreign_errors, refusal, stream_refusal
from openfm.wire.engine_api import ErrorBody

AIOHTTP_ERRORS = [
    kind for _, kind in inspect.getmembers(client_exceptions, inspect.isclass) if issubclass(kind, aiohttp.ClientError)
]
OTHERS = [
    OSError,
    ConnectionResetError,
    ConnectionRefusedError,
    BrokenPipeError,
    TimeoutError,
    msgspec.DecodeError,
    msgspec.ValidationError,
    ValueError,
]


def raised(kind: type[BaseException]) -> BaseException:
    """An instance made without its constructor, whose arguments differ from class to class."""
    error = kind.__new__(kind)
    error.args = ("broken",)
    return error


@pytest.mark.parametrize("kind", [*AIOHTTP_ERRORS, *OTHERS], ids=lambda kind: kind.__name__)
def test_no_foreign_error_gets_out(kind: type[BaseException]) -> None:
    with pytest.raises(ApiError), foreign_errors():
        raise raised(kind)


def test_the_list_of_foreign_errors_is_not_empty() -> None:
    assert aiohttp.ServerDisconnectedError in AIOHTTP_ERRORS


@pytest.mark.parametrize(
    ("kind", "becomes"),
    [
        (aiohttp.ServerDisconnectedError, NoReplicaReady),
        (aiohttp.ClientConnectorError, NoReplicaReady),
        (aiohttp.SocketTimeoutError, EngineTimeout),
        (TimeoutError, EngineTimeout),
        (aiohttp.ClientPayloadError, EngineFailed),
    ],
)
def test_each_kind_says_what_a_caller_can_do(kind: type[BaseException], becomes: type[ApiError]) -> None:
    with pytest.raises(becomes), foreign_errors():
        raise raised(kind)


def test_our_own_errors_pass_unchanged() -> None:
    mine = InvalidRequest("Mine.")
    with pytest.raises(InvalidRequest) as caught, foreign_errors():
        raise mine
    assert caught.value is mine


def test_cancellation_passes() -> None:
    with pytest.raises(asyncio.CancelledError), foreign_errors():
        raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("status", "becomes"),
    [
        (400, InvalidRequest),
        (401, EngineFailed),
        (404, InvalidRequest),
        (422, InvalidRequest),
        (429, Overloaded),
        (500, EngineFailed),
        (503, NoReplicaReady),
    ],
)
def test_a_status_becomes_the_error_it_means(status: int, becomes: type[ApiError]) -> None:
    assert type(refusal(status, b'{"error":{"message":"why"}}')) is becomes


def test_llama_cpp_says_a_prompt_is_too_long_in_numbers() -> None:
    error = refusal(400, b'{"error":{"code":400,"message":"m","n_prompt_tokens":9000,"n_ctx":8192}}')
    assert isinstance(error, ContextTooLong)
    assert (error.prompt_tokens, error.context_length) == (9000, 8192)


def test_vllm_says_it_in_words() -> None:
    words = "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens in the messages"
    error = refusal(400, msgspec.json.encode({"message": words}))
    assert isinstance(error, ContextTooLong)
    assert (error.prompt_tokens, error.context_length) == (5000, 4096)


@pytest.mark.parametrize("raw", [b"", b"<html>", b'{"error":"text"}', b'{"detail":[1]}', b"\xff"])
def test_any_body_is_survived(raw: bytes) -> None:
    assert isinstance(refusal(500, raw), EngineFailed)


def test_an_error_inside_a_stream_keeps_its_status() -> None:
    assert isinstance(stream_refusal(ErrorBody("why", code=400)), InvalidRequest)
    assert isinstance(stream_refusal(ErrorBody("why")), EngineFailed)
