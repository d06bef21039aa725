"""The error tree. Raise where it is known; `wire/problems.py` alone turns an error into bytes.

    ApiError
    ├── InvalidRequest           400  the request can never work as it is
    │   ├── ContextTooLong       400  prompt + max_tokens do not fit the model
    │   ├── WrongTask            400  the endpoint serves another task
    │   ├── InvalidParameterValue 400 a management request's field is out of its range
    │   └── AlreadyExists        400  the name is taken
    ├── Unauthenticated          401  no token, or one that is not known
    ├── PermissionDenied         403  known caller, not allowed
    ├── NotFound                 404
    ├── MethodNotAllowed         405
    ├── RequestTimeout           408  the body did not arrive in time
    ├── Conflict                 409
    ├── PayloadTooLarge          413
    ├── Unprocessable            422  an Idempotency-Key that was sent with another body
    ├── RateLimited              429  come back after `retry_after_s`
    │   └── ProvisionUsedUp      429  the endpoint's provisioned throughput is in use
    ├── BudgetExceeded           429  the money is spent until the budget renews
    ├── InternalError            500  a bug in openfm; never raised on purpose
    ├── NotImplementedHere       501
    ├── EngineFailed             502  the engine broke or answered nonsense
    ├── Unavailable              503  come back after `retry_after_s`
    │   ├── NoReplicaReady       503  loading or restarting
    │   │   ├── EntityWithdrawn  503  an update took it away; the gateway picks again
    │   │   └── EngineUnreachable 503 it is gone, and never saw the request; the gateway tries again
    │   ├── Overloaded           503  the queue is full, or its deadline passed
    │   └── LedgerUnavailable    503  nothing is served that cannot be metered
    └── EngineTimeout            504

`error_code` is Databricks' word: clients derive exception classes and even the HTTP status from it
(databricks-sdk `errors/mapping.py`, mlflow `ERROR_CODE_TO_HTTP_STATUS`). `openai_type` is OpenAI's.
Every message is a sentence that says how to fix it.
"""

from collections.abc import Sequence
from typing import ClassVar

from openfm.core.limits import Measure, Standing


class ApiError(Exception):
    """An error a caller may see.

    `param` names the offending request field, `retry_after_s` the honest wait before another try.
    """

    status: ClassVar[int] = 500
    error_code: ClassVar[str] = "INTERNAL_ERROR"
    openai_type: ClassVar[str] = "server_error"
    openai_code: ClassVar[str | None] = None

    def __init__(self, message: str, *, param: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s

    @property
    def code(self) -> str:
        """The most exact word there is for it."""
        return self.openai_code or self.error_code


class InvalidRequest(ApiError):
    """The request can never work as it is."""

    status = 400
    error_code = "BAD_REQUEST"
    openai_type = "invalid_request_error"


class ContextTooLong(InvalidRequest):
    """Prompt and `max_tokens` together do not fit the model's context."""

    openai_code = "context_length_exceeded"

    def __init__(self, *, prompt_tokens: int, max_tokens: int | None, context_length: int) -> None:
        self.prompt_tokens = prompt_tokens
        self.max_tokens = max_tokens
        self.context_length = context_length
        asked = f"{prompt_tokens} prompt tokens"
        if max_tokens is not None:
            asked += f" + {max_tokens} max_tokens = {prompt_tokens + max_tokens} tokens"
        super().__init__(
            f"The request needs {asked}, but the model's context length is {context_length} tokens. "
            "Shorten the prompt or lower max_tokens.",
            param="messages" if max_tokens is None else "max_tokens",
        )


class WrongTask(InvalidRequest):
    """The endpoint serves another task than the route asks for."""


class InvalidParameterValue(InvalidRequest):
    """A management request carries a value outside its range."""

    error_code = "INVALID_PARAMETER_VALUE"


class AlreadyExists(InvalidRequest):
    """Something of that name is there already. Databricks says so with 400."""

    error_code = "RESOURCE_ALREADY_EXISTS"
    openai_code = "already_exists"


class Unauthenticated(ApiError):
    """No bearer token, or one that is not known."""

    status = 401
    error_code = "UNAUTHENTICATED"
    openai_type = "invalid_request_error"
    openai_code = "invalid_api_key"


class PermissionDenied(ApiError):
    """The caller is known but not allowed."""

    status = 403
    error_code = "PERMISSION_DENIED"
    openai_type = "permission_error"
    openai_code = "permission_denied"


class NotFound(ApiError):
    """No such endpoint, model or route."""

    status = 404
    error_code = "RESOURCE_DOES_NOT_EXIST"
    openai_type = "invalid_request_error"
    openai_code = "not_found"


class EndpointNotFound(NotFound):
    """No serving endpoint of that name."""

    openai_code = "model_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The serving endpoint '{name}' does not exist. "
            "List the endpoints with GET /api/2.0/serving-endpoints or `openfm endpoints list`.",
            param="model",
        )


