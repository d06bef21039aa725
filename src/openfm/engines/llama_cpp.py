"""llama.cpp: any GGUF model, in a worker process (`llama_cpp_worker.py`) reached over HTTP."""

import secrets
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace

import msgspec

from openfm.core.chat import ChatRequest, Delta, Event, Finished, FinishReason, GenerationRequest, ResponseFormat, Tool
from openfm.core.embedding import EmbeddingRequest, EmbeddingResult
from openfm.core.errors import EngineFailed
from openfm.core.schema import enforceable_schema
from openfm.engines.base import EngineLink, EngineSpec, EngineStats, LoadProgress, RunningEngine
from openfm.engines.dialect import LLAMA_CPP
from openfm.engines.foreign_errors import foreign_errors
from openfm.engines.openai_http import Address, OpenAiHttpEngine
from openfm.engines.process import RunningWorker, WorkerCommand, start_worker
from openfm.engines.tool_prompt import StopScanner, ToolAnswer, needs_emulation, offered_tools, without_tools

_STEP_S = 0.5
# Measured: 130 prompt tokens a second with 98 MB of weights and 2 threads. Prefill is bound by arithmetic, which
# grows with the weights and shrinks with the threads.
_BYTES_A_SECOND_AND_THREAD = 130 * 98_362_432 / 2
_SMALLEST_BATCH, _LARGEST_BATCH = 8, 2048
# libgomp's threads spin at each barrier as long as they think the cores are theirs. Two workers on the same two cores
# then get 3 to 14 tokens a second each; with this short spin 52 to 58, and one alone loses a tenth to a sixth of 118.
_SHORT_SPIN = {"GOMP_SPINCOUNT": "200"}


def batch_size(weight_bytes: int, threads: int) -> int:
    """Tokens a step such that one takes about 0.5 s at most: a power of two.

    A cancelled or new request waits for the step that runs, so this bounds how long others are held up.
    """
    tokens = _STEP_S * _BYTES_A_SECOND_AND_THREAD * threads / max(weight_bytes, 1)
    power = 1 << max(0, int(tokens).bit_length() - 1)
    return min(max(power, _SMALLEST_BATCH), _LARGEST_BATCH)


class _TemplateCaps(msgspec.Struct):
    supports_tools: bool = False
    supports_tool_calls: bool = False


class _Props(msgspec.Struct):
    chat_template_caps: _TemplateCaps = msgspec.field(default_factory=_TemplateCaps)


class LlamaCppEngine:
    """The llama.cpp server, with bounded schemas, and with tools where the template or the server fails at them."""

    def __init__(self, server: OpenAiHttpEngine, *, has_tool_template: bool) -> None:
        self._server = server
        self._has_tool_template = has_tool_template

    @property
    def address(self) -> Address:
        """Where the server listens, for tools that speak to it themselves."""
        return self._server.address

    @property
    def link(self) -> EngineLink | None:
        """See `Engine.link`."""
        link = self._server.link
        return None if link is None else replace(link, has_tool_template=self._has_tool_template)

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        """See `Engine.generate`."""
        bounded = _bounded(request)
        if isinstance(bounded, ChatRequest) and needs_emulation(bounded, has_tool_template=self._has_tool_template):
            events = self._generate_with_tools(bounded)
        else:
            events = self._server.generate(bounded)
        async with aclosing(events):
            async for event in events:
                yield event

    async def embed(self, request: EmbeddingRequest) -> EmbeddingResult:
        """See `Engine.embed`."""
        return await self._server.embed(request)

    async def tokenize(self, request: GenerationRequest) -> tuple[int, ...]:
        """See `Engine.tokenize`."""
        if isinstance(request, ChatRequest) and needs_emulation(request, has_tool_template=self._has_tool_template):
            request = without_tools(request)
        return await self._server.tokenize(request)

    async def health(self) -> None:
        """See `Engine.health`."""
        await self._server.health()

    async def stats(self) -> EngineStats:
        """See `Engine.stats`."""
        return await self._server.stats()

    async def untold(self) -> int:
        """See `Engine.untold`."""
        return await self._server.untold()

    async def aclose(self) -> None:
        """See `Engine.aclose`."""
        await self._server.aclose()

    async def _generate_with_tools(self, request: ChatRequest) -> AsyncGenerator[Event, None]:
        plain = without_tools(request)
        if not offered_tools(request):
            async with aclosing(self._server.generate(plain)) as events:
                async for event in events:
                    yield event
            return
        answer = ToolAnswer(_call_id, is_json_response=request.response_format is not None)
        scanner = StopScanner(request.sampling.stop)
        async with aclosing(self._server.generate(plain)) as events:
            async for event in events:
                if isinstance(event, Finished):
                    held = scanner.flush()
                    if held:
                        yield Delta(event.counts, held)
                    yield _finish(event, answer)
                    return
                for delta in _translated(event, answer, scanner):
                    yield delta
                if scanner.is_stopped:
                    yield Finished(FinishReason.STOP, event.counts)
                    return


