"""The optimization profile of an engine: the smallest, the typical and the largest shape of every input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from navcore import ConversionError, Signature, TensorSpec

Shape = tuple[int, ...]
Shapes = tuple[Shape, Shape, Shape]


def profile_shapes(network: Any, signature: Signature, fed_from: Mapping[str, str]) -> dict[str, Shapes]:
    """(min, opt, max) shapes by network input, for those with an axis that moves.

    They are the ranges of the signature: from the data, or what the user gave as ``trt_dynamic_axes``. ``fed_from``
    maps the network's inputs to the signature's.
    Raises :class:`ConversionError` for an axis that the graph leaves open and of which the signature knows no range.
    """
    specs = {spec.name: spec for spec in signature.inputs}
    shapes = {}
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        dimensions = tuple(tensor.shape)
        if tensor.is_shape_tensor:
            raise ConversionError(
                f"The values of input {tensor.name!r} decide about shapes, and an engine would be bound to those seen.",
                hint="Make it part of the model, or use the ONNX file itself.",
            )
        if -1 in dimensions:
            spec = specs[fed_from[tensor.name]]
            shapes[tensor.name] = _ranges(tensor.name, dimensions, spec, signature)
    return shapes


def _ranges(name: str, dimensions: Shape, spec: TensorSpec, signature: Signature) -> Shapes:
    if len(dimensions) != len(spec.shape):
        raise ConversionError(
            f"Input {name!r} has {len(dimensions)} axes in the graph and {len(spec.shape)} in the data."
        )
    sizes = [
        (size, size, size) if size != -1 else _range(name, axis, spec.shape[axis], signature)
        for axis, size in enumerate(dimensions)
    ]
    smallest, typical, largest = (tuple(size[end] for size in sizes) for end in range(3))
    return smallest, typical, largest


def _range(name: str, axis: int, size: int | str, signature: Signature) -> tuple[int, int, int]:
    if isinstance(size, int):
        return size, size, size
    try:
        known = signature.axis(size)
    except KeyError:
        raise ConversionError(
            f"Axis {axis} of input {name!r} moves, and its range is not known.",
            hint=f"Give it: trt_dynamic_axes={{{name!r}: {{{axis}: (min, opt, max)}}}}.",
        ) from None
    return known.minimum, known.typical, known.maximum


def add_profile(builder: Any, config: Any, shapes: Mapping[str, Shapes]) -> None:
    """Add one profile with these shapes to ``config``; nothing when no input moves."""
    if not shapes:
        return
    profile = builder.create_optimization_profile()
    for name, (smallest, typical, largest) in shapes.items():
        profile.set_shape(name, smallest, typical, largest)
    config.add_optimization_profile(profile)


def written(shapes: Mapping[str, Shapes]) -> str:
    """The profile as a short text for the record: ``x 1x8..4x8..64x8``."""
    return ", ".join(
        f"{name} " + "..".join("x".join(map(str, shape)) for shape in ranges) for name, ranges in shapes.items()
    )
