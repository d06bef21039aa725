"""Every architecture is imported, served and asked: its answers are transformers' own. Writes the page that says so."""

import struct
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from openfm.core.chat import CompletionRequest, Delta, SamplingParams
from openfm.core.embedding import EmbeddingRequest
from openfm.engines.llama_cpp import LlamaCppEngine
from openfm.weights.converter import Converter
from openfm.weights.preparation import PrepareOptions
from tests.contract.engine_steps import show
from tests.integration.tiny_models.conversion import Imported, build, expected, import_model, make_converter, served

pytestmark = [pytest.mark.convert, pytest.mark.slow, pytest.mark.timeout(600)]

_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "architectures.md"
_ARCHITECTURES = {
    "Llama 3": "LlamaForCausalLM, byte-level BPE",
    "Llama 3.2": "LlamaForCausalLM, tied embeddings, scaled rotary positions",
    "Llama 2": "LlamaForCausalLM, SentencePiece",
    "Llama": "LlamaForCausalLM, SentencePiece in tokenizer.json alone",
    "Mistral": "MistralForCausalLM",
    "Mixtral": "MixtralForCausalLM",
    "MPT": "MptForCausalLM",
    "DBRX": "DbrxForCausalLM",
    "BGE": "BertModel",
    "Qwen2": "Qwen2ForCausalLM",
    "Qwen3": "Qwen3ForCausalLM",
    "Gemma": "GemmaForCausalLM",
    "Gemma 2": "Gemma2ForCausalLM",
    "Gemma 3": "Gemma3ForCausalLM",
}
_STEPS = ("Import", "Serve", "Tokenizer", "Query", "Fine-tuned", "LoRA")
_SMALLEST_COSINE = 0.9999
_NUM_TOKENS = 8
_INTRODUCTION = """\
# Architectures

Made by `tests/integration/test_conversion_architectures.py`, which fails when it is not what the test saw; do not edit.

Hugging Face folders of these architectures are imported: converted to GGUF at 16 bits, served by llama.cpp and asked,
base, fine-tuned (merged) and as base with a LoRA adapter. The test makes a tiny model of each, with random weights and
transformers' own configuration class and a tokenizer trained for it, and a step counts as "yes" only when

- Import: inspection and conversion succeed;
- Serve: the engine starts and answers text;
- Tokenizer: texts become the same token ids as in transformers;
- Query: the tokens that follow a prompt under greedy sampling are those of transformers (for BGE: the vectors are);
- Fine-tuned, LoRA: the same for weights with a change merged into them, and for the change as an adapter beside them.

GGUF files of any architecture that llama.cpp reads are served as they are, ONNX embedding models by ONNX Runtime.
[How to import a model](../how-to/import.md) says how.

"""

Steps = dict[str, str]


@pytest.fixture(scope="session")
def converter() -> Converter:
    return make_converter()


@pytest.fixture(scope="session")
def tiny(converter: Converter, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(converter.python, tmp_path_factory.mktemp("tiny"), *_ARCHITECTURES)


@pytest.fixture(scope="session")
def table() -> dict[str, Steps]:
    """Filled by the first test, written by the last."""
    return {}


@pytest.mark.parametrize("name", _ARCHITECTURES)
async def test_an_architecture_answers_as_in_transformers(
    name: str, tiny: Path, converter: Converter, table: dict[str, Steps]
) -> None:
    folder = tiny / name
    out = folder / "prepared"
    steps = table.setdefault(name, {})
    base = await import_model(folder / "base", PrepareOptions(converter=converter), out / "base")
    steps["Import"] = "yes"
    async with served(base, folder) as engine:
        await _says_something(engine, base)
        steps["Serve"] = "yes"
        for text, ids in expected(folder)["tokens"].items():
            assert list(await engine.tokenize(CompletionRequest(text))) == ids
        steps["Tokenizer"] = "yes"
        await _agrees(engine, base, expected(folder)["base"])
        with pytest.raises(AssertionError):  # else the steps below would prove nothing
            await _agrees(engine, base, expected(folder)["adapter"])
        steps["Query"] = "yes"
    merged = await import_model(folder / "merged", PrepareOptions(converter=converter), out / "merged")
    async with served(merged, folder) as engine:
        await _agrees(engine, merged, expected(folder)["merged"])
        steps["Fine-tuned"] = "yes"
    options = PrepareOptions(base=folder / "base", base_out_dir=out / "base", converter=converter)
    adapter = await import_model(folder / "adapter", options, out / "adapter")
    async with served(adapter, folder) as engine:
        await _agrees(engine, adapter, expected(folder)["adapter"])
        steps["LoRA"] = "yes"


def test_the_page_says_what_the_tests_saw(table: dict[str, Steps]) -> None:
    if len(table) < len(_ARCHITECTURES):
        pytest.skip("not all architectures were tried in this run")
    heads = ("Model", "Architecture", "Engine", *_STEPS)
    rows = [
        (name, shape, "llama_cpp", *(table[name].get(step, "no") for step in _STEPS))
        for name, shape in _ARCHITECTURES.items()
    ]
    lines = ["| " + " | ".join(row) + " |" for row in (heads, ["---"] * len(heads), *rows)]
    show("\n" + "\n".join(lines))
    page = _INTRODUCTION + "\n".join(lines) + "\n"
    was = _PAGE.read_text(encoding="utf-8") if _PAGE.exists() else ""
    _PAGE.write_text(page, encoding="utf-8")
    assert was == page, "The page was out of date and has been written anew: look at what changed, and commit it."


async def _says_something(engine: LlamaCppEngine, model: Imported) -> None:
    if model.served.embedding is not None:
        return
    request = CompletionRequest("Hello", SamplingParams(max_tokens=_NUM_TOKENS, temperature=0, ignore_eos=True))
    events = [event async for event in engine.generate(request)]
    assert any(isinstance(event, Delta) and event.text for event in events)
    assert events[-1].counts.completion == _NUM_TOKENS


async def _agrees(engine: LlamaCppEngine, model: Imported, answers: list[dict[str, Any]]) -> None:
    if model.served.embedding is None:
        async with aiohttp.ClientSession(headers=engine.address.headers) as session:
            for answer in answers:
                assert await _greedy(session, engine, answer["prompt"]) == answer["tokens"]
        return
    result = await engine.embed(EmbeddingRequest(tuple(answer["prompt"] for answer in answers)))
    for packed, answer in zip(result.vectors, answers, strict=True):
        vector = struct.unpack(f"<{result.dimension}f", packed)
        assert sum(a * b for a, b in zip(vector, answer["vector"], strict=True)) > _SMALLEST_COSINE


async def _greedy(session: aiohttp.ClientSession, engine: LlamaCppEngine, prompt: list[int]) -> list[int]:
    """llama.cpp's own route, which gives token ids; nothing but the largest logit counts."""
    body = {"prompt": prompt, "n_predict": _NUM_TOKENS, "samplers": ["top_k"], "top_k": 1, "return_tokens": True}
    async with session.post(f"{engine.address.url}/completion", json=body) as response:
        tokens: list[int] = (await response.json())["tokens"]
        return tokens
