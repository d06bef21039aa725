"""Reads the header of a GGUF file and refuses one that contradicts itself. Format: ggml's `docs/gguf.md`, v2 and v3."""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from openfm.weights.errors import CorruptModel, UnsupportedModel
from openfm.weights.folder import shown

Scalar = str | int | float | bool
Value = Scalar | tuple[Scalar, ...]

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_FIRST_READ = 1024 * 1024
_LONGEST_HEADER = 256 * 1024 * 1024
_MOST_KEYS, _MOST_TENSORS, _MOST_ITEMS = 8192, 65_536, 1_500_000
_LONGEST_KEY, _LONGEST_NAME, _LONGEST_STRING = 65_535, 63, 4 * 1024 * 1024
_KEPT_ITEMS = 4096
_MOST_DIMENSIONS = 4
_LARGEST = 2**48
_STRING, _ARRAY, _BOOL = 8, 9, 7
_NUMBERS: Mapping[int, str] = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "B", 10: "Q", 11: "q", 12: "d",
}  # fmt: skip
# ggml's types: number -> (values in a block, bytes of a block).
_TYPES: Mapping[int, tuple[int, int]] = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 40),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
    16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82),
    23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2),
    34: (256, 54), 35: (256, 66), 39: (32, 17), 40: (64, 36), 41: (128, 18), 42: (64, 18),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """A tensor as the header announces it; `offset` counts from the beginning of the data."""

    name: str
    shape: tuple[int, ...]
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """Metadata and tensors. Of an array only the first 4,096 items are kept, of strings in arrays none."""

    metadata: Mapping[str, Value]
    tensors: tuple[GgufTensor, ...]

    @property
    def parameters(self) -> int:
        """Numbers in all tensors."""
        return sum(math.prod(tensor.shape) for tensor in self.tensors)

    @property
    def weight_bytes(self) -> int:
        """Bytes of all tensors."""
        return sum(tensor.size for tensor in self.tensors)

    def text(self, key: str) -> str | None:
        """A string, or None where there is none. Raises `CorruptModel` for another type."""
        value = self.metadata.get(key)
        if value is not None and not isinstance(value, str):
            raise CorruptModel(f"The GGUF key {key} must be text. Convert the model again.")
        return value

    def number(self, key: str, default: int | None = None) -> int:
        """A whole number from 0 to 2**48. Raises `CorruptModel`, also when it is missing and has no default."""
        value = self.metadata.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST:
            said = "is missing" if value is None else f"cannot be {shown(value)}"
            raise CorruptModel(f"The GGUF key {key} {said}. Convert the model again.")
        return value


def read_header(path: Path) -> GgufHeader:
    """The header of the file at `path`.

    Raises `CorruptModel`, and `UnsupportedModel` for versions and tensor types that are not read here.
    """
    with path.open("rb") as file:
        cursor = _Cursor(file, path.stat().st_size)
        if cursor.take(4) != _MAGIC:
            raise CorruptModel("The file does not begin with GGUF. Upload a GGUF file.")
        version = cursor.number("I")
        if version not in _VERSIONS:
            raise UnsupportedModel(f"GGUF version {version} is not read here, 2 and 3 are. Convert the model again.")
        num_tensors, num_keys = cursor.number("Q"), cursor.number("Q")
        if num_tensors > _MOST_TENSORS or num_keys > _MOST_KEYS:
            raise CorruptModel(f"The GGUF header announces {num_tensors} tensors and {num_keys} keys: more than fit.")
        metadata: dict[str, Value] = {}
        for _ in range(num_keys):
            key = cursor.text(_LONGEST_KEY)
            if not key or key in metadata:
                raise CorruptModel(f"The GGUF key '{shown(key)}' is empty or there twice. Convert the model again.")
            metadata[key] = cursor.value(cursor.number("I"))
        tensors = tuple(_tensor(cursor) for _ in range(num_tensors))
        header = GgufHeader(metadata, tensors)
        _check_layout(header, cursor)
    return header


