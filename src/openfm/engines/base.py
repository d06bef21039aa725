"""What an engine must do. `tests/contract/test_engine.py` holds every implementation to it."""

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from openfm.core.chat import Event, GenerationRequest
from openfm.core.embedding import EmbeddingRequest, EmbeddingResult
from openfm.core.model import ModelProfile


@dataclass(frozen=True, slots=True)
class EngineStats:
    """The engine's own counters, by which the gateway's can be checked.

    `kv_cache_ratio` is the share of its KV cache that requests under way hold, 0 to 1; None where it does not say.
    """

    prompt_tokens_total: int
    completion_tokens_total: int
    requests_running: int
    requests_waiting: int
    kv_cache_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class EngineLink:
    """What another process needs to reach an engine: how it speaks (a name of the catalog), where, and the secret.

    `has_tool_template` is what an engine that has to know it learned of its model.
    """

    engine: str
    url: str
    secret: str | None = field(default=None, repr=False)
    has_tool_template: bool = False


class Engine(Protocol):
    """A loaded model that answers requests. Safe for concurrent use on one event loop.

    All methods raise `ApiError`s and nothing else: `InvalidRequest` for what the engine refuses (a schema that
    does not compile, a prompt over the context), `NoReplicaReady` while it cannot be reached, `EngineFailed`
    and `EngineTimeout` for the rest.
    """

    @property
    def link(self) -> EngineLink | None:
        """How other processes reach it, too; None for one that only this process reaches, or that each opens itself."""
        ...

    def generate(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        """Yield zero or more `Delta` and then exactly one `Finished`.

        Closing the generator cancels the work in the engine within one step.
        """
        ...

    async def embed(self, request: EmbeddingRequest) -> EmbeddingResult:
        """One vector an input, in order. Raises `ContextTooLong` for an input that does not fit."""
        ...

    async def tokenize(self, request: GenerationRequest) -> tuple[int, ...]:
        """The prompt's token ids, template and special tokens included: what `usage.prompt_tokens` will count."""
        ...

    async def health(self) -> None:
        """Return if the engine answers; raise `NoReplicaReady` if not."""
        ...

    async def stats(self) -> EngineStats:
        """The engine's own counters since it started."""
        ...

    async def untold(self) -> int:
        """Completion tokens that the engine counted and no stream of this object told, since the last call.

        After a stream was closed early: what its last step had begun. 0 while requests run, for then nobody knows whose
        they are, and for an engine without counters of its own.
        """
        ...

    async def aclose(self) -> None:
        """Release connections. Idempotent; the process, where there is one, belongs to the launcher."""
        ...


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """Everything a launcher needs to start one replica.

    `files` maps a role ("model", "tokenizer", "lora") to a local file, `digests` to the SHA-256 it must have. `slots`
    is how many sequences run at once, each with the model's whole `context_length`. `threads` are CPU threads.
    `log_file` takes the process's output; `runtime_dir` is a short private folder for sockets. `options` is
    engine-specific.
    `secret` opens another provider's API. `cores` are those it has for itself (none: whichever are free), `gpu` is the
    number of its GPU; `is_yielding`: it has only what provisioned throughput leaves of them. Given at placement.
    """

    replica_id: str
    model: ModelProfile
    files: Mapping[str, Path]
    slots: int
    threads: int
    log_file: Path
    runtime_dir: Path
    options: Mapping[str, str] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    cores: tuple[int, ...] = ()
    gpu: int | None = None
    secret: str | None = field(default=None, repr=False)
    is_yielding: bool = False


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """How far loading is: `fraction` from 0 to 1, and a word for people."""

    fraction: float
    stage: str


class RunningEngine(Protocol):
    """A started replica: the engine, and the process or connection that carries it."""

    @property
    def engine(self) -> Engine:
        """The engine to send requests to."""
        ...

    @property
    def pid(self) -> int | None:
        """The process that carries it, if it is one on this machine."""
        ...

    async def exited(self) -> str:
        """Wait until the replica is gone for whatever reason; return the reason, for people."""
        ...

    async def stop(self, grace_s: float) -> None:
        """Ask it to end, wait up to `grace_s`, then kill it. Idempotent."""
        ...


class Launcher(Protocol):
    """Starts one kind of engine."""

    async def launch(self, spec: EngineSpec, on_progress: Callable[[LoadProgress], None]) -> RunningEngine:
        """Return when the engine answers.

        Raises `EngineFailed` with the reason (and the end of its log) when it cannot start; cancelling this
        call leaves no process behind.
        """
        ...
