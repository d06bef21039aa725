"""Engines under contract: each started once for the whole session, as a server would."""

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from openfm.core.model import EmbeddingTraits, ModelProfile, Pooling, Task
from openfm.engines.base import Engine, EngineSpec, LoadProgress, RunningEngine
from openfm.engines.dialect import PLAIN
from openfm.engines.egress import EgressGuard
from openfm.engines.external import ExternalLauncher
from openfm.engines.llama_cpp import LlamaCppEngine, LlamaCppLauncher
from openfm.engines.onnx import OnnxLauncher
from openfm.engines.openai_http import Address, OpenAiHttpEngine
from openfm.engines.scripted import ScriptedEngine

CHAT = ModelProfile("chat", "chat", "Chat", "", "", Task.CHAT, context_length=8192)
EMBEDDING = ModelProfile(
    "embedding",
    "embedding",
    "Embedding",
    "",
    "",
    Task.EMBEDDINGS,
    context_length=256,
    embedding=EmbeddingTraits(384, Pooling.MEAN, is_normalized=True),
)


@dataclass(frozen=True, slots=True)
class Contender:
    """An engine, and one that can count tokens as it does (itself, where it can)."""

    engine: Engine
    counter: Engine


@pytest.fixture(scope="session")
def runtime_dir() -> Iterator[Path]:
    """A folder with a path short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="ofm") as folder:
        yield Path(folder)


def make_spec(model: ModelProfile, files: dict[str, Path], runtime_dir: Path, replica_id: str) -> EngineSpec:
    """A replica with two threads and four slots."""
    return EngineSpec(replica_id, model, files, 4, 2, runtime_dir / f"{replica_id}.log", runtime_dir)


def ignore_progress(_: LoadProgress) -> None:
    """For launches whose progress nobody looks at."""


@pytest.fixture(scope="session")
def chat_spec(chat_model_file: Path, runtime_dir: Path) -> EngineSpec:
    """The small chat model."""
    return make_spec(CHAT, {"model": chat_model_file}, runtime_dir, "chat")


@pytest.fixture(scope="session")
def embedding_spec(embedding_files: dict[str, Path], runtime_dir: Path) -> EngineSpec:
    """The small embedding model."""
    return make_spec(EMBEDDING, embedding_files, runtime_dir, "embedding")


@pytest.fixture(scope="session")
async def running_llama(chat_spec: EngineSpec) -> AsyncIterator[RunningEngine]:
    """One llama.cpp worker."""
    running = await LlamaCppLauncher(os.environ).launch(chat_spec, ignore_progress)
    yield running
    await running.stop(5.0)


@pytest.fixture(scope="session")
async def llama(running_llama: RunningEngine) -> LlamaCppEngine:
    """The llama.cpp adapter."""
    engine = running_llama.engine
    assert isinstance(engine, LlamaCppEngine)
    return engine


@pytest.fixture(scope="session")
async def plain_client(chat_spec: EngineSpec) -> AsyncIterator[Contender]:
    """A second llama.cpp server, spoken to as any OpenAI server."""
    running = await LlamaCppLauncher(os.environ).launch(replace(chat_spec, replica_id="plain"), ignore_progress)
    assert isinstance(running.engine, LlamaCppEngine)
    address = running.engine.address
    engine = OpenAiHttpEngine(Address(address.url, address.secret), PLAIN)
    yield Contender(engine, running.engine)
    await engine.aclose()
    await running.stop(5.0)


@pytest.fixture(scope="session")
async def external_client(chat_spec: EngineSpec) -> AsyncIterator[Contender]:
    """A third llama.cpp server, spoken to as another provider's API."""
    running = await LlamaCppLauncher(os.environ).launch(replace(chat_spec, replica_id="provider"), ignore_progress)
    assert isinstance(running.engine, LlamaCppEngine)
    address = running.engine.address
    spec = replace(
        chat_spec,
        replica_id="external",
        files={},
        options={"url": f"{address.url}/v1", "model": "default"},
        secret=address.secret,
    )
    external = await ExternalLauncher(EgressGuard.parse("127.0.0.1")).launch(spec, ignore_progress)
    yield Contender(external.engine, running.engine)
    await external.stop(5.0)
    await running.stop(5.0)


@pytest.fixture(scope="session")
async def running_onnx(embedding_spec: EngineSpec) -> AsyncIterator[RunningEngine]:
    """One ONNX worker."""
    running = await OnnxLauncher(os.environ).launch(embedding_spec, ignore_progress)
    yield running
    await running.stop(5.0)


@pytest.fixture(params=["scripted", "llama_cpp", "openai_http", "external"])
def contender(request: pytest.FixtureRequest) -> Contender:
    """Every engine that generates."""
    if request.param == "scripted":
        scripted = ScriptedEngine()
        return Contender(scripted, scripted)
    if request.param == "llama_cpp":
        llama: Engine = request.getfixturevalue("llama")
        return Contender(llama, llama)
    name = "plain_client" if request.param == "openai_http" else "external_client"
    client: Contender = request.getfixturevalue(name)
    return client


@pytest.fixture(params=["scripted", "onnx"])
def embedder(request: pytest.FixtureRequest) -> Engine:
    """Every engine that embeds; both have a context of 256 tokens."""
    if request.param == "scripted":
        return ScriptedEngine(context_length=256)
    running: RunningEngine = request.getfixturevalue("running_onnx")
    return running.engine
