"""Brings a model version into the files that an engine reads: as they are, or converted to GGUF."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from openfm.core.errors import Unavailable
from openfm.weights import gguf, onnx
from openfm.weights.converter import Conversion, Converter, OnProgress, convert
from openfm.weights.errors import UnsupportedModel
from openfm.weights.facts import ModelFacts, ModelFormat
from openfm.weights.folder import ModelFolder
from openfm.weights.gguf_header import read_header
from openfm.weights.hugging_face import ADAPTER_WEIGHTS, inspect_hugging_face
from openfm.weights.kept_digest import digest_file, keep_digest
from openfm.weights.mlflow_model import servable_part
from openfm.weights.staging import adapter_task, small_bytes, stage

Quantization = Literal["f16", "q8_0"]
QUANTIZATIONS: Mapping[str, Quantization] = {"f16": "f16", "q8_0": "q8_0"}

SCRATCH_PREFIX = ".convert-"
"""How folders of conversions in progress begin; what a killed server left of them may go."""

_BITS = {"f16": 16.0, "q8_0": 8.5}
_SPARE_BYTES = 1024 * 1024
_BYTES_OF_ADAPTER = 4


@dataclass(frozen=True, slots=True)
class PrepareOptions:
    """How to prepare a version.

    `quantization` is for Hugging Face weights. `base` is the folder of a LoRA adapter's base model, `base_out_dir`
    where its conversion is kept, so that adapters of one base share it (None: with the adapter). `converter` is None
    where the `convert` environment is not installed. Links in the folders may lead into `links_into`.
    """

    quantization: Quantization = "f16"
    base: Path | None = None
    base_out_dir: Path | None = None
    converter: Converter | None = None
    links_into: Path | None = None


@dataclass(frozen=True, slots=True)
class PreparedModel:
    """The engine, by its name in `engines/catalog.py`, and its files by their role."""

    engine: Literal["llama_cpp", "onnx"]
    files: Mapping[str, Path]


def expected_bytes(facts: ModelFacts, quantization: str) -> int:
    """What the engine's weights will hold, as far as `facts` tell: those of GGUF and ONNX are as they are."""
    if facts.format is not ModelFormat.HUGGING_FACE:
        return facts.weight_bytes
    if facts.adapter_of is not None:
        return facts.parameters * _BYTES_OF_ADAPTER
    return int(facts.parameters * _BITS.get(quantization, _BITS["f16"]) / 8)


async def prepare(
    folder: Path, facts: ModelFacts, options: PrepareOptions, out_dir: Path, on_progress: OnProgress
) -> PreparedModel:
    """The files to serve the version in `folder` with, whose inspection gave `facts`.

    GGUF and ONNX files are served where they are. Others are converted into `out_dir`, once: a finished conversion is
    found again. `on_progress` gets a fraction from 0 to 1 and a stage. Raises `ConversionFailed`, `CorruptModel`,
    `UnsupportedModel`, and `Unavailable` when the disk is full. Failing and cancelling leave nothing in `out_dir`.
    """
    files = await _servable(folder, options)
    if facts.adapter_of is None:
        prepared = await _prepare_model(files, facts, options, out_dir, on_progress)
    else:
        prepared = await _prepare_adapter(files, facts, options, out_dir, on_progress)
    on_progress(1.0, "ready")
    return prepared


async def _prepare_model(
    files: ModelFolder, facts: ModelFacts, options: PrepareOptions, out_dir: Path, on_progress: OnProgress
) -> PreparedModel:
    if facts.format is ModelFormat.GGUF:
        return PreparedModel("llama_cpp", {"model": files.files[gguf.weights_name(files)]})
    if facts.format is ModelFormat.ONNX:
        named = {"model": files.files[onnx.weights_name(files)], "tokenizer": files.files[onnx.TOKENIZER]}
        return PreparedModel("onnx", named)
    out = out_dir / f"model-{options.quantization}.gguf"
    if not out.exists():
        expected = expected_bytes(facts, options.quantization) + 2 * small_bytes(files) + _SPARE_BYTES
        details = {"mode": "model", "quantization": options.quantization}
        await _convert(files, options, (out, expected, details), on_progress)
    return PreparedModel("llama_cpp", {"model": out})


async def _prepare_adapter(
    files: ModelFolder, facts: ModelFacts, options: PrepareOptions, out_dir: Path, on_progress: OnProgress
) -> PreparedModel:
    if options.base is None:
        raise UnsupportedModel(f"The adapter needs its base model, {facts.adapter_of}. Register that model first.")
    base_files = await _servable(options.base, options)
    if base_files.ending(".gguf"):
        if facts.format is not ModelFormat.GGUF:
            raise UnsupportedModel(
                "The adapter's base is a GGUF file, which does not tell how to convert the adapter. "
                "Give the base as a Hugging Face folder, or the adapter as GGUF."
            )
        base = PreparedModel("llama_cpp", {"model": base_files.files[gguf.weights_name(base_files)]})
    else:
        base_facts = await asyncio.to_thread(inspect_hugging_face, base_files)
        base_dir = options.base_out_dir or out_dir
        base = await _prepare_model(base_files, base_facts, options, base_dir, on_progress)
    if facts.format is ModelFormat.GGUF:
        return PreparedModel("llama_cpp", {**base.files, "lora": files.files[gguf.weights_name(files)]})
    out = out_dir / "adapter.gguf"
    if not out.exists():
        details = {
            "mode": "adapter",
            "adapter": adapter_task(files),
            "adapter_weights": str(files.files[ADAPTER_WEIGHTS]),
        }
        expected = expected_bytes(facts, options.quantization) + _SPARE_BYTES
        await _convert(base_files, options, (out, expected, details), on_progress)
    return PreparedModel("llama_cpp", {**base.files, "lora": out})


async def _convert(
    files: ModelFolder,
    options: PrepareOptions,
    result: tuple[Path, int, Mapping[str, object]],
    on_progress: OnProgress,
) -> None:
    """Write the first of `result`, all or nothing; the others are its expected bytes and the worker's task."""
    out, expected, details = result
    if options.converter is None:
        raise UnsupportedModel(
            "Hugging Face weights are converted before they are served, and the converter is not installed. "
            "Run `openfm convert install` once on the server."
        )
    with _scratch(out.parent, expected) as scratch:
        folder = await asyncio.to_thread(stage, files, scratch / "model")
        conversion = Conversion(folder, scratch / out.name, scratch, expected, details)
        await convert(options.converter, conversion, on_progress)
        # What the engine reads next is judged like a file from outside.
        await asyncio.to_thread(read_header, conversion.out)
        await asyncio.to_thread(keep_digest, conversion.out)
        digest_file(conversion.out).replace(digest_file(out))
        conversion.out.replace(out)


@contextmanager
def _scratch(out_dir: Path, expected: int) -> Iterator[Path]:
    out_dir.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(out_dir).free
    if free < expected:
        raise Unavailable(
            f"The conversion needs {expected} bytes in {out_dir}, where {free} are free. Make room and try again.",
            retry_after_s=60,
        )
    scratch = Path(tempfile.mkdtemp(prefix=SCRATCH_PREFIX, dir=out_dir))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


async def _servable(folder: Path, options: PrepareOptions) -> ModelFolder:
    return servable_part(await asyncio.to_thread(ModelFolder, folder, options.links_into))
