"""Give a stored program the smallest, typical and largest size of every axis, which an engine has to know."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

import attrs

from navcore import ConversionError, ConvertJob, Feeds, Signature

if TYPE_CHECKING:
    import numpy as np
    import torch


@attrs.frozen
class Bounded:
    """A program whose axes end where the data's do, with the tensors and the shapes that it was captured from.

    An engine's profile spans what the program's own symbols may be, and is tuned for the sizes it was captured at.
    ``signature`` is what the program takes, which newer releases hold against the shapes they are given.
    """

    program: torch.export.ExportedProgram
    signature: Signature
    tensors: tuple[torch.Tensor, ...]
    shapes: tuple[dict[int, Any] | None, ...] | None


def inputs(torch_tensorrt: ModuleType, signature: Signature) -> list[Any]:
    """A ``torch_tensorrt.Input`` per input: its only shape, or the smallest, the typical and the largest.

    No size is below 1: an engine takes nothing empty.
    """
    import torch

    axes = {axis.symbol: axis for axis in signature.axes}
    made = []
    for spec in signature.inputs:
        ends = {
            f"{key}_shape": tuple(
                max(1, getattr(axes[size], end)) if isinstance(size, str) else size for size in spec.shape
            )
            for key, end in (("min", "minimum"), ("opt", "typical"), ("max", "maximum"))
        }
        moves = ends["min_shape"] != ends["max_shape"]
        sizes = ends if moves else {"shape": ends["opt_shape"]}
        made.append(torch_tensorrt.Input(**sizes, dtype=getattr(torch, spec.dtype), name=spec.name))
    return made


def typical(job: ConvertJob[Any]) -> dict[str, np.ndarray]:
    """The example at the typical size of every axis; at 2 where that is 1, which a capture would take for fixed."""
    import numpy as np

    sizes = {axis.symbol: max(axis.typical, min(axis.maximum, 2)) for axis in job.signature.axes}
    return {
        spec.name: np.resize(
            job.example[spec.name], tuple(sizes[size] if isinstance(size, str) else size for size in spec.shape)
        )
        for spec in job.signature.inputs
    }


def bound(job: ConvertJob[Any], place: torch.device, example: Feeds) -> Bounded:
    """The stored program on the device, captured again with the smallest and the largest size of every axis in it.

    The program itself knows no largest size, for which Torch-TensorRT would take 4096 times the smallest; the shapes
    that it is given beside a program do not reach the engines.
    """
    import torch
    from torch.export.passes import move_to_device_pass

    from nav_torch import from_array, narrowed, reached

    signature = job.signature
    auto = torch.export.Dim.AUTO
    free = {
        axis.symbol: auto(min=axis.minimum, max=axis.maximum)
        for axis in signature.axes
        if axis.minimum < axis.maximum > 1
    }
    shapes = tuple(
        {index: free[size] for index, size in enumerate(spec.shape) if isinstance(size, str) and size in free} or None
        for spec in signature.inputs
    )
    tensors = tuple(from_array(example[spec.name], str(place)) for spec in signature.inputs)
    stored = move_to_device_pass(torch.export.load(job.source.file), str(place))
    moving = shapes if any(shapes) else None
    program = torch.export.export(stored.module(), tensors, dynamic_shapes=moving, strict=False)
    return Bounded(program, narrowed(signature, reached(program, signature)), tensors, moving)


def frozen(job: ConvertJob[Any]) -> tuple[Signature, tuple[str, ...]]:
    """The signature with every axis fixed at the example's size, and the notes about it.

    Raises :class:`ConversionError` for an axis that the user declared.
    """
    from nav_torch import Reach, settled

    found = {}
    for spec in job.signature.inputs:
        sizes = zip(spec.shape, job.example[spec.name].shape, strict=True)
        found.update({symbol: Reach(size, size) for symbol, size in sizes if isinstance(symbol, str)})
    declared = [axis for axis in job.signature.axes if axis.declared and axis.symbol in found]
    short = ", ".join(repr(axis.symbol) for axis in declared if not found[axis.symbol].covers(axis))
    if short:
        raise ConversionError(
            f"A recorded call with TensorRT engines in it has fixed sizes, and these axes have to move: {short}.",
            hint="The torch-trt-exported formats keep them.",
        )
    kept = settled(job.signature, found, "torch.jit.trace", strict=False)
    return kept.signature, kept.notes
