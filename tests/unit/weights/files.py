"""Makes model files, whole or broken, byte by byte."""

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

_STRING, _ARRAY, _U32, _F32 = 8, 9, 4, 6

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

LLAMA_KEYS: Mapping[str, object] = {
    "general.architecture": "llama",
    "llama.context_length": 128,
    "llama.embedding_length": 64,
    "llama.block_count": 2,
    "llama.attention.head_count": 4,
    "llama.attention.head_count_kv": 2,
    "tokenizer.ggml.tokens": ["a", "b", "c"],
    "tokenizer.chat_template": CHATML,
}


def text(value: str | bytes) -> bytes:
    raw = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(raw)) + raw


def key_value(key: str | bytes, value: object) -> bytes:
    return text(key) + _typed(value)


def _typed(value: object) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", _STRING) + text(value)
    if isinstance(value, float):
        return struct.pack("<If", _F32, value)
    if isinstance(value, int):
        return struct.pack("<II", _U32, value)
    if isinstance(value, list):
        items = value
        if all(isinstance(item, str) for item in items):
            return struct.pack("<IIQ", _ARRAY, _STRING, len(items)) + b"".join(text(item) for item in items)
        return struct.pack("<IIQ", _ARRAY, _U32, len(items)) + b"".join(struct.pack("<I", item) for item in items)
    raise TypeError(value)


def tensor(name: str, shape: Sequence[int], offset: int, kind: int = 0) -> bytes:
    return text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}QIQ", *shape, kind, offset)


def gguf(
    keys: Mapping[str, object] = LLAMA_KEYS,
    tensors: Sequence[bytes] = (tensor("token_embd.weight", (64, 3), 0),),
    data: bytes = b"\0" * 768,
    counts: tuple[int, int] | None = None,
) -> bytes:
    """A GGUF file; `counts` are what its header claims, where that differs from the truth."""
    num_tensors, num_keys = counts or (len(tensors), len(keys))
    header = b"GGUF" + struct.pack("<IQQ", 3, num_tensors, num_keys)
    header += b"".join(key_value(key, value) for key, value in keys.items()) + b"".join(tensors)
    return header + b"\0" * (-len(header) % 32) + data


def safetensors(tensors: Mapping[str, Sequence[int]]) -> bytes:
    """A safetensors file of 16-bit zeros."""
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in tensors.items():
        size = 2
        for length in shape:
            size *= length
        entries[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    return raw_safetensors(json.dumps(entries).encode(), b"\0" * end)


def raw_safetensors(header: bytes, data: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header + data


def llama_config(**changes: object) -> dict[str, object]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": 64,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "num_hidden_layers": 2,
        "max_position_embeddings": 128,
    } | changes


def write_llama(folder: Path, **changes: object) -> Path:
    """A Hugging Face folder of a Llama, with a chat template."""
    folder.mkdir(exist_ok=True, parents=True)
    (folder / "config.json").write_text(json.dumps(llama_config(**changes)))
    (folder / "model.safetensors").write_bytes(safetensors({"embed": (3, 64), "head": (3, 64)}))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": CHATML, "eos_token": "</s>"}))
    return folder


def field(number: int, payload: bytes | int) -> bytes:
    """A protobuf field."""
    if isinstance(payload, int):
        return varint(number << 3) + varint(payload)
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def onnx(*parts: bytes, domain: bytes = b"") -> bytes:
    """An ONNX model whose graph has these fields, and one initial tensor of 4 x 8."""
    weights = field(5, field(1, 4) + field(1, 8) + field(2, 1) + field(9, b"\0" * 128))
    shape = field(2, field(1, field(2, b"batch")) + field(1, field(1, 8)))
    output = field(12, field(1, b"out") + field(2, field(1, shape)))
    return field(1, 8) + field(7, weights + output + b"".join(parts)) + field(8, field(1, domain) + field(2, 17))
