"""Corrupt and hostile files: refused with the reason, soon."""

import json
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openfm.weights.errors import CorruptModel, RefusedModel, UnsupportedModel
from openfm.weights.inspection import inspect
from openfm.weights.onnx_graph import read_graph
from tests.unit.weights.files import (
    LLAMA_KEYS,
    field,
    gguf,
    key_value,
    onnx,
    raw_safetensors,
    safetensors,
    tensor,
    text,
    varint,
    write_llama,
)

HUGE = 2**63
LIMIT_S = 1.0
HEAD = b"GGUF" + struct.pack("<I", 3)


@contextmanager
def soon() -> Iterator[None]:
    began = time.process_time()
    yield
    assert time.process_time() - began < LIMIT_S


HOSTILE_GGUF = {
    "empty": b"",
    "other magic": b"GGML" + b"\0" * 100,
    "header cut off": gguf()[:100],
    "data cut off": gguf()[:-1],
    "tensors without number": gguf(counts=(HUGE, 0)),
    "keys without number": gguf(counts=(0, HUGE)),
    "key of 2**63 bytes": HEAD + struct.pack("<QQQ", 0, 1, HUGE),
    "string of 2**63 bytes": HEAD + struct.pack("<QQ", 0, 1) + text("a") + struct.pack("<IQ", 8, HUGE),
    "array of 2**63 items": HEAD + struct.pack("<QQ", 0, 1) + text("a") + struct.pack("<IIQ", 9, 8, HUGE),
    "array of arrays": HEAD + struct.pack("<QQ", 0, 1) + text("a") + struct.pack("<IIQ", 9, 9, 1),
    "number array beyond the end": HEAD + struct.pack("<QQ", 0, 1) + text("a") + struct.pack("<IIQ", 9, 10, 1_000_000),
    "value of unknown type": HEAD + struct.pack("<QQ", 0, 1) + text("a") + struct.pack("<I", 99),
    "key not UTF-8": HEAD + struct.pack("<QQ", 0, 1) + key_value(b"\xff\xfe", 1),
    "value not UTF-8": HEAD + struct.pack("<QQ", 0, 1) + text("a") + struct.pack("<I", 8) + text(b"\xff"),
    "key twice": HEAD + struct.pack("<QQ", 0, 2) + key_value("a", 1) + key_value("a", 1),
    "offset past the end": gguf(tensors=[tensor("t", (64, 3), 32 * 1024)]),
    "offset of 2**63": gguf(tensors=[tensor("t", (64, 3), HUGE)]),
    "offset not aligned": gguf(tensors=[tensor("t", (64,), 7)]),
    "tensors overlap": gguf(tensors=[tensor("t", (64, 3), 0), tensor("u", (64,), 32)]),
    "tensor twice": gguf(tensors=[tensor("t", (8,), 0), tensor("t", (8,), 32)]),
    "shape overflows": gguf(tensors=[tensor("t", (2**32, 2**32, 2**32), 0)]),
    "empty shape": gguf(tensors=[tensor("t", (0,), 0)]),
    "shape not whole blocks": gguf(tensors=[tensor("t", (31,), 0, kind=8)]),
    "nine dimensions": gguf(tensors=[tensor("t", (1,) * 9, 0)]),
    "long tensor name": gguf(tensors=[tensor("t" * 64, (8,), 0)]),
    "alignment zero": gguf({**LLAMA_KEYS, "general.alignment": 0}),
    "no architecture": gguf({"a": 1}),
    "architecture is a number": gguf({"general.architecture": 1}),
    "context length NaN": gguf({**LLAMA_KEYS, "llama.context_length": float("nan")}),
    "context length zero": gguf({**LLAMA_KEYS, "llama.context_length": 0}),
    "heads are text": gguf({**LLAMA_KEYS, "llama.attention.head_count": "four"}),
    "heads a list of text": gguf({**LLAMA_KEYS, "llama.attention.head_count_kv": ["x"]}),
}


@pytest.mark.parametrize("name", HOSTILE_GGUF)
def test_hostile_gguf(tmp_path: Path, name: str) -> None:
    (tmp_path / "model.gguf").write_bytes(HOSTILE_GGUF[name])
    with soon(), pytest.raises(CorruptModel):
        inspect(tmp_path)


def test_the_largest_arrays_of_strings_are_read_soon(tmp_path: Path) -> None:
    count = 1_500_000
    head = HEAD + struct.pack("<QQ", 0, 1) + text("a") + struct.pack("<IIQ", 9, 8, count)
    (tmp_path / "model.gguf").write_bytes(head + struct.pack("<Q", 0) * count)
    with soon(), pytest.raises(CorruptModel, match=r"general\.architecture"):
        inspect(tmp_path)


