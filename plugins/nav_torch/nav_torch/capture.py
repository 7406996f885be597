"""Capture a flattened module as an ExportedProgram, and read back which of its axes move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nav_torch.axes import Reach
from nav_torch.blame import blamed
from navcore.tensors import Signature

if TYPE_CHECKING:
    import torch


def captured(
    flat: torch.nn.Module, tensors: tuple[torch.Tensor, ...], signature: Signature
) -> torch.export.ExportedProgram:
    """The graph of the flattened module, every axis of the signature as free as the model lets it be.

    The relations between axes are left to the capture (``Dim.AUTO``): one ``Dim`` shared by two axes is an error as
    soon as the model does not need them equal, and a ``Dim`` each as soon as it does. What became of each axis is read
    back by :func:`reached`.
    """
    import torch

    auto = torch.export.Dim.AUTO
    shapes = tuple(
        {index: auto for index, size in enumerate(spec.shape) if isinstance(size, str)} or None
        for spec in signature.inputs
    )
    with blamed("torch.export"):
        return torch.export.export(flat, tensors, dynamic_shapes=shapes, strict=False)


def reached(program: torch.export.ExportedProgram, signature: Signature) -> dict[str, Reach]:
    """By symbol, the sizes that the program takes: what all axes of that symbol allow."""
    nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    found: dict[str, Reach] = {}
    for spec, name in zip(signature.inputs, program.graph_signature.user_inputs, strict=True):
        for symbol, size in zip(spec.shape, nodes[str(name)].meta["val"].shape, strict=True):
            if isinstance(symbol, str):
                reach = _reach(size, program.range_constraints)
                found[symbol] = found[symbol].meet(reach) if symbol in found else reach
    return found


def _reach(size: Any, ranges: Any) -> Reach:
    fixed = size if isinstance(size, int) else _number(size.node.expr)
    if fixed is not None:
        return Reach(fixed, fixed)
    constraint = ranges.get(size.node.expr)
    if constraint is None:  # an expression of other axes, checked where they are
        return Reach(0, None)
    # A lower bound of 2 is how the capture writes "not looked at sizes 0 and 1"; such programs run at 1.
    low = _number(constraint.lower) or 0
    return Reach(0 if low <= 2 else low, _number(constraint.upper))


def _number(bound: Any) -> int | None:
    """The bound as a number; ``None`` for infinity."""
    return int(bound) if getattr(bound, "is_Integer", False) or isinstance(bound, int) else None