class MethodNotAllowed(ApiError):
    """The route exists, the method does not. `allow` lists those that do."""

    status = 405
    error_code = "BAD_REQUEST"
    openai_type = "invalid_request_error"
    openai_code = "method_not_allowed"

    def __init__(self, method: str, allow: str) -> None:
        super().__init__(f"{method} is not allowed here. Use {allow}.")
        self.allow = allow


class RequestTimeout(ApiError):
    """The body did not arrive in time."""

    status = 408
    error_code = "BAD_REQUEST"
    openai_type = "invalid_request_error"
    openai_code = "request_timeout"


class Conflict(ApiError):
    """Something else is going on with the same object."""

    status = 409
    error_code = "RESOURCE_CONFLICT"
    openai_type = "invalid_request_error"
    openai_code = "conflict"


class PayloadTooLarge(ApiError):
    """The body is larger than the server takes."""

    status = 413
    error_code = "BAD_REQUEST"
    openai_type = "invalid_request_error"
    openai_code = "payload_too_large"


class Unprocessable(ApiError):
    """The request contradicts an earlier one of the same `Idempotency-Key`."""

    status = 422
    error_code = "INVALID_PARAMETER_VALUE"
    openai_type = "invalid_request_error"
    openai_code = "idempotency_key_reused"


class RateLimited(ApiError):
    """The caller used up a limit; another try after `retry_after_s` is admitted.

    `standings` are those of all limits that apply, `measure` is what the one counts that binds. `may_fit`: it was
    judged by a bound of its prompt, and may fit when that is counted.
    """

    status = 429
    error_code = "REQUEST_LIMIT_EXCEEDED"
    openai_type = "rate_limit_exceeded"
    openai_code = "rate_limit_exceeded"

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float | None = None,
        standings: Sequence[Standing] = (),
        measure: Measure | None = None,
    ) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.standings = tuple(standings)
        self.measure = measure
        self.may_fit = False


class ProvisionUsedUp(RateLimited):
    """The provisioned throughput is in use: the same request is let in after `retry_after_s`.

    `utilisation` is a share of what was provisioned.
    """

    openai_code = "provisioned_throughput_exceeded"

    def __init__(self, message: str, *, retry_after_s: float, utilisation: float) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.utilisation = utilisation


class BudgetExceeded(ApiError):
    """A budget has less left than the request may cost; it is whole again in `retry_after_s`.

    `left_pico` is what it has left, in 10^-12 of its currency; `may_fit` as in `RateLimited`.
    """

    status = 429
    error_code = "REQUEST_LIMIT_EXCEEDED"
    openai_type = "insufficient_quota"
    openai_code = "insufficient_quota"

    def __init__(self, message: str, *, budget: str, retry_after_s: float, left_pico: int = 0) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.budget = budget
        self.left_pico = left_pico
        self.may_fit = False


class InternalError(ApiError):
    """A bug in openfm. The log has the traceback under the request id."""


class NotImplementedHere(ApiError):
    """The API has it, what answers here does not."""

    status = 501
    error_code = "NOT_IMPLEMENTED"
    openai_type = "invalid_request_error"
    openai_code = "not_implemented"


class EngineFailed(ApiError):
    """The engine broke, or answered what no engine should."""

    status = 502
    error_code = "INTERNAL_ERROR"
    openai_code = "engine_failed"


class EngineTimeout(ApiError):
    """The engine did not answer in time."""

    status = 504
    error_code = "DEADLINE_EXCEEDED"
    openai_code = "engine_timeout"


class Unavailable(ApiError):
    """Not now; `retry_after_s` says when."""

    status = 503
    error_code = "TEMPORARILY_UNAVAILABLE"
    openai_code = "temporarily_unavailable"


class NoReplicaReady(Unavailable):
    """Every replica is loading, restarting or gone."""

    openai_code = "endpoint_not_ready"


class EntityWithdrawn(NoReplicaReady):
    """The served entity left its endpoint while the request waited; nothing was generated yet."""


class EngineUnreachable(NoReplicaReady):
    """No connection to the engine: the request never reached it."""


class Overloaded(Unavailable):
    """The endpoint's queue is full, or the wait in it passed its deadline."""

    openai_code = "overloaded"


class LedgerUnavailable(Unavailable):
    """The ledger cannot be written: nothing is served that cannot be metered."""

    openai_code = "ledger_unavailable"
