"""The ONNX file as navcore uses it: the format, what a graph takes and returns, copying, refusing hostile files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from nav_onnx.dtypes import numpy_name
from nav_onnx.external_data import (
    external_tensors,
    location_parts,
    open_location,
    read_reference,
    safe_locations,
    tensors_and_nodes,
)
from nav_onnx.proto import read_proto
from nav_onnx.tensor_places import tensor_regions
from navcore import Format, InputError

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

_CHUNK = 16 * 1024 * 1024
_WINDOW = 256 * 1024  # fits into the processor's cache: half again as fast as larger pieces
_WORTH_READING = (b"location", b"EPContext")


@attrs.frozen
class GraphTensor:
    """One input or output of a graph, as the file declares it.

    ``dtype`` is numpy's name (``"object"`` for strings), or ``"sequence"``, ``"map"`` … for what is no tensor. An axis
    in ``shape`` is a size, a symbol, or ``None`` when the file says nothing; ``shape`` is ``None`` when the file does
    not even say how many axes there are.
    """

    name: str
    dtype: str
    shape: tuple[int | str | None, ...] | None


@attrs.frozen
class Graph:
    """What an ONNX file says about itself. ``opset`` is the version of ONNX's own operators (0: none are used).

    ``external`` are the locations, relative to the file's folder, of weights that are kept outside it.
    """

    inputs: tuple[GraphTensor, ...]
    outputs: tuple[GraphTensor, ...]
    opset: int
    ir_version: int
    external: tuple[str, ...] = ()


def load_model(path: Path) -> ModelProto:
    """The model with all its weights in memory, those from external files included; nothing points outside any more.

    Raises :class:`InputError` for a file that is not ONNX or whose external data cannot be read safely.
    """
    model = read_proto(path)
    safe_locations(model, path)
    for tensor, reference in external_tensors(model, path):
        tensor.raw_data = read_reference(reference, path)
        tensor.ClearField("external_data")
        tensor.ClearField("data_location")
    return model


def read_graph(path: Path) -> Graph:
    """What the graph takes and returns. Weights that old files list among their inputs are left out.

    Raises :class:`InputError` for a file that is not ONNX or whose external data is not safely beside it.
    """
    model = read_proto(path)
    weights = {tensor.name for tensor in model.graph.initializer}
    weights.update(sparse.values.name for sparse in model.graph.sparse_initializer)
    return Graph(
        inputs=tuple(_graph_tensor(info) for info in model.graph.input if info.name not in weights),
        outputs=tuple(_graph_tensor(info) for info in model.graph.output),
        opset=max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0),
        ir_version=model.ir_version,
        external=safe_locations(model, path),
    )


def _graph_tensor(info: ValueInfoProto) -> GraphTensor:
    from onnx import TensorProto

    kind = info.type.WhichOneof("value") or "unknown"
    if kind != "tensor_type":
        return GraphTensor(info.name, kind.removesuffix("_type"), None)
    tensor = info.type.tensor_type
    shape: tuple[int | str | None, ...] | None = None
    if tensor.HasField("shape"):
        shape = tuple(dim.dim_value if dim.HasField("dim_value") else dim.dim_param or None for dim in tensor.shape.dim)
    return GraphTensor(info.name, numpy_name(TensorProto.DataType.Name(tensor.elem_type)), shape)


def element_types(path: Path) -> frozenset[str]:
    """The element types of all tensors that the file holds, and of all that a ``Cast`` in it makes, by numpy's names.

    Weights are left where they are. Raises :class:`InputError` when the file is absent or is not an ONNX model.
    """
    from onnx import TensorProto

    tensors, nodes = tensors_and_nodes(read_proto(path))
    found = {tensor.data_type for tensor in tensors}
    found |= {one.i for node in nodes if node.op_type == "Cast" for one in node.attribute if one.name == "to"}
    known = {name for name, number in TensorProto.DataType.items() if number in found - {TensorProto.UNDEFINED}}
    return frozenset(map(numpy_name, known))


def refuse_dangerous(path: Path) -> None:
    """Refuse a file whose loading could read outside its folder or run native code that it brought along.

    Raises :class:`InputError`. A file with all its weights inside is searched for the two words that can do harm and
    not parsed: for a large model that would cost twice its size in memory.
    """
    if not _mentions(path, _WORTH_READING):
        return
    model = read_proto(path)
    safe_locations(model, path)
    compiled = next((node for node in tensors_and_nodes(model)[1] if node.op_type == "EPContext"), None)
    if compiled is not None:
        raise InputError(
            f"The node {compiled.name!r} (EPContext) holds code compiled for one device, which loading would run.",
            who=path.name,
            hint="Use the ONNX file from which it was compiled.",
        )


def _mentions(path: Path, words: tuple[bytes, ...]) -> bool:
    overlap = max(map(len, words)) - 1
    tail = b""
    with path.open("rb") as file:
        while chunk := file.read(_WINDOW):
            window = tail + chunk
            if any(word in window for word in words):
                return True
            tail = window[-overlap:]
    return False


def model_files(source: Path) -> tuple[Path, ...]:
    """The model's own file, then the files with its external weights: what has to be digested or copied together.

    Raises :class:`InputError` as :func:`read_graph` does.
    """
    locations = safe_locations(read_proto(source), source)
    return (source, *(source.parent.joinpath(*location_parts(location, source)) for location in locations))


def copy_model(source: Path, output: Path) -> None:
    """Copy an ONNX file to ``output``, and its external weights to the same places beside it; no byte is rewritten.

    Nothing is copied before everything was checked. Raises :class:`InputError` as :func:`read_graph` does, also when
    the weights would land on ``output``; :class:`FileExistsError` when one of the files is there already.
    """
    model = read_proto(source)
    locations = {location_parts(location, source): location for location in safe_locations(model, source)}
    if (output.name,) in locations:
        raise InputError(
            f"The file keeps weights in {output.name!r}, the name that the model itself gets here.",
            who=source.name,
            hint="Save the model again with another location for its external data.",
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    for parts, location in locations.items():
        target = output.parent.joinpath(*parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(open_location(location, source), "rb") as weights, target.open("xb") as copy:
            shutil.copyfileobj(weights, copy, _CHUNK)
    with source.open("rb") as graph, output.open("xb") as copy:
        shutil.copyfileobj(graph, copy, _CHUNK)


ONNX = attrs.evolve(Format.ONNX, load=load_model, files=model_files, copy=copy_model, regions=tensor_regions)
