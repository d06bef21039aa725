"""The bodies of the management API: whose they are, how large, and whether they are JSON, before any route sees them.

All JSON, whatever the content type says: official samples misspell it, and `curl -d` sends a form's.
"""

import asyncio
import codecs
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from openfm.control.identity.caller import verified
from openfm.control.identity.token_book import TokenBook
from openfm.core.errors import ApiError, InvalidParameterValue, PayloadTooLarge
from openfm.wire.manner import ErrorShape
from openfm.wire.problems import problem

LARGEST_BODY = 4 << 20
"""In bytes. Files and their parts, which are streamed to disk, may be larger."""
DEEPEST = 64
"""Arrays and objects inside one another."""

_ROOT = "/api/"
_FILES, _UPLOADS = "/api/2.0/fs/files/", "/api/2.0/fs/uploads/"
_METHODS = ("POST", "PUT", "PATCH", "DELETE")
_SMALL = 64 << 10
# A refused body is still read up to this factor of the limit: a client that is writing sees our 413 only if the
# connection is not reset under it.
_DRAINED_LIMITS = 4


class JsonBodies:
    """Hands on what a known caller sent, as JSON in UTF-8 that every part of openfm can read and write again."""

    def __init__(self, app: ASGIApp, tokens: TokenBook) -> None:
        self._app = app
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, or answer it with what is wrong with it."""
        if scope["type"] != "http" or scope["method"] not in _METHODS or not _is_ours(scope["path"]):
            await self._app(scope, receive, send)
            return
        try:
            verified(self._tokens, scope["headers"])
            if not _is_file(scope):
                scope, receive = _as_json(scope), await _checked(receive)
        except ApiError as error:
            await _response(error)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def check_json(body: bytes) -> None:
    """Raises `InvalidParameterValue` for what is no JSON in UTF-8, and for what is nested too deeply."""
    if not body:
        return
    try:
        value = msgspec.json.decode(body)
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        raise InvalidParameterValue(
            "The body is not JSON in UTF-8, or half of a surrogate pair is in it. Send one JSON object."
        ) from None
    if body.count(b"[") + body.count(b"{") > DEEPEST:
        _check_depth(value)


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [inner for item in level for inner in _inside(item)]
        if not level:
            return
    raise _too_deep()


def _inside(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _too_deep() -> InvalidParameterValue:
    return InvalidParameterValue(f"The body is nested more than {DEEPEST} levels deep. Send flatter JSON.")


def _is_ours(path: str) -> bool:
    """Whose callers have tokens: not OAuth's, and not those who hold the URL of an upload."""
    return path.startswith(_ROOT) and not path.startswith(_UPLOADS)


def _is_file(scope: Scope) -> bool:
    return bool(scope["method"] == "PUT" and scope["path"].startswith(_FILES))


def _as_json(scope: Scope) -> Scope:
    headers = [(name, value) for name, value in scope["headers"] if name != b"content-type"]
    return {**scope, "headers": [*headers, (b"content-type", b"application/json")]}


async def _checked(receive: Receive) -> Receive:
    """The body, read and checked, as the application receives it."""
    body = (await _read(receive)).removeprefix(codecs.BOM_UTF8)
    if len(body) > _SMALL:
        await asyncio.to_thread(check_json, body)
    else:
        check_json(body)
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed


async def _read(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    size, is_more = 0, True
    while is_more and size <= _DRAINED_LIMITS * LARGEST_BODY:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise InvalidParameterValue("The body broke off. Send it again.")
        chunk = message.get("body", b"")
        is_more = message.get("more_body", False)
        size += len(chunk)
        if size > LARGEST_BODY:
            chunks.clear()
        else:
            chunks.append(chunk)
    if size > LARGEST_BODY:
        raise PayloadTooLarge(f"The body is larger than {LARGEST_BODY >> 20} MiB. Send less at a time.")
    return b"".join(chunks)


def _response(error: ApiError) -> Response:
    answer = problem(error, ErrorShape.DATABRICKS)
    return Response(answer.body, answer.status, {name.decode(): value.decode() for name, value in answer.headers})