def _tensor(cursor: "_Cursor") -> GgufTensor:
    name = cursor.text(_LONGEST_NAME)
    num_dimensions = cursor.number("I")
    if not 1 <= num_dimensions <= _MOST_DIMENSIONS:
        raise CorruptModel(f"The tensor {shown(name)} has {num_dimensions} dimensions; 1 to 4 are possible.")
    shape = tuple(cursor.number("Q") for _ in range(num_dimensions))
    kind, offset = cursor.number("I"), cursor.number("Q")
    if kind not in _TYPES:
        raise UnsupportedModel(f"The tensor {shown(name)} is of type {kind}, which is not read here. Use F16 or Q8_0.")
    block, block_bytes = _TYPES[kind]
    if 0 in shape or math.prod(shape) > _LARGEST or shape[0] % block:
        raise CorruptModel(
            f"The tensor {shown(name)} has the impossible shape {shown(shape)}. Convert the model again."
        )
    return GgufTensor(name, shape, offset, math.prod(shape) // block * block_bytes)


def _check_layout(header: GgufHeader, cursor: "_Cursor") -> None:
    alignment = header.number("general.alignment", 32)
    if not 1 <= alignment <= 65_536 or alignment & (alignment - 1):
        raise CorruptModel(f"general.alignment cannot be {alignment}. Convert the model again.")
    start = -(-cursor.position // alignment) * alignment
    end = 0
    names: set[str] = set()
    for tensor in sorted(header.tensors, key=lambda tensor: tensor.offset):
        name = shown(tensor.name)
        if not tensor.name or tensor.name in names:
            raise CorruptModel(f"The tensor '{name}' has no name or is there twice. Convert the model again.")
        names.add(tensor.name)
        if tensor.offset % alignment or tensor.offset < end:
            raise CorruptModel(f"The tensor {name} overlaps another or is not aligned. Convert the model again.")
        end = tensor.offset + tensor.size
        if start + end > cursor.size:
            raise CorruptModel(
                f"The tensor {name} ends at byte {start + end}, the file at {cursor.size}: it was cut off. "
                "Upload the file again."
            )


class _Cursor:
    """Walks through the header, reading no more of the file than that."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._buffer = b""
        self._items = 0
        self.size = size
        self.position = 0

    def take(self, length: int) -> bytes:
        end = self.position + length
        self._need(end)
        taken = self._buffer[self.position : end]
        self.position = end
        return taken

    def number(self, code: str) -> int:
        return int(self._unpack(code)[0])

    def text(self, longest: int) -> str:
        length = self.number("Q")
        if length > longest:
            raise CorruptModel(f"A text in the GGUF header claims {length} bytes; {longest} are possible there.")
        raw = self.take(length)
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            raise CorruptModel(f"A text in the GGUF header is not UTF-8: {error}. Convert the model again.") from error

    def value(self, kind: int) -> Value:
        if kind != _ARRAY:
            return self._scalar(kind)
        item_kind, length = self.number("I"), self.number("Q")
        self._items += length
        if self._items > _MOST_ITEMS:
            raise CorruptModel(f"The GGUF header announces arrays of {self._items} items; {_MOST_ITEMS} are possible.")
        if item_kind == _STRING:
            self._skip_texts(length)
            return ()
        if item_kind not in _NUMBERS:
            raise CorruptModel(f"An array in the GGUF header has items of the unknown type {item_kind}.")
        values = self._unpack(f"{length}{_NUMBERS[item_kind]}")
        return values[:_KEPT_ITEMS]

    def _scalar(self, kind: int) -> Scalar:
        if kind == _STRING:
            return self.text(_LONGEST_STRING)
        if kind not in _NUMBERS:
            raise CorruptModel(f"A value in the GGUF header has the unknown type {kind}. Convert the model again.")
        value = self._unpack(_NUMBERS[kind])[0]
        return bool(value) if kind == _BOOL else value

    def _skip_texts(self, count: int) -> None:
        """Tokens may be any bytes: they are stepped over, within the file."""
        position = self.position
        for _ in range(count):
            if position + 8 > len(self._buffer):
                self._need(position + 8)
            length = int.from_bytes(self._buffer[position : position + 8], "little")
            position += 8 + length
            if length > _LONGEST_STRING:
                raise CorruptModel(f"A text in the GGUF header claims {length} bytes. Convert the model again.")
        self._need(position)
        self.position = position

    def _unpack(self, codes: str) -> tuple[int | float, ...]:
        form = struct.Struct("<" + codes)
        return form.unpack(self.take(form.size))

    def _need(self, end: int) -> None:
        if end <= len(self._buffer):
            return
        if end > self.size:
            raise CorruptModel(
                f"The GGUF header ends at byte {self.size} of the file: it was cut off. Upload it again."
            )
        if end > _LONGEST_HEADER:
            raise CorruptModel(f"The GGUF header is longer than {_LONGEST_HEADER} bytes. Convert the model again.")
        wanted = max(end, _FIRST_READ, 2 * len(self._buffer))
        self._buffer += self._file.read(wanted - len(self._buffer))
        if end > len(self._buffer):
            raise CorruptModel("The GGUF file became shorter while it was read. Upload it again.")
