"""Capture a flattened module as an ExportedProgram, and read back which of its axes move."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nav_torch.assigning import assigned, drop_false_copies
from nav_torch.axes import Reach
from nav_torch.blame import blamed
from nav_torch.relations import hold_relations, related, sums
from nav_torch.remembering import remembered
from navcore import ExportError, Signature

if TYPE_CHECKING:
    import torch

CAPTURING = ("torch._dynamo", "torch.export._trace")
"""What torch.export imports at its first use, which takes longer than to capture a small model."""


def captured(
    flat: torch.nn.Module, tensors: tuple[torch.Tensor, ...], signature: Signature
) -> torch.export.ExportedProgram:
    """The graph of the flattened module, every axis of the signature as free as the model lets it be.

    Non-strict, and with ``Dim.AUTO``, so that it is never refused for what a model does to its axes: a table of
    positions bounds a sequence, a ``reshape`` fixes a width. Axes of one symbol are tied to each other, so they come
    out as one symbol of the graph. What became of each is read back by :func:`reached`. What the model keeps of the
    call, such as stand-ins for tensors, is put back.
    """
    import torch

    if any(isinstance(module, torch.jit.ScriptModule) for module in flat.modules()):
        raise ExportError(
            "The model is TorchScript, into which torch.export cannot look.",
            hint="Pass the module that was scripted or traced; the TorchScript variants and exporter take it as it is.",
        )
    _refuse_packed_weights(flat)
    hints = {axis: torch.export.Dim.AUTO for spec in signature.inputs for axis in spec.shape if isinstance(axis, str)}
    with blamed("torch.export"), remembered(flat), linked(flat, signature), assigned(flat) as places:
        program = torch.export.export(flat, tensors, dynamic_shapes=dynamic_shapes(signature, hints), strict=False)
    drop_false_copies(program, places)
    return program


def _refuse_packed_weights(model: torch.nn.Module) -> None:
    """Raise :class:`ExportError` for weights that PyTorch's own quantisation packed into an object of its own."""
    for name, part in model.named_modules():
        if (kind := type(part)).__module__.startswith("torch.ao.nn.") and hasattr(part, "_packed_params"):
            raise ExportError(
                f"torch.export cannot look into the quantised weights of {name!r} ({kind.__module__}.{kind.__name__}).",
                hint="The TorchScript variants take them as they are. What torchao makes of the model (quantize_, or "
                "prepare_pt2e and convert_pt2e) reaches .pt2 and ONNX.",
            )


def dynamic_shapes(signature: Signature, dims: dict[str, Any]) -> tuple[dict[int, Any] | None, ...]:
    """``torch.export``'s argument of that name: by input, the axes whose symbol has an entry in ``dims``."""
    return tuple(
        {index: dims[size] for index, size in enumerate(spec.shape) if isinstance(size, str) and size in dims} or None
        for spec in signature.inputs
    )


@contextmanager
def linked(flat: torch.nn.Module, signature: Signature) -> Iterator[None]:
    """For the time of a capture, tell it that axes of one symbol are equal, as a ``Dim`` shared by them would.

    Axes whose symbol follows from another (``4*time``) are held to that, as a derived ``Dim`` would, and so is a sum of
    others (``cache + tokens``), which no ``Dim`` says.
    A hook sees the tensors before the model does, and unlike a module around the model it renames no weights.
    """
    import torch

    places: dict[str, list[tuple[int, int]]] = {}
    for number, spec in enumerate(signature.inputs):
        for index, size in enumerate(spec.shape):
            if isinstance(size, str):
                places.setdefault(size, []).append((number, index))
    pairs = [(found[0], other) for found in places.values() for other in found[1:]]
    if not pairs and not related(places) and not sums(places):
        yield
        return

    def tie(_module: torch.nn.Module, tensors: tuple[torch.Tensor, ...]) -> None:
        for (first, axis), (other, index) in pairs:
            torch._check(tensors[first].shape[axis] == tensors[other].shape[index])  # type: ignore[no-untyped-call]
        hold_relations(signature, tensors)

    handle = flat.register_forward_pre_hook(tie)
    try:
        yield
    finally:
        handle.remove()


def reached(program: torch.export.ExportedProgram, signature: Signature) -> dict[str, Reach]:
    """By symbol, the sizes that the program takes: what all axes of that symbol allow."""
    nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    symbols = {size for spec in signature.inputs for size in spec.shape if isinstance(size, str)}
    family = {one for symbol, rule in related(symbols).items() for one in (symbol, rule.root)}
    found: dict[str, Reach] = {}
    for spec, name in zip(signature.inputs, program.graph_signature.user_inputs, strict=True):
        for symbol, size in zip(spec.shape, nodes[str(name)].meta["val"].shape, strict=True):
            if isinstance(symbol, str):
                reach = _reach(size, program.range_constraints, following=symbol in family)
                found[symbol] = found[symbol].meet(reach) if symbol in found else reach
    for symbol, parts in sums(found).items():
        # The bounds of 2 that say nothing of its parts add up to one that says nothing of it.
        if found[symbol].low <= 2 * len(parts) and all(found[part].low == 0 for part in parts):
            found[symbol] = Reach(0, found[symbol].high)
    return found


def _reach(size: Any, ranges: Any, *, following: bool) -> Reach:
    fixed = size if isinstance(size, int) else _number(size.node.expr)
    if fixed is not None:
        return Reach(fixed, fixed)
    constraint = ranges.get(size.node.expr)
    if constraint is None:  # an expression of other axes, checked where they are
        return Reach(0, None)
    # A lower bound of 2 is how the capture writes "not looked at sizes 0 and 1"; such programs run at 1.
    # Of a size that was declared to follow from another one, that one's bound is what was written so.
    low = _number(constraint.lower) or 0
    roots = size.node.expr.free_symbols if following else ()
    bounds = [_number(ranges[root].lower) or 0 for root in roots if root in ranges] or [low]
    return Reach(0 if max(bounds) <= 2 else low, _number(constraint.upper))


def _number(bound: Any) -> int | None:
    """The bound as a number; ``None`` for infinity."""
    return int(bound) if getattr(bound, "is_Integer", False) or isinstance(bound, int) else None
