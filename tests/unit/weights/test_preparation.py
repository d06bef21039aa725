"""Preparing what needs no torch: files served as they are, and an environment that is missing or broken."""

import json
import sys
from pathlib import Path

import pytest

from openfm.core.errors import Unavailable
from openfm.weights import convert_environment
from openfm.weights.convert_environment import ensure, installed
from openfm.weights.converter import Converter
from openfm.weights.errors import ConversionFailed, CorruptModel, UnsupportedModel
from openfm.weights.folder import ModelFolder
from openfm.weights.inspection import inspect
from openfm.weights.preparation import PreparedModel, PrepareOptions, prepare
from openfm.weights.staging import adapter_task, stage
from openfm.weights.trial_header import NAMES, PLACEHOLDER, named, padding
from tests.unit.weights.files import gguf, onnx, safetensors, write_llama

_ROOT = Path(__file__).parents[3]


async def prepared(folder: Path, out: Path, options: PrepareOptions | None = None) -> PreparedModel:
    return await prepare(folder, inspect(folder), options or PrepareOptions(), out, lambda _done, _stage: None)


def write_adapter(folder: Path, **changes: object) -> Path:
    folder.mkdir()
    config = {"peft_type": "LORA", "base_model_name_or_path": "meta/x", "r": 4, "lora_alpha": 8} | changes
    (folder / "adapter_config.json").write_text(json.dumps(config))
    (folder / "adapter_model.safetensors").write_bytes(safetensors({"a.lora_A.weight": (4, 8)}))
    return folder


async def test_a_gguf_file_is_served_where_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "m.gguf").write_bytes(gguf())
    assert await prepared(folder, tmp_path / "out") == PreparedModel("llama_cpp", {"model": folder / "m.gguf"})
    assert not (tmp_path / "out").exists()


async def test_an_onnx_folder_is_served_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / "model.onnx").write_bytes(onnx())
    (tmp_path / "tokenizer.json").write_text("{}")
    files = {"model": tmp_path / "onnx" / "model.onnx", "tokenizer": tmp_path / "tokenizer.json"}
    assert await prepared(tmp_path, tmp_path / "out") == PreparedModel("onnx", files)


async def test_without_the_converter_the_command_that_installs_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match="openfm convert install"):
        await prepared(write_llama(tmp_path / "model"), tmp_path / "out")


async def test_a_broken_environment_is_told_with_its_last_words(tmp_path: Path) -> None:
    options = PrepareOptions(converter=Converter(Path(sys.executable)))
    with pytest.raises(ConversionFailed, match="ModuleNotFoundError"):
        await prepared(write_llama(tmp_path / "model"), tmp_path / "out", options)
    assert list((tmp_path / "out").iterdir()) == []


async def test_a_gguf_adapter_is_served_with_a_gguf_base(tmp_path: Path) -> None:
    base, adapter = tmp_path / "base", tmp_path / "adapter"
    for folder, keys in ((base, {}), (adapter, {"general.type": "adapter", "adapter.type": "lora"})):
        folder.mkdir()
        (folder / "w.gguf").write_bytes(gguf({"general.architecture": "llama", "llama.context_length": 9, **keys}))
    facts = inspect(adapter)
    found = await prepare(adapter, facts, PrepareOptions(base=base), tmp_path / "out", lambda _done, _stage: None)
    assert found.files == {"model": base / "w.gguf", "lora": adapter / "w.gguf"}


async def test_an_adapter_of_safetensors_needs_a_base_of_safetensors(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "w.gguf").write_bytes(gguf())
    with pytest.raises(UnsupportedModel, match="Give the base as a Hugging Face folder"):
        await prepared(write_adapter(tmp_path / "adapter"), tmp_path / "out", PrepareOptions(base=tmp_path / "base"))


@pytest.mark.parametrize(
    "changes", [{"r": 0}, {"lora_alpha": "8"}, {"r": 2**40}, {"rank_pattern": []}, {"alpha_pattern": {"x": None}}]
)
def test_impossible_scales_of_an_adapter_are_named(tmp_path: Path, changes: dict[str, object]) -> None:
    folder = write_adapter(tmp_path / "adapter", **changes)
    if changes == {"rank_pattern": []}:  # nothing in it: as good as none
        assert adapter_task(ModelFolder(folder))["rank_pattern"] == {}
        return
    with pytest.raises(CorruptModel, match="must be a number above 0"):
        adapter_task(ModelFolder(folder))


def test_the_converter_sees_no_pickle_and_no_code(tmp_path: Path) -> None:
    folder = write_llama(tmp_path / "model", architectures=["MptForCausalLM"], max_seq_len=9)
    for name in ("pytorch_model.bin", "modeling_evil.py", "consolidated.safetensors"):
        (folder / name).write_bytes(safetensors({"x": (1,)}))
    seen = stage(ModelFolder(folder), tmp_path / "stage")
    names = sorted(file.name for file in seen.iterdir())
    assert names == ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    assert json.loads((seen / "config.json").read_text())["architectures"] == ["MPTForCausalLM"]


def test_every_name_takes_as_much_of_the_trial_model() -> None:
    keys = {"tokenizer.ggml.pre": PLACEHOLDER, "openfm.padding": padding(PLACEHOLDER), "llama.context_length": 7}
    model = gguf(keys)
    assert len({len(named(model, name)) for name in NAMES}) == 1
    assert named(named(model, PLACEHOLDER), PLACEHOLDER) == model
    with pytest.raises(ValueError, match="no trial model"):
        named(gguf(), "gpt-2")


def test_the_lock_in_the_package_is_the_projects_own() -> None:
    theirs = _ROOT / "requirements" / "convert.lock"
    ours = Path(convert_environment.__file__).with_name("convert.lock")
    assert ours.read_text() == theirs.read_text(), "Run: cp requirements/convert.lock src/openfm/weights/convert.lock"


async def test_an_environment_that_cannot_be_made_is_told_with_pips_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    told: list[str] = []
    with pytest.raises(Unavailable, match=r"(?s)could not be made: .*package index"):
        await ensure(tmp_path, lambda _done, stage: told.append(stage))
    assert told[0] == "making a virtual environment"
    assert installed(tmp_path) is None
