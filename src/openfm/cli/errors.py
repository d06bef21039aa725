"""Exit codes, and the one place where an error becomes what a person or a program reads on standard error."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import typer

from openfm.cli.text import neutral
from openfm.core.errors import ApiError, Conflict, InvalidRequest, NotFound, PermissionDenied, Unauthenticated


class ExitCode(IntEnum):
    """What the command ends with."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    NOT_ALLOWED = 3
    NOT_FOUND = 4
    CONFLICT = 5
    TIMED_OUT = 6
    UNREACHABLE = 7
    UNHEALTHY = 8
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.OK: "Done.",
    ExitCode.FAILURE: "It failed; standard error says why.",
    ExitCode.USAGE: "The command line or a setting is wrong.",
    ExitCode.NOT_ALLOWED: "Not authenticated, or not allowed.",
    ExitCode.NOT_FOUND: "No such endpoint, model or file.",
    ExitCode.CONFLICT: "Something else is going on with the same object.",
    ExitCode.TIMED_OUT: "It took too long.",
    ExitCode.UNREACHABLE: "The server cannot be reached.",
    ExitCode.UNHEALTHY: "The endpoint, or what `doctor` checked, is not well.",
    ExitCode.INTERRUPTED: "Stopped with Ctrl-C.",
}

_BY_STATUS = {
    401: ExitCode.NOT_ALLOWED,
    403: ExitCode.NOT_ALLOWED,
    404: ExitCode.NOT_FOUND,
    408: ExitCode.TIMED_OUT,
    409: ExitCode.CONFLICT,
    502: ExitCode.UNHEALTHY,
    503: ExitCode.UNHEALTHY,
    504: ExitCode.TIMED_OUT,
}
_BY_CLASS: tuple[tuple[type[ApiError], ExitCode], ...] = (
    (Unauthenticated, ExitCode.NOT_ALLOWED),
    (PermissionDenied, ExitCode.NOT_ALLOWED),
    (NotFound, ExitCode.NOT_FOUND),
    (Conflict, ExitCode.CONFLICT),
    (InvalidRequest, ExitCode.USAGE),
)


class CliError(Exception):
    """An error that ends the command. `hint` says what to do about it."""

    def __init__(
        self, message: str, exit_code: ExitCode = ExitCode.FAILURE, *, error_code: str = "", hint: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code
        self.error_code = error_code or exit_code.name
        self.hint = hint


class ServerError(CliError):
    """The server's answer, when it is an error. `retry_after_s`: it may be asked again after so many seconds."""

    status: int = 0
    retry_after_s: float | None = None

    def after(self, status: int, retry_after_s: float | None) -> "ServerError":
        """The error with its HTTP status."""
        self.status, self.retry_after_s = status, retry_after_s
        return self


def from_status(status: int) -> ExitCode:
    """The exit code for an HTTP status of the server."""
    return _BY_STATUS.get(status, ExitCode.FAILURE)


@contextmanager
def reported(*, as_json: bool) -> Iterator[None]:
    """Turn errors into text, or a JSON object, on standard error and the right exit code."""
    try:
        yield
    except CliError as error:
        _print(error, as_json=as_json)
        raise typer.Exit(error.exit_code) from None
    except ApiError as error:
        code = next((code for kind, code in _BY_CLASS if isinstance(error, kind)), ExitCode.FAILURE)
        _print(CliError(error.message, code, error_code=error.error_code), as_json=as_json)
        raise typer.Exit(code) from None
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted.\n")
        raise typer.Exit(ExitCode.INTERRUPTED) from None


def _print(error: CliError, *, as_json: bool) -> None:
    if as_json:
        body = {"error_code": error.error_code, "message": error.message, "hint": error.hint}
        sys.stderr.write(json.dumps(body) + "\n")
        return
    sys.stderr.write(f"Error: {neutral(error.message)}\n")
    if error.hint:
        sys.stderr.write(f"{neutral(error.hint)}\n")
