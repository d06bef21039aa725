"""Sends one request over HTTP and notes when what came."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec

from openfm.cli.bench.target import Target
from openfm.core.errors import EngineFailed
from openfm.core.model import Task
from openfm.load.outcome import Outcome
from openfm.load.runner import Planned
from openfm.wire.sse import SseDecoder

_END = b"[DONE]"


@dataclass(slots=True)
class _Tally:
    first_s: float | None = None
    chunks: int = 0
    prompt: int | None = None
    cached: int = 0
    completion: int | None = None
    error: str | None = None
    has_ended: bool = False

    def take(self, chunk: Mapping[str, Any], now_s: float) -> None:
        """A chunk of the stream, or the whole answer."""
        if "error" in chunk or "error_code" in chunk:
            self.error = "error in stream"
            return
        choices = chunk.get("choices")
        if isinstance(choices, list) and any(_text_of(_mapping(choice)) for choice in choices):
            self.chunks += 1
            if self.first_s is None:
                self.first_s = now_s
        self._take_usage(_mapping(chunk.get("usage")))

    def _take_usage(self, usage: Mapping[str, Any]) -> None:
        if not usage:
            return
        self.prompt = _count(usage.get("prompt_tokens"))
        self.completion = _count(usage.get("completion_tokens"))
        self.cached = _count(_mapping(usage.get("prompt_tokens_details")).get("cached_tokens"))


@dataclass(frozen=True, slots=True)
class Sender:
    """Fulfils `load.runner.Send` over one session. `timeout_s` bounds a request from its sending."""

    session: aiohttp.ClientSession
    target: Target
    timeout_s: float

    async def send(self, request: Planned, due_s: float) -> Outcome:
        """The request's outcome. Where the server tells no usage, a word asked and a chunk answered count as tokens."""
        tally, sent_s = _Tally(), time.perf_counter()
        try:
            tally.error = await self._exchange(request, tally) or tally.error
        except TimeoutError:
            tally.error = "timeout"
        except (aiohttp.ClientError, OSError) as error:
            tally.error = f"connection: {type(error).__name__}"
        except (EngineFailed, ValueError):
            tally.error = "not understood"
        return Outcome(
            due_s=due_s,
            sent_s=sent_s,
            ended_s=time.perf_counter(),
            first_s=tally.first_s,
            prompt_tokens=len(request.prompt.split()) if tally.prompt is None else tally.prompt,
            cached_tokens=tally.cached,
            completion_tokens=tally.chunks if tally.completion is None else tally.completion,
            error=tally.error,
            is_estimated=tally.prompt is None,
        )

    async def _exchange(self, request: Planned, tally: _Tally) -> str | None:
        body = msgspec.json.encode(self.target.body(request.prompt, request.output_tokens))
        timeout = aiohttp.ClientTimeout(total=self.timeout_s)
        headers = {**self.target.headers, "Content-Type": "application/json"}
        async with self.session.post(self.target.url, data=body, headers=headers, timeout=timeout) as response:
            if response.status != 200:
                await response.read()
                return str(response.status)
            if self.target.task is Task.EMBEDDINGS:
                tally.take(_decoded(await response.read()), time.perf_counter())
                return None
            await _read_stream(response, tally)
        return None if tally.has_ended or tally.error else "broke off"


async def _read_stream(response: aiohttp.ClientResponse, tally: _Tally) -> None:
    decoder = SseDecoder()
    async for piece in response.content.iter_any():
        now_s = time.perf_counter()
        for data in decoder.feed(piece):
            if data == _END:
                tally.has_ended = True
            else:
                tally.take(_decoded(data), now_s)


def _decoded(data: bytes) -> Mapping[str, Any]:
    return msgspec.json.decode(data, type=dict[str, Any])


def _mapping(value: object) -> Mapping[str, Any]:
    """The object that a stranger's server should have sent here; empty for anything else."""
    return value if isinstance(value, dict) else {}


def _count(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 0


def _text_of(choice: Mapping[str, Any]) -> object:
    delta = _mapping(choice.get("delta"))
    return delta.get("content") or delta.get("reasoning_content") or delta.get("tool_calls") or choice.get("text")
