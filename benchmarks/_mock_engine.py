"""An engine that costs almost nothing: OpenAI chat completions at full speed, prepared once. Raw ASGI for uvicorn."""

import json
from functools import cache
from typing import Any

from openfm.gateway.asgi import Receive, Scope, Send

_WORD = " word"


def _chunk(delta: dict[str, str], reason: str | None, usage: dict[str, int] | None = None) -> bytes:
    body: dict[str, Any] = {
        "id": "chatcmpl-mock",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "mock",
        "choices": [{"index": 0, "delta": delta, "finish_reason": reason}],
    }
    if usage is not None:
        body["usage"] = usage
    return b"data: " + json.dumps(body).encode() + b"\n\n"


@cache
def _frames(tokens: int) -> tuple[bytes, ...]:
    usage = {"prompt_tokens": 8, "completion_tokens": tokens, "total_tokens": 8 + tokens}
    words = (_chunk({"content": _WORD}, None) for _ in range(tokens))
    return (
        _chunk({"role": "assistant", "content": ""}, None),
        *words,
        _chunk({}, "length", usage),
        b"data: [DONE]\n\n",
    )


@cache
def _body(tokens: int) -> bytes:
    message = {"role": "assistant", "content": _WORD * tokens}
    choice = {"index": 0, "message": message, "finish_reason": "length"}
    usage = {"prompt_tokens": 8, "completion_tokens": tokens, "total_tokens": 8 + tokens}
    head = {"id": "chatcmpl-mock", "object": "chat.completion", "created": 0, "model": "mock"}
    return json.dumps(head | {"choices": [choice], "usage": usage}).encode()


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with `max_tokens` words, one frame a word when streaming."""
    if scope["type"] != "http":
        return
    raw = b""
    is_more = True
    while is_more:
        message = await receive()
        raw += message.get("body", b"")
        is_more = message.get("more_body", False)
    asked = json.loads(raw) if raw else {}
    tokens = asked.get("max_tokens") or 1
    if not asked.get("stream"):
        body = _body(tokens)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    for frame in _frames(tokens):
        await send({"type": "http.response.body", "body": frame, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
