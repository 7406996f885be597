"""How an ExportedProgram that is the source of a run is called: by its own names, as it was when it was made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from navcore import InputError


@attrs.frozen
class StoredCall:
    """The call that a file keeps: what it names its tensors, the sizes that it fixes, and a function of named tensors.

    In ``shapes`` an axis that may move is ``None``. ``call`` takes the tensors under those names, or in that order;
    ``bind`` makes the positional and the keyword arguments of the call of them.
    """

    inputs: tuple[str, ...]
    shapes: Mapping[str, tuple[int | None, ...]]
    call: Callable[[Mapping[str, Any]], Any]
    bind: Callable[[Mapping[str, Any]], tuple[Any, Any]]


def stored_call(program: Any, module: Callable[..., Any]) -> StoredCall:
    """What ``program`` says of its inputs; ``module`` is the callable that it unfolds to.

    Constants of the call are part of the file, and are filled in. The call raises :class:`InputError` for another
    number of tensors than the file takes.
    """
    from torch.export.graph_signature import InputKind, TensorArgument

    asked = [one.arg for one in program.graph_signature.input_specs if one.kind is InputKind.USER_INPUT]
    names = tuple(arg.name for arg in asked if isinstance(arg, TensorArgument))
    values = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    shapes = {
        name: tuple(size if isinstance(size, int) else None for size in values[name].shape)
        for name in names
        if values.get(name) is not None
    }
    whole = {name: shape for name, shape in shapes.items() if shape}  # of a tensor without axes there is nothing to say

    def bind(tensors: Mapping[str, Any]) -> tuple[Any, Any]:
        from torch.utils._pytree import tree_unflatten

        if len(tensors) != len(names):
            raise InputError(
                f"The file takes {len(names)} tensors ({', '.join(names)}), and the dataloader gives {len(tensors)} "
                f"({', '.join(tensors)})."
            )
        ordered = iter([tensors[name] for name in names] if set(tensors) == set(names) else tensors.values())
        leaves = [next(ordered) if isinstance(arg, TensorArgument) else getattr(arg, "value", None) for arg in asked]
        args, kwargs = tree_unflatten(leaves, program.call_spec.in_spec)
        return args, kwargs

    def call(tensors: Mapping[str, Any]) -> Any:
        args, kwargs = bind(tensors)
        return module(*args, **kwargs)

    return StoredCall(names, whole, call, bind)
