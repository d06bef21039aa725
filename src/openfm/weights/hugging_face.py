"""Facts about a Hugging Face folder: config.json, safetensors, tokenizer; and about a LoRA adapter of peft's."""

from collections.abc import Mapping
from typing import Any

from openfm.core.model import EmbeddingTraits, Pooling, Task
from openfm.weights.architectures import BYTES_PER_CACHED_VALUE, HUGGING_FACE, family
from openfm.weights.chat_template import NO_TEMPLATE, SpecialTokens, try_template
from openfm.weights.errors import CorruptModel, RefusedModel, UnsupportedModel
from openfm.weights.facts import ModelFacts, ModelFormat
from openfm.weights.folder import ModelFolder, is_plain_name, shown
from openfm.weights.safetensors_header import SafetensorsHeader, read_header

ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
WEIGHT_INDEX = "model.safetensors.index.json"
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.txt", "vocab.json")
_SPECIAL = ("bos_token", "eos_token", "pad_token", "unk_token")
_POOLINGS = {
    "pooling_mode_cls_token": Pooling.CLS,
    "pooling_mode_mean_tokens": Pooling.MEAN,
    "pooling_mode_lasttoken": Pooling.LAST,
}
_LARGEST = 10_000_000


def weight_names(folder: ModelFolder) -> tuple[str, ...]:
    """The safetensors files of the model itself."""
    return tuple(name for name in folder.ending(".safetensors") if name != ADAPTER_WEIGHTS)


def inspect_hugging_face(folder: ModelFolder, task: Task | None = None) -> ModelFacts:
    """See `inspection.inspect`. `task` is what the folder was logged for, where somebody said so."""
    config = folder.json("config.json")
    architecture = _architecture(config)
    kind = family(architecture, HUGGING_FACE)
    refuse_remote_code(folder)
    if "quantization_config" in config:
        raise UnsupportedModel("The weights are quantised already. Give the original weights; choose q8_0 on import.")
    if not any(name in folder.files for name in _TOKENIZERS):
        raise CorruptModel(f"The tokenizer is missing. Add one of: {', '.join(_TOKENIZERS)}.")
    weights = used_weights(folder).values()
    template, tokens = chat_template(folder)
    traits = embedding_traits(folder, _number(config, "hidden_size")) if kind.task is Task.EMBEDDINGS else None
    if task is Task.EMBEDDINGS and traits is None:
        raise UnsupportedModel(f"{architecture} makes no embeddings. Log it with the task llm/v1/chat or completions.")
    caps = try_template(template, tokens) if template and traits is None else NO_TEMPLATE
    return ModelFacts(
        format=ModelFormat.HUGGING_FACE,
        architecture=architecture,
        model_type=kind.model_type,
        task=kind.task or task or (Task.CHAT if template else Task.COMPLETIONS),
        context_length=_number(config, "max_position_embeddings", "max_seq_len"),
        parameters=sum(header.parameters for header in weights),
        weight_bytes=sum(header.weight_bytes for header in weights),
        kv_bytes_per_token=0 if traits else _kv_bytes_per_token(config),
        chat_template=template,
        embedding=traits,
        has_function_calling=caps.has_tools,
    )


def inspect_adapter(folder: ModelFolder) -> ModelFacts:
    """Facts about a LoRA adapter; what only its base knows is zero."""
    config = folder.json(ADAPTER_CONFIG)
    base = config.get("base_model_name_or_path")
    if config.get("peft_type") != "LORA" or config.get("use_dora"):
        raise UnsupportedModel(
            "Of adapters, plain LoRA is the only kind served. Merge it into its base and import that."
        )
    if not isinstance(base, str) or not base:
        raise CorruptModel(f"{ADAPTER_CONFIG} does not name its base_model_name_or_path. Add it.")
    if ADAPTER_WEIGHTS not in folder.files:
        raise RefusedModel(f"{ADAPTER_WEIGHTS} is missing; pickled weights are not read. Save it as safetensors.")
    header = read_header(folder.files[ADAPTER_WEIGHTS])
    return ModelFacts(
        ModelFormat.HUGGING_FACE, "LoRA", "lora", Task.CHAT, 0, header.parameters, header.weight_bytes, 0,
        adapter_of=base,
    )  # fmt: skip


def refuse_remote_code(folder: ModelFolder) -> None:
    """Raises `RefusedModel` where a configuration asks for code that came with the model."""
    for name in ("config.json", "tokenizer_config.json"):
        if {"auto_map", "trust_remote_code"} & folder.json(name).keys():
            raise RefusedModel(
                f"{name} has `auto_map` or `trust_remote_code`: it asks to run code from the folder. Remove that entry "
                "if transformers knows the model without it."
            )


