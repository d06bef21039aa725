"""What the tests of conversion share: the environment, the tiny models, and an engine over what was prepared."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openfm.core.model import ModelProfile
from openfm.engines.base import EngineSpec
from openfm.engines.llama_cpp import LlamaCppEngine, LlamaCppLauncher
from openfm.weights.convert_environment import ensure
from openfm.weights.converter import Converter
from openfm.weights.facts import ModelFacts
from openfm.weights.inspection import inspect
from openfm.weights.preparation import PreparedModel, PrepareOptions, prepare

_ROOT = Path(__file__).parents[3]
_BUILDER = "tests.integration.tiny_models.build"


def make_converter() -> Converter:
    """The converter in `.dev/environments/convert`, which is made at the first call."""
    return Converter(asyncio.run(ensure(_ROOT / ".dev" / "environments", lambda _done, _stage: None)))


def build(python: Path, folder: Path, *names: str) -> Path:
    """Make the tiny models called `names`, or all, in `folder`. Their tokenizers learn from our licence."""
    folder.mkdir(parents=True, exist_ok=True)
    corpus = _ROOT / "LICENSE"  # a text that never changes
    done = subprocess.run(
        [python, "-m", _BUILDER, corpus, folder, *names],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={"HF_HUB_OFFLINE": "1", "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@dataclass(frozen=True, slots=True)
class Imported:
    """A version that was inspected and prepared; `served` are the facts that serving goes by (of the base)."""

    facts: ModelFacts
    served: ModelFacts
    prepared: PreparedModel


async def import_model(folder: Path, options: PrepareOptions, out_dir: Path) -> Imported:
    """Inspect and prepare, as registering and deploying do."""
    facts = await asyncio.to_thread(inspect, folder)
    served = facts if options.base is None else await asyncio.to_thread(inspect, options.base)
    return Imported(facts, served, await prepare(folder, facts, options, out_dir, lambda _done, _stage: None))


@asynccontextmanager
async def served(model: Imported, folder: Path) -> AsyncIterator[LlamaCppEngine]:
    """A running llama.cpp with it."""
    facts = model.served
    profile = ModelProfile(
        "tiny", "tiny", "Tiny", "", "", facts.task, context_length=facts.context_length, embedding=facts.embedding
    )
    spec = EngineSpec("tiny-1", profile, model.prepared.files, 1, 2, folder / "log", folder)
    running = await LlamaCppLauncher({}).launch(spec, lambda _: None)
    try:
        assert isinstance(running.engine, LlamaCppEngine)
        yield running.engine
    finally:
        await running.stop(1)


def expected(folder: Path) -> dict[str, Any]:
    """What transformers answered when the model was built."""
    answers: dict[str, Any] = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    return answers
