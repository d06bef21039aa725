"""Walks through an ONNX file without ONNX Runtime: it is protobuf whose few fields that matter have known numbers.

Field numbers: onnx's `onnx.proto3` (ModelProto, GraphProto, NodeProto, AttributeProto, TensorProto).
"""

import math
import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from openfm.weights.errors import CorruptModel, UnsupportedModel
from openfm.weights.folder import is_plain_name, shown

_DOMAINS = frozenset(("", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc", "ai.onnx.training"))
_MOST_FIELDS = 250_000
_DEEPEST = 16
_MOST_DIMS = 8
_LARGEST = 2**48
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_GRAPH, _OPSET, _FUNCTIONS = 7, 8, 25
_NODE, _INITIALIZER, _OUTPUT = 1, 5, 12
_ATTRIBUTE, _NODE_DOMAIN = 5, 7
_TENSOR_VALUE, _GRAPH_VALUE, _TENSOR_VALUES, _GRAPH_VALUES = 5, 6, 10, 11
_DIMS, _EXTERNAL, _LOCATION = 1, 13, 14
_Field = tuple[int, int, int, int]


@dataclass(slots=True)
class OnnxGraph:
    """Numbers in all initial tensors, the files beside the model that hold some of them, and the last dimension out."""

    parameters: int = 0
    external_files: set[str] = field(default_factory=set)
    output_dimension: int | None = None


def read_graph(path: Path) -> OnnxGraph:
    """What the file holds.

    Raises `CorruptModel`, and `UnsupportedModel` for operators that ONNX Runtime has not of its own.
    """
    if path.stat().st_size == 0:
        raise CorruptModel(f"{shown(path.name)} is empty. Upload the file again.")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        walk = _Walk(data)
        found = False
        for number, _, begin, end in walk.fields(0, len(data)):
            if number == _GRAPH:
                found = True
                walk.graph(begin, end, depth=0)
            elif number == _OPSET:
                walk.check_domain(begin, end, 1)
            elif number == _FUNCTIONS:
                raise UnsupportedModel("The ONNX file defines functions of its own. Export it without them.")
        if not found:
            raise CorruptModel(f"{shown(path.name)} holds no ONNX graph. Upload the file again.")
        return walk.found


class _Walk:
    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._num_fields = 0
        self.found = OnnxGraph()

    def fields(self, begin: int, end: int) -> Iterator[_Field]:
        """Number, wire type, and where the payload lies (for a number: the number itself, twice)."""
        position = begin
        while position < end:
            self._num_fields += 1
            if self._num_fields > _MOST_FIELDS:
                raise CorruptModel(
                    f"The ONNX file has more than {_MOST_FIELDS} fields: no model served here needs that."
                )
            tag, position = self._varint(position, end)
            wire = tag & 7
            if wire == _VARINT:
                value, position = self._varint(position, end)
                yield tag >> 3, wire, value, value
                continue
            length = 8 if wire == _FIXED64 else 4
            if wire == _BYTES:
                length, position = self._varint(position, end)
            elif wire not in {_FIXED64, _FIXED32}:
                raise CorruptModel("The ONNX file is not protobuf. Upload the file again.")
            if length > end - position:
                raise CorruptModel("A part of the ONNX file ends after its whole: it was cut off. Upload it again.")
            yield tag >> 3, wire, position, position + length
            position += length

    def graph(self, begin: int, end: int, depth: int) -> None:
        if depth > _DEEPEST:
            raise CorruptModel(f"Graphs in the ONNX file are nested deeper than {_DEEPEST}.")
        for number, wire, first, last in self.fields(begin, end):
            if wire != _BYTES:
                continue
            if number == _NODE:
                self._node(first, last, depth)
            elif number == _INITIALIZER:
                self._tensor(first, last)
            elif number == _OUTPUT and depth == 0 and self.found.output_dimension is None:
                self.found.output_dimension = self._last_dimension(first, last)

    def check_domain(self, begin: int, end: int, field_number: int) -> None:
        for number, wire, first, last in self.fields(begin, end):
            if number == field_number and wire == _BYTES:
                self._check_domain_name(self._text(first, last))

    def _check_domain_name(self, domain: str) -> None:
        if domain not in _DOMAINS:
            raise UnsupportedModel(
                f"The ONNX file needs operators of '{shown(domain)}', which is code of others. Export it without them."
            )

    def _node(self, begin: int, end: int, depth: int) -> None:
        for number, wire, first, last in self.fields(begin, end):
            if wire == _BYTES and number == _NODE_DOMAIN:
                self._check_domain_name(self._text(first, last))
            elif wire == _BYTES and number == _ATTRIBUTE:
                for inner, inner_wire, low, high in self.fields(first, last):
                    if inner_wire != _BYTES:
                        continue
                    if inner in {_TENSOR_VALUE, _TENSOR_VALUES}:
                        self._tensor(low, high)
                    elif inner in {_GRAPH_VALUE, _GRAPH_VALUES}:
                        self.graph(low, high, depth + 1)

    def _tensor(self, begin: int, end: int) -> None:
        shape: list[int] = []
        location = ""
        is_external = False
        for number, wire, first, last in self.fields(begin, end):
            if number == _DIMS:
                for size in (first,) if wire == _VARINT else self._packed(first, last):
                    shape.append(size)
                    if len(shape) > _MOST_DIMS:  # before the rest is read: a file may claim millions
                        raise CorruptModel(f"A tensor in the ONNX file has more than {_MOST_DIMS} dimensions.")
            elif number == _LOCATION and wire == _VARINT:
                is_external = first == 1
            elif number == _EXTERNAL and wire == _BYTES:
                is_external = True
                location = self._location(first, last) or location
        if any(not 0 <= size <= _LARGEST for size in shape) or math.prod(shape) > _LARGEST:
            raise CorruptModel(f"A tensor in the ONNX file has the impossible shape {shown(shape)}. Export it again.")
        self.found.parameters += math.prod(shape)
        if is_external:
            if not is_plain_name(location):
                raise CorruptModel(f"The ONNX file keeps weights in '{shown(location)}', which is no file beside it.")
            self.found.external_files.add(location)

    def _location(self, begin: int, end: int) -> str | None:
        entry = {
            number: self._text(first, last) for number, wire, first, last in self.fields(begin, end) if wire == _BYTES
        }
        return entry.get(2) if entry.get(1) == "location" else None

    def _last_dimension(self, begin: int, end: int) -> int | None:
        """ValueInfoProto.type (2), TypeProto.tensor_type (1), its shape (2), dim (1), dim_value (1)."""
        dims = self._inside([(begin, end)], (2, 1, 2, 1))
        if not dims:
            return None
        values = [first for number, wire, first, _ in self.fields(*dims[-1]) if number == 1 and wire == _VARINT]
        return values[0] if values and 0 < values[0] < 2**31 else None

    def _inside(self, places: list[tuple[int, int]], path: tuple[int, ...]) -> list[tuple[int, int]]:
        for wanted in path:
            places = [
                (first, last)
                for place in places
                for number, wire, first, last in self.fields(*place)
                if number == wanted and wire == _BYTES
            ]
        return places

    def _packed(self, begin: int, end: int) -> Iterator[int]:
        while begin < end:
            value, begin = self._varint(begin, end)
            yield value

    def _varint(self, position: int, end: int) -> tuple[int, int]:
        value = 0
        for shift in range(0, 70, 7):
            if position >= end:
                break
            byte = self._data[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, position
        raise CorruptModel("A number in the ONNX file does not end: it was cut off. Upload it again.")

    def _text(self, begin: int, end: int) -> str:
        if end - begin > 4096:
            raise CorruptModel("A name in the ONNX file is longer than 4096 bytes. Export it again.")
        return self._data[begin:end].decode(errors="replace")
