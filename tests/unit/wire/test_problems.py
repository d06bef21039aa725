"""Errors as each route family's clients parse them."""

import json
from typing import Any

import pytest

from openfm.core import errors
from openfm.wire.manner import ErrorShape, Manner
from openfm.wire.problems import problem, stream_error

# Messages with these make databricks-sdk send the request again (its retries.py).
RETRY_PHRASES = (
    "ClusterNotReadyException",
    "There is no worker environment with id",
    "does not have any associated worker environments",
    "Unknown worker environment",
    "UnknownWorkerEnvironmentException",
    "RPC token bucket limit has been exceeded",
    "Unexpected error",
    "Please try again later or try a faster operation.",
)
# The codes from which mlflow derives the HTTP status that it shows; anything else becomes 500.
MLFLOW_STATUS = {
    "REQUEST_LIMIT_EXCEEDED": 429,
    "RESOURCE_DOES_NOT_EXIST": 404,
    "PERMISSION_DENIED": 403,
    "UNAUTHENTICATED": 401,
    "BAD_REQUEST": 400,
    "INVALID_PARAMETER_VALUE": 400,
    "RESOURCE_CONFLICT": 409,
    "RESOURCE_ALREADY_EXISTS": 400,
    "TEMPORARILY_UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
    "INTERNAL_ERROR": 500,
    "NOT_IMPLEMENTED": 501,
}


def all_errors(kind: type[errors.ApiError] = errors.ApiError) -> list[type[errors.ApiError]]:
    return [kind, *(sub for child in kind.__subclasses__() for sub in all_errors(child))]


def example(shape: ErrorShape) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(problem(errors.InvalidRequest("No.", param="n"), shape).body)
    return body


def test_the_three_shapes() -> None:
    openai = {"message": "No.", "type": "invalid_request_error", "param": "n", "code": None}
    assert example(ErrorShape.OPENAI) == {"error": openai}
    assert example(ErrorShape.DATABRICKS) == {"error_code": "BAD_REQUEST", "message": "No."}
    assert example(ErrorShape.BOTH) == {"error_code": "BAD_REQUEST", "message": "No.", "error": openai}


def test_line_73_every_route_family_has_its_shape() -> None:
    assert {manner: manner.error_shape for manner in Manner} == {
        Manner.OPENAI: ErrorShape.OPENAI,
        Manner.DATABRICKS: ErrorShape.BOTH,
        Manner.INVOCATIONS: ErrorShape.DATABRICKS,
    }


@pytest.mark.parametrize("kind", all_errors())
def test_line_74_mlflow_finds_the_status_in_every_error_code(kind: type[errors.ApiError]) -> None:
    assert kind.error_code in MLFLOW_STATUS
    if kind.status // 100 == 4 and kind.status not in {405, 408, 413, 422}:
        assert MLFLOW_STATUS[kind.error_code] == kind.status


def test_retry_after_is_whole_seconds_rounded_up_and_milliseconds_exact() -> None:
    headers = dict(problem(errors.RateLimited("Slow down.", retry_after_s=1.2), ErrorShape.OPENAI).headers)
    assert headers[b"retry-after"] == b"2"
    assert headers[b"retry-after-ms"] == b"1200"
    assert b"x-should-retry" not in headers


def test_a_wait_longer_than_sdks_take_says_not_to_retry() -> None:
    headers = dict(problem(errors.RateLimited("Slow down.", retry_after_s=121), ErrorShape.OPENAI).headers)
    assert headers[b"x-should-retry"] == b"false"


def test_line_61_a_late_error_is_one_event_in_both_shapes_without_done() -> None:
    event = stream_error(errors.EngineFailed("The engine stopped."))
    assert event.startswith(b"data: ")
    assert event.endswith(b"\n\n")
    assert json.loads(event.removeprefix(b"data: ")).keys() == {"error", "error_code", "message"}


def test_no_message_has_a_phrase_that_makes_sdks_retry() -> None:
    messages = [
        errors.EndpointNotFound("x").message,
        errors.ContextTooLong(prompt_tokens=5, max_tokens=6, context_length=7).message,
    ]
    assert not [m for m in messages for phrase in RETRY_PHRASES if phrase in m]


def test_an_error_that_repeats_what_is_no_text_is_still_told() -> None:
    error = errors.InvalidParameterValue("There is no '\ud800'.", param="\udfff")
    for shape in ErrorShape:
        assert json.loads(problem(error, shape).body)
    assert "There is no '?'." in stream_error(error).decode()


def test_a_spent_budget_says_when_it_renews_and_not_to_be_tried_before() -> None:
    error = errors.BudgetExceeded("The budget 'b' is spent.", budget="b", retry_after_s=3599.5)
    for shape in ErrorShape:
        answer = problem(error, shape)
        headers = dict(answer.headers)
        assert (answer.status, headers[b"x-should-retry"]) == (429, b"false")
        assert (headers[b"retry-after"], headers[b"retry-after-ms"]) == (b"3600", b"3599500")
    assert json.loads(problem(error, ErrorShape.OPENAI).body)["error"]["code"] == "insufficient_quota"
    assert json.loads(problem(error, ErrorShape.DATABRICKS).body)["error_code"] == "REQUEST_LIMIT_EXCEEDED"