@pytest.mark.parametrize("version", [1, 4, 3 << 24])
def test_other_gguf_versions_and_byte_orders_are_named(tmp_path: Path, version: int) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF" + struct.pack("<IQQ", version, 0, 0))
    with pytest.raises(UnsupportedModel, match=f"version {version}"):
        inspect(tmp_path)


def entry(dtype: object = "F16", shape: object = (4,), offsets: object = (0, 8)) -> bytes:
    return json.dumps({"t": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}).encode()


HOSTILE_SAFETENSORS = {
    "empty": b"",
    "header of 2**63 bytes": struct.pack("<Q", HUGE) + b"{}",
    "header cut off": safetensors({"t": (4,)})[:20],
    "data cut off": safetensors({"t": (4,)})[:-1],
    "more data": safetensors({"t": (4,)}) + b"\0",
    "not JSON": raw_safetensors(b"{" * 50, b""),
    "nested without end": raw_safetensors(b'{"a":' * 100_000, b""),
    "a list": raw_safetensors(b"[]", b""),
    "name not UTF-8": raw_safetensors(b'{"\xff": {}}', b""),
    "number type a number": raw_safetensors(entry(dtype=1), b"\0" * 8),
    "shape negative": raw_safetensors(entry(shape=(-4,)), b"\0" * 8),
    "shape overflows": raw_safetensors(entry(shape=(2**40, 2**40)), b"\0" * 8),
    "shape of 2**63": raw_safetensors(entry(shape=(HUGE,)), b"\0" * 8),
    "shape not a number": raw_safetensors(entry(shape=("x",)), b"\0" * 8),
    "offsets NaN": raw_safetensors(b'{"t":{"dtype":"F16","shape":[4],"data_offsets":[NaN,8]}}', b"\0" * 8),
    "offsets past the end": raw_safetensors(entry(offsets=(0, 80)), b"\0" * 8),
    "offsets backwards": raw_safetensors(entry(offsets=(8, 0)), b"\0" * 8),
    "hole before": raw_safetensors(entry(shape=(3,), offsets=(2, 8)), b"\0" * 8),
    "no offsets": raw_safetensors(b'{"t":{"dtype":"F16","shape":[4]}}', b"\0" * 8),
}