def chat_template(folder: ModelFolder) -> tuple[str | None, SpecialTokens]:
    """The template and the special tokens that it may name. Raises `CorruptModel`."""
    config = folder.json("tokenizer_config.json")
    tokens = {name: text for name in _SPECIAL if (text := _token(config.get(name)))}
    if "chat_template.jinja" in folder.files:
        return folder.text("chat_template.jinja"), SpecialTokens(tokens)
    template = config.get("chat_template") or folder.json("chat_template.json").get("chat_template")
    if isinstance(template, list):
        named = {item.get("name"): item.get("template") for item in template if isinstance(item, dict)}
        template = named.get("default") or next(iter(named.values()), None)
    if template is not None and not isinstance(template, str):
        raise CorruptModel("tokenizer_config.json: chat_template must be text. Save the tokenizer again.")
    return template or None, SpecialTokens(tokens)


def embedding_traits(folder: ModelFolder, dimension: int) -> EmbeddingTraits:
    """As sentence-transformers keeps them; without its files, a BERT's first token, normalised, as BGE has it."""
    pooling = folder.json("1_Pooling/config.json")
    chosen = [value for key, value in _POOLINGS.items() if pooling.get(key) is True]
    if not pooling:
        return EmbeddingTraits(dimension, Pooling.CLS, is_normalized=True)
    if len(chosen) != 1:
        raise UnsupportedModel(
            "1_Pooling/config.json must choose one of: mean, cls or last token. Others are not served."
        )
    is_normalized = any(name.startswith("2_Normalize") for name in folder.files) or "Normalize" in _modules(folder)
    return EmbeddingTraits(dimension, chosen[0], is_normalized)


def _modules(folder: ModelFolder) -> str:
    return folder.text("modules.json") if "modules.json" in folder.files else ""


def _architecture(config: Mapping[str, Any]) -> str:
    architectures = config.get("architectures")
    if not isinstance(architectures, list) or not architectures or not isinstance(architectures[0], str):
        raise CorruptModel("config.json does not name its architectures. Save the model again with save_pretrained.")
    return str(architectures[0])


def used_weights(folder: ModelFolder) -> Mapping[str, SafetensorsHeader]:
    """The files that make up the model, with their headers; each holds what the index says. Raises `CorruptModel`."""
    headers = {name: read_header(folder.files[name]) for name in weight_names(folder)}
    index = folder.json(WEIGHT_INDEX).get("weight_map") if WEIGHT_INDEX in folder.files else None
    if index is None and len(headers) > 1 and "model.safetensors" not in headers:
        raise CorruptModel(f"There are {len(headers)} safetensors files and no {WEIGHT_INDEX}. Add it.")
    if index is not None:
        if not isinstance(index, dict):
            raise CorruptModel(f"{WEIGHT_INDEX}: weight_map must be an object. Save the model again.")
        for tensor, shard in index.items():
            if not is_plain_name(shard) or shard not in headers or tensor not in headers[shard].shapes:
                raise CorruptModel(
                    f"{WEIGHT_INDEX}: {shown(tensor)} is not in {shown(shard)}. Upload all files of the model."
                )
    elif "model.safetensors" in headers:
        headers = {"model.safetensors": headers["model.safetensors"]}
    return headers if index is None else {name: headers[name] for name in sorted(set(index.values()))}


def _kv_bytes_per_token(config: Mapping[str, Any]) -> int:
    width = _number(config, "hidden_size", "d_model")
    heads = _number(config, "num_attention_heads", "n_heads")
    layers = _number(config, "num_hidden_layers", "n_layers")
    attention = config.get("attn_config")
    sources = {**attention, **config} if isinstance(attention, dict) else config
    shared = sources.get("num_key_value_heads") or sources.get("kv_n_heads") or heads
    head = config.get("head_dim") or width // heads
    cached = _number({"heads": shared}, "heads") * _number({"head": head}, "head")
    return 2 * layers * cached * BYTES_PER_CACHED_VALUE


def _number(config: Mapping[str, Any], *names: str) -> int:
    value = next((config[name] for name in names if config.get(name) is not None), None)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _LARGEST:
        raise CorruptModel(
            f"config.json: {' or '.join(names)} must be a number from 1 to {_LARGEST}, not {shown(value)}. Correct it."
        )
    return value


def _token(value: object) -> str | None:
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) else None
