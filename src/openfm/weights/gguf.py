"""Facts about a folder with one GGUF model."""

import re

from openfm.core.model import EmbeddingTraits, Pooling, Task
from openfm.weights.architectures import BYTES_PER_CACHED_VALUE, GGUF, Family, family
from openfm.weights.chat_template import NO_TEMPLATE, try_template
from openfm.weights.errors import CorruptModel, UnsupportedModel
from openfm.weights.facts import ModelFacts, ModelFormat
from openfm.weights.folder import ModelFolder
from openfm.weights.gguf_header import GgufHeader, read_header

_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")
_POOLINGS = {1: Pooling.MEAN, 2: Pooling.CLS, 3: Pooling.LAST}
_LONGEST_CONTEXT = 2**31 - 1


def weights_name(folder: ModelFolder) -> str:
    """The file to hand to the engine: the only one, or the first of a split model.

    Raises `UnsupportedModel` for several models in one folder, `CorruptModel` for parts that are missing.
    """
    names = folder.ending(".gguf")
    if len(names) == 1 and not _PART.fullmatch(names[0]):
        return names[0]
    parts = [_PART.fullmatch(name) for name in names]
    first = parts[0]
    if first is None or len({part and (part["stem"], part["count"]) for part in parts}) != 1:
        raise UnsupportedModel(f"There are {len(names)} GGUF files. Keep the one that is to be served.")
    if [int(part["number"]) for part in parts if part] != list(range(1, int(first["count"]) + 1)):
        raise CorruptModel(f"{len(names)} of the {int(first['count'])} parts are there. Upload all of them.")
    return names[0]


def inspect_gguf(folder: ModelFolder) -> ModelFacts:
    """See `inspection.inspect`."""
    first = weights_name(folder)
    parts = [read_header(folder.files[name]) for name in folder.ending(".gguf")]
    header = read_header(folder.files[first]) if len(parts) != 1 else parts[0]
    architecture = header.text("general.architecture")
    if not architecture:
        raise CorruptModel("The GGUF key general.architecture is missing. Convert the model again.")
    kind = family(architecture, GGUF)
    parameters, weight_bytes = sum(part.parameters for part in parts), sum(part.weight_bytes for part in parts)
    if header.text("general.type") == "adapter":
        return _adapter(header, architecture, kind, weight_bytes)
    template = header.text("tokenizer.chat_template")
    traits = _embedding(header, architecture, kind)
    caps = try_template(template) if template and traits is None else NO_TEMPLATE
    return ModelFacts(
        format=ModelFormat.GGUF,
        architecture=architecture,
        model_type=_model_type(header, architecture, kind),
        task=Task.EMBEDDINGS if traits else Task.CHAT if template else Task.COMPLETIONS,
        context_length=_context_length(header, architecture),
        parameters=parameters,
        weight_bytes=weight_bytes,
        kv_bytes_per_token=0 if traits else _kv_bytes_per_token(header, architecture),
        chat_template=template,
        embedding=traits,
        has_function_calling=caps.has_tools,
    )


def _adapter(header: GgufHeader, architecture: str, kind: Family, weight_bytes: int) -> ModelFacts:
    if header.text("adapter.type") != "lora":
        raise UnsupportedModel("Of GGUF adapters, LoRA is the only kind served. Train a LoRA adapter.")
    base = header.text("general.base_model.0.repo_url") or header.text("general.base_model.0.name") or ""
    return ModelFacts(
        ModelFormat.GGUF, architecture, kind.model_type, Task.CHAT, 0, header.parameters, weight_bytes, 0,
        adapter_of=base.removeprefix("https://huggingface.co/"),
    )  # fmt: skip


def _model_type(header: GgufHeader, architecture: str, kind: Family) -> str:
    """Mistral's models call themselves "llama" in GGUF files; experts and names tell."""
    if architecture != "llama":
        return kind.model_type
    names = " ".join(header.text(key) or "" for key in ("general.name", "general.basename")).lower()
    if "mixtral" in names or header.number("llama.expert_count", 0) > 0:
        return "mixtral"
    return "mistral" if "mistral" in names else kind.model_type


def _context_length(header: GgufHeader, architecture: str) -> int:
    length = header.number(f"{architecture}.context_length")
    if not 1 <= length <= _LONGEST_CONTEXT:
        raise CorruptModel(f"The GGUF key {architecture}.context_length cannot be {length}. Convert the model again.")
    return length


def _embedding(header: GgufHeader, architecture: str, kind: Family) -> EmbeddingTraits | None:
    pooling = header.number(f"{architecture}.pooling_type", 0)
    if not pooling and kind.task is not Task.EMBEDDINGS:
        return None
    if pooling and pooling not in _POOLINGS:
        raise UnsupportedModel(f"Pooling type {pooling} is a re-ranker's, which is not served. Use an embedding model.")
    dimension = header.number(f"{architecture}.embedding_length")
    return EmbeddingTraits(dimension, _POOLINGS.get(pooling, Pooling.MEAN), is_normalized=True)


def _kv_bytes_per_token(header: GgufHeader, architecture: str) -> int:
    def number(key: str, default: int | None = None) -> int:
        return header.number(f"{architecture}.{key}", default)

    layers, width = number("block_count"), number("embedding_length")
    heads = _largest(header, f"{architecture}.attention.head_count", 1)
    head = width // max(heads, 1)
    values = number("attention.key_length", head) + number("attention.value_length", head)
    cached = _sum(header, f"{architecture}.attention.head_count_kv", heads, layers)
    return cached * values * BYTES_PER_CACHED_VALUE


def _per_layer(header: GgufHeader, key: str) -> list[int] | None:
    value = header.metadata.get(key)
    if not isinstance(value, tuple):
        return None
    layers = [item for item in value if isinstance(item, int) and item >= 0]
    if len(layers) != len(value) or not layers:
        raise CorruptModel(f"The GGUF key {key} must hold whole numbers. Convert the model again.")
    return layers


def _largest(header: GgufHeader, key: str, default: int) -> int:
    layers = _per_layer(header, key)
    return max(layers) if layers else header.number(key, default)


def _sum(header: GgufHeader, key: str, default: int, num_layers: int) -> int:
    layers = _per_layer(header, key)
    return sum(layers) if layers else header.number(key, default) * num_layers
