"""Reads the header of a safetensors file and refuses one that contradicts itself. Format: the package's README."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from openfm.weights.errors import CorruptModel, UnsupportedModel
from openfm.weights.folder import shown

_LONGEST_HEADER = 32 * 1024 * 1024
_MOST_TENSORS = 200_000
_LARGEST = 2**48
_METADATA = "__metadata__"
_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "U16": 16, "I16": 16, "F16": 16, "BF16": 16,
    "U32": 32, "I32": 32, "F32": 32, "U64": 64, "I64": 64, "F64": 64,
}  # fmt: skip

_Size = Annotated[int, msgspec.Meta(ge=0, le=_LARGEST)]


class _Entry(msgspec.Struct):
    dtype: str
    shape: list[_Size]
    data_offsets: tuple[_Size, _Size]


@dataclass(frozen=True, slots=True)
class SafetensorsHeader:
    """The shape of each tensor by its name, and the bytes of all."""

    shapes: dict[str, tuple[int, ...]]
    weight_bytes: int

    @property
    def parameters(self) -> int:
        """Numbers in all tensors."""
        return sum(math.prod(shape) for shape in self.shapes.values())


def read_header(path: Path) -> SafetensorsHeader:
    """The header of the file at `path`. Raises `CorruptModel`, and `UnsupportedModel` for number types unknown here."""
    name = shown(path.name)
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > size - 8:
            raise CorruptModel(f"{name} ends before its header does: it was cut off. Upload the file again.")
        if length > _LONGEST_HEADER:
            raise CorruptModel(f"The header of {name} claims {length} bytes; {_LONGEST_HEADER} are possible.")
        raw = file.read(length)
    entries = _entries(name, raw)
    data = size - 8 - length
    end = 0
    for tensor, entry in sorted(entries.items(), key=lambda item: item[1].data_offsets):
        if entry.dtype not in _BITS:
            raise UnsupportedModel(
                f"{name}: {shown(tensor)} is of type {shown(entry.dtype)}; "
                f"types read here are {', '.join(sorted(_BITS))}. Save the model in one of them."
            )
        begin, finish = entry.data_offsets
        if begin != end or (finish - begin) * 8 != math.prod(entry.shape) * _BITS[entry.dtype]:
            raise CorruptModel(
                f"{name}: the place of {shown(tensor)} does not fit its shape or its neighbours. Upload the file again."
            )
        end = finish
    if end != data:
        raise CorruptModel(f"{name}: tensors take {end} bytes, the file has {data}. Upload the file again.")
    return SafetensorsHeader({tensor: tuple(entry.shape) for tensor, entry in entries.items()}, data)


def _entries(name: str, raw: bytes) -> dict[str, _Entry]:
    try:
        whole = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        whole.pop(_METADATA, None)
        if len(whole) > _MOST_TENSORS:
            raise CorruptModel(f"{name} announces {len(whole)} tensors; {_MOST_TENSORS} are possible.")
        decoder = msgspec.json.Decoder(_Entry)
        return {tensor: decoder.decode(entry) for tensor, entry in whole.items()}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptModel(f"The header of {name} is not what the format says: {shown(error)}.") from error
