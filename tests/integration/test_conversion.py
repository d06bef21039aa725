"""Preparing weights: what goes wrong leaves nothing behind and says why."""

import asyncio
import json
import shutil
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from openfm.core.errors import Unavailable
from openfm.core.model import Task
from openfm.weights.converter import Converter, ConverterLimits
from openfm.weights.errors import ConversionFailed, UnsupportedModel
from openfm.weights.gguf_header import read_header
from openfm.weights.inspection import inspect
from openfm.weights.preparation import PrepareOptions, prepare
from tests.integration.tiny_models.conversion import build, import_model, make_converter, served

pytestmark = [pytest.mark.convert, pytest.mark.slow]


@pytest.fixture(scope="session")
def converter() -> Converter:
    return make_converter()


@pytest.fixture(scope="session")
def tiny(converter: Converter, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(converter.python, tmp_path_factory.mktemp("tiny"), "Llama 3", "Llama 2", "Mixtral", "Unheard of")


def children() -> list[psutil.Process]:
    """Our converters: child processes that run a file of the package."""
    return [child for child in psutil.Process().children() if any("convert_worker" in part for part in child.cmdline())]


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


async def test_a_cancelled_conversion_leaves_no_process_and_no_file(
    tiny: Path, converter: Converter, tmp_path: Path
) -> None:
    folder = tiny / "Llama 2" / "base"
    begun = asyncio.Event()

    def on_progress(_done: float, stage: str) -> None:
        if stage == "converting the weights":
            begun.set()

    options = PrepareOptions(converter=converter)
    job = asyncio.create_task(prepare(folder, inspect(folder), options, tmp_path, on_progress))
    await begun.wait()
    assert len(children()) == 1
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert children() == []
    assert names(tmp_path) == []


async def test_a_full_disk_is_told_and_cleaned_up(tiny: Path, converter: Converter, tmp_path: Path) -> None:
    folder = tiny / "Llama 2" / "base"
    small = replace(converter, limits=ConverterLimits(file_bytes=20_000))
    with pytest.raises(Unavailable, match="The disk is full"):
        await prepare(folder, inspect(folder), PrepareOptions(converter=small), tmp_path, lambda _done, _stage: None)
    assert names(tmp_path) == []


async def test_too_much_memory_ends_the_conversion_alone(tiny: Path, converter: Converter, tmp_path: Path) -> None:
    folder = tiny / "Llama 2" / "base"
    small = replace(converter, limits=ConverterLimits(memory_bytes=100_000_000))
    with pytest.raises(ConversionFailed):
        await prepare(folder, inspect(folder), PrepareOptions(converter=small), tmp_path, lambda _done, _stage: None)
    assert names(tmp_path) == []


async def test_weights_may_be_stored_at_8_bits(tiny: Path, converter: Converter, tmp_path: Path) -> None:
    options = PrepareOptions("q8_0", converter=converter)
    model = await import_model(tiny / "Llama 2" / "base", options, tmp_path)
    half = await import_model(tiny / "Llama 2" / "base", replace(options, quantization="f16"), tmp_path)
    sizes = [read_header(found.prepared.files["model"]).weight_bytes for found in (model, half)]
    assert sizes[0] < 0.6 * sizes[1]
    async with served(model, tmp_path) as engine:
        await engine.health()


async def test_a_finished_conversion_is_found_again(tiny: Path, converter: Converter, tmp_path: Path) -> None:
    folder = tiny / "Llama 2" / "base"
    first = await import_model(folder, PrepareOptions(converter=converter), tmp_path)
    again = await import_model(folder, PrepareOptions(converter=None), tmp_path)
    assert first == again


async def test_progress_goes_from_nothing_to_ready(tiny: Path, converter: Converter, tmp_path: Path) -> None:
    folder = tiny / "Llama 3" / "base"
    told: list[tuple[float, str]] = []
    await prepare(
        folder, inspect(folder), PrepareOptions(converter=converter), tmp_path, lambda *step: told.append(step)
    )
    assert told[0][0] == 0.0
    assert told[-1] == (1.0, "ready")
    assert any("tokenizer" in stage for _, stage in told)


async def test_a_tokenizer_that_llama_cpp_cannot_imitate_is_refused(
    tiny: Path, converter: Converter, tmp_path: Path
) -> None:
    with pytest.raises(UnsupportedModel, match=r"the closest, .*, differs at"):
        await import_model(tiny / "Unheard of" / "base", PrepareOptions(converter=converter), tmp_path)
    assert names(tmp_path) == []


async def test_an_mlflow_model_is_served(tiny: Path, converter: Converter, tmp_path: Path) -> None:
    folder = tmp_path / "mlflow"
    shutil.copytree(tiny / "Llama 3" / "base", folder / "model")
    tokenizer = folder / "components" / "tokenizer"
    tokenizer.mkdir(parents=True)
    for file in list((folder / "model").iterdir()):
        if "token" in file.name or file.name.endswith(".jinja"):
            file.rename(tokenizer / file.name)
    mlmodel = {"flavors": {"transformers": {"model_binary": "model"}}, "metadata": {"task": "llm/v1/chat"}}
    (folder / "MLmodel").write_text(json.dumps(mlmodel))
    model = await import_model(folder, PrepareOptions(converter=converter), tmp_path / "out")
    assert model.facts.task is Task.CHAT
    async with served(model, tmp_path) as engine:
        await engine.health()


async def test_an_adapter_of_another_model_is_refused(tiny: Path, converter: Converter, tmp_path: Path) -> None:
    options = PrepareOptions(base=tiny / "Mixtral" / "base", converter=converter)
    with pytest.raises(ConversionFailed, match="Give the base it was trained on"):
        await import_model(tiny / "Llama 3" / "adapter", options, tmp_path)
    assert names(tmp_path) == ["model-f16.gguf", "model-f16.gguf.sha256"]


async def test_an_adapter_needs_its_base(tiny: Path, converter: Converter, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match="Register that model first"):
        await import_model(tiny / "Llama 3" / "adapter", PrepareOptions(converter=converter), tmp_path)
