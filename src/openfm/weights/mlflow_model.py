"""MLflow models of the transformers flavor: which of their files are the weights, and what they were logged for."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import yaml

from openfm.core.model import Task
from openfm.weights.errors import CorruptModel, UnsupportedModel
from openfm.weights.facts import ModelFacts
from openfm.weights.folder import ModelFolder, shown
from openfm.weights.hugging_face import inspect_hugging_face, weight_names

MLMODEL = "MLmodel"
_MOST_BYTES = 256 * 1024
_DEEPEST = 32
_WEIGHTS, _TOKENIZER, _ADAPTER = "model/", "components/tokenizer/", "peft/"


def servable_part(folder: ModelFolder) -> ModelFolder:
    """The folder as its engine or converter wants it: itself, or an MLflow model's weights beside their tokenizer."""
    if MLMODEL not in folder.files:
        return folder
    has_weights = any(name.startswith(_WEIGHTS) for name in folder.files)
    return folder.merged(_TOKENIZER, _WEIGHTS) if has_weights else folder.merged(_ADAPTER)


def inspect_mlflow(folder: ModelFolder, inspect_files: Callable[[ModelFolder], ModelFacts]) -> ModelFacts:
    """Facts about a folder with an `MLmodel` file; `inspect_files` judges what is no Hugging Face model."""
    described = _described(folder)
    flavor = _mapping(_mapping(described.get("flavors")).get("transformers"))
    if not flavor:
        raise UnsupportedModel("MLmodel has no transformers flavor. Log the model with mlflow.transformers.log_model.")
    task = _task(described, flavor)
    part = servable_part(folder)
    if not part.files:
        raise UnsupportedModel("The MLflow model holds no weights. Log it again with save_pretrained=True.")
    if any(name.startswith(_ADAPTER) for name in folder.files) and weight_names(part):
        raise UnsupportedModel("The MLflow model is an adapter with its base. Merge it with merge_and_unload first.")
    if weight_names(part):
        return inspect_hugging_face(part, task)
    return inspect_files(part)


def _described(folder: ModelFolder) -> Mapping[str, Any]:
    text = folder.text(MLMODEL, _MOST_BYTES)
    try:
        _check_depth(text)
        return _mapping(yaml.load(text, Loader=yaml.CSafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise CorruptModel(f"MLmodel is not YAML: {shown(error)}. Log the model again.") from error


def _check_depth(text: str) -> None:
    """Raises ValueError. PyYAML's loader in C calls itself for each level, and ends the process at some 10,000."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            raise ValueError(f"it is nested deeper than {_DEEPEST} levels")


def _task(described: Mapping[str, Any], flavor: Mapping[str, Any]) -> Task:
    said = _mapping(described.get("metadata")).get("task") or flavor.get("inference_task") or flavor.get("task")
    try:
        return Task(str(said))
    except ValueError as error:
        raise UnsupportedModel(
            f"MLmodel's metadata.task is {shown(said)}. Log the model with one of: {', '.join(Task)}."
        ) from error


def _mapping(value: object) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], value) if isinstance(value, dict) else {}
