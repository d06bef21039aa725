"""Worker process: an embedding model behind OpenAI's `/v1/embeddings` on a Unix socket.

Run as `python -m openfm.engines.onnx_worker` by `onnx.py`, never by hand.
"""

import asyncio
import base64
import hmac
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
from aiohttp import web

from openfm.core.errors import ApiError, ContextTooLong, InvalidRequest
from openfm.core.model import Pooling
from openfm.engines.onnx_batcher import Batcher
from openfm.engines.onnx_model import EmbeddingModel, EmbeddingSettings, TextEncoder
from openfm.engines.worker import WorkerChannel, become_worker

_BODY_LIMIT = 64 * 1024 * 1024


class _EmbeddingsAsked(msgspec.Struct):
    input: list[str | list[int]]
    instruction: str | None = None


class _TokenizeAsked(msgspec.Struct):
    prompt: str


@dataclass(frozen=True, slots=True)
class _Worker:
    """The handlers and what they use."""

    encoder: TextEncoder
    batcher: Batcher

    async def embeddings(self, request: web.Request) -> web.Response:
        asked = msgspec.json.decode(await request.read(), type=_EmbeddingsAsked)
        inputs = await asyncio.to_thread(self._encode, asked)
        vectors = await self.batcher.embed(inputs)
        data = [
            {"object": "embedding", "index": index, "embedding": base64.b64encode(vector).decode()}
            for index, vector in enumerate(vectors)
        ]
        count = sum(len(ids) for ids in inputs)
        usage = {"prompt_tokens": count, "completion_tokens": 0, "total_tokens": count}
        return _json({"object": "list", "data": data, "usage": usage})

    async def tokenize(self, request: web.Request) -> web.Response:
        asked = msgspec.json.decode(await request.read(), type=_TokenizeAsked)
        (ids,) = await asyncio.to_thread(self.encoder.encode, [asked.prompt])
        return _json({"tokens": ids, "count": len(ids)})

    async def health(self, _: web.Request) -> web.Response:
        return _json({"status": "ok"})

    async def metrics(self, _: web.Request) -> web.Response:
        counters = {
            "prompt_tokens_total": self.batcher.tokens_total,
            "completion_tokens_total": 0,
            "requests_running": self.batcher.running,
            "requests_waiting": self.batcher.waiting,
        }
        return web.Response(text="".join(f"openfm:{name} {value}\n" for name, value in counters.items()))

    def _encode(self, asked: _EmbeddingsAsked) -> list[list[int]]:
        texts = [item for item in asked.input if isinstance(item, str)]
        if texts:
            return self.encoder.encode(texts, asked.instruction)
        ids = [item for item in asked.input if not isinstance(item, str)]
        return self.encoder.encode_ids(ids, asked.instruction)


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")


def _error(error: ApiError) -> web.Response:
    body: dict[str, object] = {"message": error.message, "code": error.status}
    if isinstance(error, ContextTooLong):
        body |= {"n_prompt_tokens": error.prompt_tokens, "n_ctx": error.context_length}
    return _json({"error": body}, error.status)


def _guard(secret: str) -> Callable[..., Awaitable[web.StreamResponse]]:
    expected = f"Bearer {secret}".encode()

    @web.middleware
    async def guard(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if not hmac.compare_digest(request.headers.get("authorization", "").encode(), expected):
            return _json({"error": {"message": "unknown secret", "code": 401}}, 401)
        try:
            return await handler(request)
        except ApiError as error:
            return _error(error)
        except msgspec.MsgspecError as error:
            return _error(InvalidRequest(f"The body cannot be read: {error}."))

    return guard


def _load(channel: WorkerChannel) -> tuple[TextEncoder, EmbeddingModel]:
    settings = EmbeddingSettings(
        context_length=channel.number("context_length"),
        pooling=Pooling(channel.text("pooling")),
        is_normalized=bool(channel.config["is_normalized"]),
        threads=channel.number("threads"),
    )
    channel.progress("reading the tokenizer", 0.1)
    encoder = TextEncoder(Path(channel.text("tokenizer")), settings.context_length)
    channel.progress("loading the weights", 0.2)
    model = EmbeddingModel(Path(channel.text("model")), settings)
    channel.progress("warming up", 0.9)
    model.run(encoder.encode(["ready"]))
    return encoder, model


async def _serve(channel: WorkerChannel) -> None:
    encoder, model = _load(channel)
    batcher = Batcher(model.run, channel.number("batch"))
    worker = _Worker(encoder, batcher)
    app = web.Application(client_max_size=_BODY_LIMIT, middlewares=[_guard(channel.text("secret"))])
    app.router.add_post("/v1/embeddings", worker.embeddings)
    app.router.add_post("/tokenize", worker.tokenize)
    app.router.add_get("/health", worker.health)
    app.router.add_get("/metrics", worker.metrics)
    # A caller that hangs up cancels its handler, which takes its inputs out of the batcher's queue.
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None)
    await runner.setup()
    os.umask(0o177)
    socket = channel.text("socket")
    await web.UnixSite(runner, socket).start()
    channel.ready(f"unix:{socket}")
    await batcher.serve()


def main() -> None:
    """Load the model, serve it, and go on until killed."""
    channel = become_worker()
    try:
        asyncio.run(_serve(channel))
    except Exception as error:
        channel.fail(f"{type(error).__name__}: {error}")
        raise


if __name__ == "__main__":
    main()
