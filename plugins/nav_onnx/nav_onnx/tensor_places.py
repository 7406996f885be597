"""Where the tensors of an ONNX file lie: found by walking the file's own structure, no tensor read.

Source: onnx.proto of ONNX (field numbers), https://protobuf.dev/programming-guides/encoding (wire format). Protobuf's
own parser copies every tensor and does not say where it was.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from nav_onnx.external_data import external_tensors, location_parts, safe_locations
from nav_onnx.proto import read_proto

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10  # bytes
_DEEPEST = 64
_DATA, _OUTSIDE = "data", "outside"
_INNER: Mapping[str, Mapping[int, str]] = MappingProxyType(
    {
        "ModelProto": {7: "GraphProto", 25: "FunctionProto"},
        "GraphProto": {1: "NodeProto", 5: "TensorProto"},
        "FunctionProto": {7: "NodeProto"},
        "NodeProto": {5: "AttributeProto"},
        "AttributeProto": {5: "TensorProto", 6: "GraphProto", 10: "TensorProto", 11: "GraphProto"},
        # float_data, int32_data, int64_data, double_data and uint64_data are packed; the integers as varints.
        "TensorProto": {4: _DATA, 9: _DATA, 10: _DATA, 13: _OUTSIDE},
    }
)
"""By message and field: the message that lies in it, or what its bytes are."""


def tensor_regions(path: Path) -> Mapping[Path, Sequence[tuple[int, int]]]:
    """For the model's file and each with its external weights: the (offset, length) of every tensor, in bytes.

    Raises :class:`InputError` for weights that are not safely beside the file, and ``ValueError`` for a file whose
    structure is broken.
    """
    found: list[tuple[int, int]] = []
    outside = False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for what, start, end in _walked(data):
            if what == _OUTSIDE:
                outside = True
            else:
                found.append((start, end - start))
    regions = {path: found}
    if outside:
        for file_beside, places in _external(path).items():
            regions.setdefault(file_beside, []).extend(places)
    return regions


def _walked(data: mmap.mmap) -> Iterator[tuple[str, int, int]]:
    """Each tensor's bytes as a range, and a mark for each that is kept elsewhere."""
    waiting = [("ModelProto", 0, len(data), 0)]
    while waiting:
        message, position, end, depth = waiting.pop()
        if depth > _DEEPEST:
            raise ValueError("its graphs are nested too deeply")
        while position < end:
            key, position = _varint(data, position, end)
            position, size = _value(data, position, end, key & 7)
            inner = _INNER[message].get(key >> 3) if key & 7 == _BYTES else None
            if inner in (_DATA, _OUTSIDE):
                yield inner, position, position + size
            elif inner is not None:
                waiting.append((inner, position, position + size, depth + 1))
            position += size


def _value(data: mmap.mmap, position: int, end: int, kind: int) -> tuple[int, int]:
    """Where the value of a field starts, and how long it is."""
    if kind == _VARINT:
        size = _varint(data, position, end)[1] - position
    elif kind == _BYTES:
        size, position = _varint(data, position, end)
    elif kind in (_FIXED32, _FIXED64):
        size = 4 if kind == _FIXED32 else 8
    else:
        raise ValueError(f"a field has the unknown kind {kind}")
    if position + size > end:
        raise ValueError("a field ends behind the message that it is in")
    return position, size


def _varint(data: mmap.mmap, position: int, end: int) -> tuple[int, int]:
    value = 0
    for number in range(min(_LONGEST_VARINT, end - position)):
        byte = data[position + number]
        value |= (byte & 0x7F) << (7 * number)
        if byte < 0x80:
            return value, position + number + 1
    raise ValueError("a number does not end")


def _external(path: Path) -> Mapping[Path, list[tuple[int, int]]]:
    model = read_proto(path)
    safe_locations(model, path)
    found: dict[Path, list[tuple[int, int]]] = {}
    for _, reference in external_tensors(model, path):
        file = path.parent.joinpath(*location_parts(reference.location, path))
        size = file.stat().st_size - reference.offset if reference.length is None else reference.length
        found.setdefault(file, []).append((reference.offset, size))
    return found
