"""Looks at the files of a model version without running anything of them, and without any native code."""

from pathlib import Path

from openfm.weights.errors import RefusedModel, UnsupportedModel
from openfm.weights.facts import ModelFacts
from openfm.weights.folder import ModelFolder
from openfm.weights.gguf import inspect_gguf
from openfm.weights.hugging_face import ADAPTER_CONFIG, inspect_adapter, inspect_hugging_face, weight_names
from openfm.weights.mlflow_model import MLMODEL, inspect_mlflow
from openfm.weights.onnx import inspect_onnx

_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".msgpack", ".h5", ".joblib")


def inspect(folder: Path, links_into: Path | None = None) -> ModelFacts:
    """The facts about the one model version whose files are in `folder`.

    Links are followed inside the folder and into `links_into` only. Raises `CorruptModel`, `RefusedModel` or
    `UnsupportedModel`, each with what to do. Reads headers and small files; blocks for up to about a second.
    """
    files = ModelFolder(folder, links_into)
    if MLMODEL in files.files:
        return inspect_mlflow(files, inspect_files)
    return inspect_files(files)


def inspect_files(folder: ModelFolder) -> ModelFacts:
    """The facts about a folder that is no MLflow model. Raises as `inspect`."""
    if folder.ending(".gguf"):
        return inspect_gguf(folder)
    if weight_names(folder) and "config.json" in folder.files:
        return inspect_hugging_face(folder)
    if ADAPTER_CONFIG in folder.files:
        return inspect_adapter(folder)
    if folder.ending(".onnx") or folder.ending(".onnx", "onnx/"):
        return inspect_onnx(folder)
    pickles = [name for name in folder.files if name.endswith(_PICKLES)]
    if pickles:
        raise RefusedModel(
            f"{pickles[0]} is a pickle, which runs code when it is read. Save the weights as safetensors: "
            "`model.save_pretrained(folder, safe_serialization=True)`."
        )
    raise UnsupportedModel(
        "There is no model here. Give one GGUF file, or config.json with *.safetensors and a tokenizer, or an ONNX "
        "embedding model with tokenizer.json, or an MLflow model of the transformers flavor."
    )
