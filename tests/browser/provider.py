"""A provider of models on loopback that says what a test wants: what no real model can be relied on to say."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from tests.conftest import Server

_ENDPOINTS = "/api/2.0/serving-endpoints"


@dataclass
class Provider:
    """`says` is what each model streams, piece by piece; one with no pieces fails.

    Those in `held` wait before their last piece until `release` is set.
    """

    says: Mapping[str, Sequence[str]]
    held: frozenset[str] = frozenset()
    release: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """A chat completion, streamed; whoever hangs up hears no more."""
        with suppress(ConnectionResetError):
            return await self._answer(request)
        return web.Response()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        model = (await request.json())["model"]
        pieces = self.says[model]
        if not pieces:
            return web.json_response({"error": {"message": "It fell over."}}, status=500)
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for piece in pieces[:-1]:
            await response.write(_event({"delta": {"content": piece}, "index": 0, "finish_reason": None}))
        if model in self.held:
            await self.release.wait()
        await response.write(_event({"delta": {"content": pieces[-1]}, "index": 0, "finish_reason": None}))
        await response.write(_event({"delta": {}, "index": 0, "finish_reason": "stop"}))
        await response.write(b"data: [DONE]\n\n")
        return response


def _event(choice: dict[str, Any]) -> bytes:
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


@asynccontextmanager
async def providing(provider: Provider, server: Server) -> AsyncIterator[Provider]:
    """Serve it, with an endpoint of the server for each of its models, under the model's name."""
    app = web.Application()
    app.router.add_post("/v1/chat/completions", provider.answer)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        async with aiohttp.ClientSession(server.url, headers={"authorization": f"Bearer {server.token}"}) as session:
            for model in provider.says:
                await _create(session, model, provider.url)
            yield provider
            for model in provider.says:
                async with session.delete(f"{_ENDPOINTS}/{model}") as gone:
                    assert gone.ok, await gone.text()
    finally:
        provider.release.set()
        await runner.cleanup()


async def _create(session: aiohttp.ClientSession, model: str, url: str) -> None:
    config = {"openai_api_base": url, "openai_api_key_plaintext": "none"}
    external = {"provider": "openai", "name": model, "task": "llm/v1/chat", "openai_config": config}
    body = {"name": model, "config": {"served_entities": [{"name": model, "external_model": external}]}}
    async with session.post(_ENDPOINTS, json=body) as made:
        assert made.ok, await made.text()
