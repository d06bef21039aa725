"""Facts about a folder with an ONNX embedding model."""

from typing import Any

from openfm.core.model import Task
from openfm.weights.errors import CorruptModel, UnsupportedModel
from openfm.weights.facts import ModelFacts, ModelFormat
from openfm.weights.folder import ModelFolder, shown
from openfm.weights.hugging_face import embedding_traits, refuse_remote_code
from openfm.weights.onnx_graph import read_graph

TOKENIZER = "tokenizer.json"
_SHORT_CONTEXT = 512
_LARGEST = 10_000_000


def weights_name(folder: ModelFolder) -> str:
    """The ONNX file to serve: `model.onnx`, or the only one. Raises `UnsupportedModel` for several others."""
    for under in ("", "onnx/"):
        names = folder.ending(".onnx", under)
        if f"{under}model.onnx" in names:
            return f"{under}model.onnx"
        if len(names) == 1:
            return names[0]
        if names:
            raise UnsupportedModel(f"There are {len(names)} ONNX files. Call the one that is to be served model.onnx.")
    raise UnsupportedModel("There is no ONNX file. Add model.onnx.")


def inspect_onnx(folder: ModelFolder) -> ModelFacts:
    """See `inspection.inspect`."""
    name = weights_name(folder)
    if TOKENIZER not in folder.files:
        raise CorruptModel(f"{TOKENIZER} is missing. Add the tokenizer of the model.")
    refuse_remote_code(folder)
    graph = read_graph(folder.files[name])
    prefix = name[: name.rfind("/") + 1]
    missing = [file for file in sorted(graph.external_files) if prefix + file not in folder.files]
    if missing:
        raise CorruptModel(f"{name} keeps weights in {shown(missing[0])}, which is missing. Upload it too.")
    config = folder.json("config.json")
    dimension = _number(config, "hidden_size") or graph.output_dimension
    if dimension is None:
        raise UnsupportedModel("The dimension of the embedding is not known. Add config.json with hidden_size.")
    sizes = [folder.size(name), *(folder.size(prefix + file) for file in sorted(graph.external_files))]
    model_type = config.get("model_type")
    return ModelFacts(
        format=ModelFormat.ONNX,
        architecture=_architecture(config),
        model_type="bge" if model_type in {None, "bert"} else shown(model_type),
        task=Task.EMBEDDINGS,
        context_length=_context_length(folder, config),
        parameters=graph.parameters,
        weight_bytes=sum(sizes),
        kv_bytes_per_token=0,
        embedding=embedding_traits(folder, dimension),
    )


def _architecture(config: dict[str, Any]) -> str:
    architectures = config.get("architectures")
    return shown(architectures[0]) if isinstance(architectures, list) and architectures else "ONNX"


def _context_length(folder: ModelFolder, config: dict[str, Any]) -> int:
    """What sentence-transformers cuts at, what the positions allow; 512 where nobody says."""
    said = [
        _number(folder.json("sentence_bert_config.json"), "max_seq_length"),
        _number(config, "max_position_embeddings"),
    ]
    return min((length for length in said if length), default=_SHORT_CONTEXT)


def _number(config: dict[str, Any], name: str) -> int | None:
    value = config.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _LARGEST:
        raise CorruptModel(f"{name} must be a number from 1 to {_LARGEST}, not {shown(value)}. Correct it.")
    return value
