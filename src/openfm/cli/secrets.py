"""`openfm secrets`: keys of other providers, encrypted on the server, referred to as {{secrets/SCOPE/KEY}}."""

import base64
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

import typer

from openfm.cli.access_api import Facts, talk
from openfm.cli.errors import CliError, ExitCode, reported
from openfm.cli.output import Output, OutputOption, print_json, print_table
from openfm.cli.profile import Given, HomeOption, TokenOption, UrlOption

app = typer.Typer(
    help="Keep keys of other providers, encrypted, in scopes. An external model refers to one as "
    "{{secrets/SCOPE/KEY}}.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
)

ScopeArgument = Annotated[str, typer.Argument(help="The scope's name.")]
KeyArgument = Annotated[str, typer.Argument(help="The secret's name in the scope.")]
PrincipalArgument = Annotated[str, typer.Argument(help="User, group, or a service principal's application id.")]
_ROOT = "/api/2.0/secrets"


class Level(StrEnum):
    """What somebody may do with a scope; each includes the one before."""

    READ = "READ"
    WRITE = "WRITE"
    MANAGE = "MANAGE"


@app.command()
def list_scopes(
    output: OutputOption = Output.TEXT, url: UrlOption = None, token: TokenOption = None, home: HomeOption = None
) -> None:
    """List the scopes that you may read."""
    with reported(as_json=output.is_json):
        answer = talk(Given(url, token, home), lambda client: client.call("GET", f"{_ROOT}/scopes/list"))
        _table(answer, "scopes", output, {"NAME": "name"})


@app.command()
def create_scope(
    scope: ScopeArgument,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Create a scope; it is yours alone until you `share` it."""
    _post("scopes/create", {"scope": scope}, Given(url, token, home), output)


@app.command()
def delete_scope(
    scope: ScopeArgument,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Delete a scope with its secrets."""
    _post("scopes/delete", {"scope": scope}, Given(url, token, home), output)


@app.command("list")
def list_secrets(
    scope: ScopeArgument,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """List the keys in a scope."""
    with reported(as_json=output.is_json):
        path = f"{_ROOT}/list?{urlencode({'scope': scope})}"
        answer = talk(Given(url, token, home), lambda client: client.call("GET", path))
        if output.is_json:
            print_json(answer.get("secrets") or [])
            return
        print_table(("KEY", "UPDATED"), [(one["key"], _time(one)) for one in answer.get("secrets") or []])


@app.command()
def put(
    scope: ScopeArgument,
    key: KeyArgument,
    string_value: Annotated[
        str | None, typer.Option(help="The value. Others on this machine may see it: rather pipe it in.")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="A file with the value, as it is.")] = None,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Keep a secret: from standard input, without the end of its last line, or asked for on a terminal."""
    with reported(as_json=output.is_json):
        value = _value(string_value, file)
        body = {"scope": scope, "key": key, "bytes_value": base64.b64encode(value).decode()}
        talk(Given(url, token, home), lambda client: client.call("POST", f"{_ROOT}/put", body))


@app.command()
def get(
    scope: ScopeArgument,
    key: KeyArgument,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Write a secret's value to standard output, as it is; in JSON it is in base64."""
    with reported(as_json=output.is_json):
        path = f"{_ROOT}/get?{urlencode({'scope': scope, 'key': key})}"
        answer = talk(Given(url, token, home), lambda client: client.call("GET", path))
        if output.is_json:
            print_json(answer)
            return
        sys.stdout.buffer.write(base64.b64decode(answer["value"]))
        sys.stdout.flush()


@app.command()
def delete(
    scope: ScopeArgument,
    key: KeyArgument,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Delete a secret."""
    _post("delete", {"scope": scope, "key": key}, Given(url, token, home), output)


@app.command()
def acls(
    scope: ScopeArgument,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Show who may do what with a scope."""
    with reported(as_json=output.is_json):
        path = f"{_ROOT}/acls/list?{urlencode({'scope': scope})}"
        answer = talk(Given(url, token, home), lambda client: client.call("GET", path))
        _table(answer, "items", output, {"PRINCIPAL": "principal", "LEVEL": "permission"})


@app.command()
def share(
    scope: ScopeArgument,
    principal: PrincipalArgument,
    level: Annotated[Level, typer.Argument(help="Each includes the one before.")] = Level.READ,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Let somebody read, write or manage a scope."""
    body = {"scope": scope, "principal": principal, "permission": level.value}
    _post("acls/put", body, Given(url, token, home), output)


@app.command()
def unshare(
    scope: ScopeArgument,
    principal: PrincipalArgument,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Take somebody's permission on a scope away."""
    _post("acls/delete", {"scope": scope, "principal": principal}, Given(url, token, home), output)


def _post(verb: str, body: Mapping[str, object], given: Given, output: Output) -> None:
    with reported(as_json=output.is_json):
        talk(given, lambda client: client.call("POST", f"{_ROOT}/{verb}", body))


def _value(text: str | None, file: Path | None) -> bytes:
    if text is not None and file is not None:
        raise CliError("Give either --string-value or --file.", ExitCode.USAGE)
    if text is not None:
        return text.encode()
    if file is not None:
        try:
            return file.read_bytes()
        except OSError as error:
            raise CliError(f"--file cannot be read: {error}.", ExitCode.USAGE) from error
    if sys.stdin.isatty():
        typed: str = typer.prompt("Value", hide_input=True)
        return typed.encode()
    return sys.stdin.buffer.read().removesuffix(b"\n")


def _table(answer: Facts, name: str, output: Output, columns: dict[str, str]) -> None:
    listed = list(answer.get(name) or [])
    if output.is_json:
        print_json(listed)
        return
    print_table(tuple(columns), [tuple(str(one[key]) for key in columns.values()) for one in listed])


def _time(secret: Facts) -> str:
    return datetime.fromtimestamp(secret["last_updated_timestamp"] / 1000, UTC).isoformat(timespec="seconds")
