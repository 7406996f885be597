"""Weights that an ONNX file keeps in files beside it: found, checked, opened without leaving the model's folder.

The file says where its weights are, and the file may come from anybody. ONNX asks for a path relative to the model's
folder (``TensorProto.external_data``); nothing but a regular file below that folder is opened here, each part of the
path on its own and without following symbolic links, so that no path can be swapped between check and use.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import attrs

from navcore import InputError

if TYPE_CHECKING:
    from onnx import AttributeProto, ModelProto, NodeProto, TensorProto

_IN_MEMORY = "_ORT_MEM_ADDR_"  # ONNX Runtime reads a location of this name as an address in its own memory
_LONGEST_NUMBER = 19  # the digits of 2⁶³ − 1


@attrs.frozen
class Reference:
    """Where a tensor's bytes are: ``length`` bytes (``None``: all the rest) from ``offset`` on, in ``location``."""

    tensor: str
    location: str
    offset: int = 0
    length: int | None = None


def tensors_and_nodes(model: ModelProto) -> tuple[list[TensorProto], list[NodeProto]]:
    """Every tensor and every node of a model, those in subgraphs, functions and attributes included."""
    tensors: list[TensorProto] = []
    nodes: list[NodeProto] = []
    graphs = [model.graph]
    for training in model.training_info:
        graphs += [training.initialization, training.algorithm]
    attributes: list[AttributeProto] = []
    for function in model.functions:
        nodes += function.node
        attributes += function.attribute_proto
    unread = 0
    while graphs or attributes or unread < len(nodes):
        if graphs:
            graph = graphs.pop()
            tensors += graph.initializer
            for sparse in graph.sparse_initializer:
                tensors += [sparse.values, sparse.indices]
            nodes += graph.node
        elif attributes:
            attribute = attributes.pop()
            tensors += [attribute.t, *attribute.tensors]
            for sparse in [attribute.sparse_tensor, *attribute.sparse_tensors]:
                tensors += [sparse.values, sparse.indices]
            graphs += [attribute.g, *attribute.graphs] if attribute.HasField("g") else attribute.graphs
        else:
            attributes += nodes[unread].attribute
            unread += 1
    return tensors, nodes


def external_tensors(model: ModelProto, path: Path) -> Iterator[tuple[TensorProto, Reference]]:
    """The tensors that are stored outside the file, each with its reference."""
    from onnx import TensorProto

    for tensor in tensors_and_nodes(model)[0]:
        if tensor.data_location == TensorProto.EXTERNAL:
            yield tensor, _reference(tensor, path)


def _reference(tensor: TensorProto, path: Path) -> Reference:
    entries: dict[str, str] = {}
    for entry in tensor.external_data:
        if entry.key in entries:
            raise _refusal(path, f"The tensor {tensor.name!r} names its external {entry.key} twice.")
        entries[entry.key] = entry.value
    numbers: dict[str, int] = {}
    for key in ("offset", "length"):
        text = entries.get(key, "")
        if not text:
            continue
        if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER):
            raise _refusal(path, f"The external {key} of the tensor {tensor.name!r} is {text!r}, not a byte count.")
        numbers[key] = int(text)
    return Reference(tensor.name, entries.get("location", ""), numbers.get("offset", 0), numbers.get("length"))


def _refusal(path: Path, what: str, hint: str = "") -> InputError:
    return InputError(what, who=path.name, hint=hint or "Export the model again, or get the file from its author.")


def location_parts(location: str, path: Path) -> tuple[str, ...]:
    """The parts of a location that stays below the model's folder. Raises :class:`InputError` for any other."""
    parts = PurePosixPath(location).parts
    outside = location.startswith("/") or ".." in parts
    unusable = not parts or "\\" in location or "\0" in location or _IN_MEMORY in location
    if outside or unusable:
        reason = "leaves the model's folder" if outside else "is not a file name"
        raise _refusal(
            path,
            f"The file keeps weights at {location!r}, which {reason}.",
            "Save the model with its weights beside it: onnx.save(model, path, save_as_external_data=True).",
        )
    return parts


def open_location(location: str, path: Path) -> int:
    """A descriptor of the regular file at ``location`` beside the model ``path``, open for reading."""
    parts = location_parts(location, path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        # A pipe would block an ordinary open for ever.
        descriptor = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except FileNotFoundError as error:
        raise _refusal(
            path,
            f"The file keeps weights in {location!r}, which is not beside it.",
            "Put that file into the same folder.",
        ) from error
    except OSError as error:
        raise _link_refusal(path, location) from error
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _link_refusal(path, location)
    return descriptor


def _link_refusal(path: Path, location: str) -> InputError:
    return _refusal(
        path,
        f"The file keeps weights in {location!r}, which is no regular file, or is reached through a symbolic link.",
        "Copy the model's folder with its links resolved (cp -rL) and use the copy.",
    )


def safe_locations(model: ModelProto, path: Path) -> tuple[str, ...]:
    """The locations that the model refers to, once each, every reference checked against the real file."""
    sizes: dict[str, int] = {}
    for _tensor, reference in external_tensors(model, path):
        size = sizes.get(reference.location)
        if size is None:
            descriptor = open_location(reference.location, path)
            size = sizes[reference.location] = os.fstat(descriptor).st_size
            os.close(descriptor)
        if reference.offset + (reference.length or 0) > size:
            raise _refusal(
                path,
                f"The weights of {reference.tensor!r} are said to end at byte "
                f"{reference.offset + (reference.length or 0)} of {reference.location!r}, which has {size} bytes.",
                "The file is cut short or belongs to another model; get both files again.",
            )
    return tuple(sizes)


def read_reference(reference: Reference, path: Path) -> bytes:
    """The bytes of one external tensor. Raises :class:`InputError` when the file ends before they do."""
    with os.fdopen(open_location(reference.location, path), "rb") as file:
        file.seek(reference.offset)
        data = file.read(-1 if reference.length is None else reference.length)
    if reference.length is not None and len(data) != reference.length:
        raise _refusal(path, f"The file {reference.location!r} ends before the weights of {reference.tensor!r} do.")
    return data