@pytest.mark.parametrize("name", HOSTILE_SAFETENSORS)
def test_hostile_safetensors(tmp_path: Path, name: str) -> None:
    write_llama(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(HOSTILE_SAFETENSORS[name])
    with soon(), pytest.raises(CorruptModel):
        inspect(tmp_path)


def test_overlapping_safetensors(tmp_path: Path) -> None:
    write_llama(tmp_path)
    one = {"dtype": "F16", "shape": [4], "data_offsets": [0, 8]}
    (tmp_path / "model.safetensors").write_bytes(raw_safetensors(json.dumps({"t": one, "u": one}).encode(), b"\0" * 8))
    with pytest.raises(CorruptModel, match="neighbours"):
        inspect(tmp_path)


@pytest.mark.parametrize(
    "config",
    [
        b"\xff",
        b"[]",
        b"{",
        b"[" * 100_000,
        b'{"a": NaN}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b"{}",
        json.dumps({"architectures": []}).encode(),
        json.dumps({"architectures": [{}]}).encode(),
        b" " * 5_000_000,
    ],
)
def test_hostile_config(tmp_path: Path, config: bytes) -> None:
    write_llama(tmp_path)
    (tmp_path / "config.json").write_bytes(config)
    with soon(), pytest.raises(CorruptModel):
        inspect(tmp_path)


@pytest.mark.parametrize("value", [0, -1, 2**63, 1e3, "four", True, [1]])
@pytest.mark.parametrize("name", ["max_position_embeddings", "num_hidden_layers", "num_key_value_heads", "head_dim"])
def test_impossible_sizes_are_named(tmp_path: Path, name: str, value: object) -> None:
    if value == 0 and name in {"num_key_value_heads", "head_dim"}:
        pytest.skip("0 stands for the default there")
    with pytest.raises(CorruptModel, match="must be a number"):
        inspect(write_llama(tmp_path, **{name: value}))


def node_in(domain: bytes) -> bytes:
    return field(1, field(7, domain))


def nested(depth: int) -> bytes:
    graph = b""
    for _ in range(depth):
        graph = field(1, field(5, field(6, graph)))
    return graph


def outside(location: bytes) -> bytes:
    return field(5, field(1, 4) + field(13, field(1, b"location") + field(2, location)) + field(14, 1))


HOSTILE_ONNX = {
    "empty": b"",
    "not protobuf": b"\xff" * 100,
    "cut off": onnx()[:-5],
    "no graph": field(1, 8),
    "field beyond the end": varint(7 << 3 | 2) + varint(HUGE),
    "number without end": b"\x38" + b"\xff" * 20,
    "nested without end": onnx(nested(100)),
    "shape overflows": onnx(field(5, field(1, 2**40) + field(1, 2**40))),
    "shape negative": onnx(field(5, field(1, 2**64 - 1))),
    "nine dimensions": onnx(field(5, field(1, 1) * 9)),
    "weights elsewhere": onnx(outside(b"../../etc/passwd")),
    "weights at an absolute path": onnx(outside(b"/etc/passwd")),
    "weights missing": onnx(outside(b"weights.bin")),
    "weights somewhere": onnx(field(5, field(1, 4) + field(14, 1))),
    "many fields": onnx(field(4, 1) * 300_000),
}


@pytest.mark.parametrize("name", HOSTILE_ONNX)
def test_hostile_onnx(tmp_path: Path, name: str) -> None:
    (tmp_path / "model.onnx").write_bytes(HOSTILE_ONNX[name])
    (tmp_path / "tokenizer.json").write_text("{}")
    with soon(), pytest.raises(CorruptModel):
        inspect(tmp_path)


def test_of_millions_of_packed_dimensions_few_are_read(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    # Read to its end, the list would be found cut off.
    path.write_bytes(onnx(field(5, field(1, b"\1" * 20_000_000 + b"\xff"))))
    with pytest.raises(CorruptModel, match="more than 8 dimensions"):
        read_graph(path)


@pytest.mark.parametrize("model", [onnx(domain=b"evil"), onnx(node_in(b"evil")), onnx() + field(25, b"")])
def test_operators_of_others_are_refused(tmp_path: Path, model: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(model)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(UnsupportedModel):
        inspect(tmp_path)


def test_links_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    store = tmp_path / "store"
    store.mkdir()
    (store / "blob").write_bytes(gguf())
    (folder / "model.gguf").symlink_to(store / "blob")
    with pytest.raises(CorruptModel, match="leads out"):
        inspect(folder)
    assert inspect(folder, links_into=store).architecture == "llama"


@pytest.mark.parametrize("target", ["model.gguf", "nowhere", "/", "."])
def test_links_to_nothing_themselves_or_folders_are_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "model.gguf").symlink_to(target)
    with pytest.raises(CorruptModel):
        inspect(tmp_path)


def test_a_pipe_does_not_hang_the_server(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.gguf")
    with soon(), pytest.raises(CorruptModel, match="no regular file"):
        inspect(tmp_path)


def test_folders_without_end_are_refused(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * 20)
    deep.mkdir(parents=True)
    with pytest.raises(CorruptModel, match="deeper"):
        inspect(tmp_path)


HOSTILE_TEMPLATES = {
    "endless loop": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "huge range": "{% for a in range(999999999) %}{% endfor %}",
    "class chain": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "class chain by subscript": "{{ ''['__class__'] }}",
    "class chain by filter": "{{ ''|attr('__class__') }}",
    "class chain in a branch not taken": "{% if messages|length > 99 %}{{ messages.__class__ }}{% endif %}",
    "memory": "{{ 'a' * 10000000000 }}",
    "output": "{% for a in range(99999) %}{{ 'abcdefghijklmnopqrstuvwxyz' }}{% endfor %}",
    "recursion": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "nesting": "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "power": "{{ 10 ** (10 ** 10) }}",
    "no syntax": "{% if %}",
    "includes a file": "{% include '/etc/passwd' %}",
    "always raises": "{{ raise_exception('no') }}",
    "long": " " * 300_000,
    "changes what it was given": "{% set x = messages.append(1) %}",
    "divides by zero": "{{ 1 // 0 }}",
}


@pytest.mark.parametrize("name", HOSTILE_TEMPLATES)
def test_hostile_chat_templates(tmp_path: Path, name: str) -> None:
    (tmp_path / "model.gguf").write_bytes(gguf({**LLAMA_KEYS, "tokenizer.chat_template": HOSTILE_TEMPLATES[name]}))
    began = time.monotonic()
    with pytest.raises(RefusedModel, match="chat template"):
        inspect(tmp_path)
    assert time.monotonic() - began < 5


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_changed_byte_brings_another_error(tmp_path: Path, data: st.DataObject) -> None:
    """Whatever is flipped, the answer is facts or one of the three errors."""
    name, whole = data.draw(
        st.sampled_from(
            [("model.gguf", gguf({k: v for k, v in LLAMA_KEYS.items() if "chat" not in k})), ("model.onnx", onnx())]
        )
    )
    broken = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    for old in tmp_path.iterdir():
        old.unlink()
    (tmp_path / name).write_bytes(broken)
    (tmp_path / "tokenizer.json").write_text("{}")
    with suppress(CorruptModel, RefusedModel, UnsupportedModel):
        inspect(tmp_path)
