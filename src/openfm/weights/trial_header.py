"""The header of a tokenizer's trial model: one name of a way to cut text can be written in the place of another.

Apart from `tokenizer_trial.py`, which loads llama.cpp: the server's own process never does.
"""

import struct

PLACEHOLDER = "default"
_WIDTH = 64
_KEY, _PADDING = "tokenizer.ggml.pre", "openfm.padding"
_STRING = 8
# llama.cpp's names, one for each way that differs from the others, the commonest first (src/llama-vocab.cpp).
NAMES = (
    "llama-bpe", "gpt-2", "qwen2", "gpt-4o", "tekken", "smollm", "dbrx", "mpt", "olmo", "stablelm2", "smaug-bpe",
    "deepseek-v3", "deepseek-llm", "deepseek-coder", "deepseek-r1-qwen", "falcon", "falcon3", "starcoder", "refact",
    "command-r", "llama4", "pixtral", "chatglm-bpe", "glm4", "poro-chat", "bloom", "viking", "gpt3-finnish", "jais",
    "codeshell", "exaone", "exaone4", "chameleon", "minerva-7b", "megrez", "superbpe", "trillion", "bailingmoe",
    "seed-coder", "hunyuan", "kimi-k2", "grok-2", "afmoe", "minimax-m2", "gigachat", "phi-2", "roberta-bpe", "lfm2",
    "qwen35", "granite-docling", "youtu", "solar-open", "modern-bert", "jina-v2-code", "bert-bge", "default",
)  # fmt: skip


def padding(name: str) -> str:
    """What follows `name` in the header, so that every name takes as much of it."""
    return "x" * (_WIDTH - len(name.encode()))


def named(model: bytes, name: str) -> bytes:
    """The trial model with `name` in the place of the placeholder. Raises ValueError for another file."""
    if model.count(_block(PLACEHOLDER)) != 1:
        raise ValueError("no trial model")
    return model.replace(_block(PLACEHOLDER), _block(name))


def _block(name: str) -> bytes:
    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    kind = struct.pack("<I", _STRING)
    return text(_KEY) + kind + text(name) + text(_PADDING) + kind + text(padding(name))
