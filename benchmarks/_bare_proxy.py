"""The least a Python gateway can do: raw ASGI in, aiohttp out, bytes passed on. No authentication, limits, metering."""

import os

import aiohttp

from openfm.gateway.asgi import Receive, Scope, Send


class BareProxy:
    """Forwards every request to one engine."""

    def __init__(self, engine_url: str) -> None:
        self._engine_url = engine_url
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        if self._session is None:  # made on the server's own loop
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        raw = b""
        is_more = True
        while is_more:
            message = await receive()
            raw += message.get("body", b"")
            is_more = message.get("more_body", False)
        headers = {"content-type": "application/json"}
        async with self._session.post(self._engine_url + scope["path"], data=raw, headers=headers) as answer:
            kind = answer.headers["content-type"].encode()
            start = {"type": "http.response.start", "status": answer.status, "headers": [(b"content-type", kind)]}
            await send(start)
            async for chunk in answer.content.iter_any():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})


app = BareProxy(os.environ.get("BENCH_ENGINE_URL", ""))