def linked(link: EngineLink) -> LlamaCppEngine:
    """A client of a worker that another process started. The worker's counters are not its own alone: it reads none."""
    server = OpenAiHttpEngine(Address(link.url, link.secret), replace(LLAMA_CPP, counters=None))
    return LlamaCppEngine(server, has_tool_template=link.has_tool_template)


def _translated(event: Delta, answer: ToolAnswer, scanner: StopScanner) -> list[Delta]:
    """The caller's view of an event. Log probabilities would be those of the JSON around it: left out."""
    deltas = [Delta(event.counts, reasoning=event.reasoning)] if event.reasoning else []
    for piece in answer.feed(event.text):
        if not isinstance(piece, str):
            deltas.append(Delta(event.counts, tool_calls=(piece,)))
        elif not scanner.is_stopped and (text := scanner.feed(piece)):
            deltas.append(Delta(event.counts, text))
    return deltas


def _finish(event: Finished, answer: ToolAnswer) -> Finished:
    if event.reason is FinishReason.STOP and answer.has_called:
        return replace(event, reason=FinishReason.TOOL_CALLS)
    return event


def _call_id() -> str:
    return f"call_{secrets.token_hex(12)}"


def _bounded(request: GenerationRequest) -> GenerationRequest:
    """The request with every schema checked. Raises `InvalidRequest`."""
    if not isinstance(request, ChatRequest):
        return request
    wanted = request.response_format
    if wanted is not None and wanted.schema is not None:
        wanted = ResponseFormat(enforceable_schema(wanted.schema), wanted.name)
    offered_tools(request)
    tools = tuple(_bounded_tool(tool, index) for index, tool in enumerate(request.tools))
    return replace(request, response_format=wanted, tools=tools)


def _bounded_tool(tool: Tool, index: int) -> Tool:
    return replace(tool, parameters=enforceable_schema(tool.parameters, f"tools[{index}].function.parameters"))


class LlamaCppLauncher:
    """Starts llama.cpp workers. `environment` is the server's own; only an allow-list of it is handed on."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    async def launch(self, spec: EngineSpec, on_progress: Callable[[LoadProgress], None]) -> RunningEngine:
        """See `Launcher.launch`."""
        secret = secrets.token_urlsafe(32)
        config = _configuration(spec, secret)
        command = WorkerCommand(
            "openfm.engines.llama_cpp_worker", config, self._environment, spec.log_file, _SHORT_SPIN
        )
        process = await start_worker(command, on_progress)
        server = OpenAiHttpEngine(Address(process.url, secret), LLAMA_CPP)
        try:
            raw = await server.fetch("/props")
            with foreign_errors():
                caps = msgspec.json.decode(raw, type=_Props).chat_template_caps
        except BaseException:
            await server.aclose()
            await process.stop(0)
            raise
        on_progress(LoadProgress(1.0, "ready"))
        has_tools = caps.supports_tools and caps.supports_tool_calls
        return RunningWorker(LlamaCppEngine(server, has_tool_template=has_tools), process)


def _configuration(spec: EngineSpec, secret: str) -> dict[str, object]:
    """What the worker gets to know: roles "model" and, for an adapter, "lora". Raises `EngineFailed`."""
    for file in spec.files.values():
        if not file.is_file():
            raise EngineFailed(f"The weights {file} are not there. Pull the model again: `openfm models pull`.")
    batch = batch_size(spec.files["model"].stat().st_size, spec.threads)
    traits = spec.model.embedding
    if traits is not None:
        # Attention goes both ways: a text must fit into one step.
        batch = max(batch, spec.model.context_length)
    return {
        "model": str(spec.files["model"]),
        "lora": str(spec.files.get("lora", "")),
        "secret": secret,
        "slots": spec.slots,
        "threads": spec.threads,
        "cores": list(spec.cores),
        "is_yielding": spec.is_yielding,
        "context_length": spec.model.context_length,
        "batch": batch,
        "chat_template": spec.options.get("chat_template", ""),
        "pooling": traits.pooling.value if traits is not None else "",
        "is_normalized": traits is None or traits.is_normalized,
    }
