"""The structure of a module's result, learned from one, and filled with other tensors."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from nav_torch.live import is_tensor
from nav_torch.structures import parts
from navcore import InputError
from navcore.contract import flatten_result

Fill = Callable[[Mapping[str, Any]], Any]
"""Makes a result of tensors by name."""
_CONSTANTS = (str, bytes, int, float, complex, bool, type(None))


def shape_of(result: Any, names: tuple[str, ...]) -> Fill:
    """How results like this one are made of the outputs ``names``: the same structure of the same classes.

    Mappings, sequences, dataclasses, what PyTorch has registered as a pytree, and attributes of dataclasses that are
    such. A tensor that is no output comes back as ``None``. Raises :class:`InputError`, with the class, for any other
    value that may hold tensors.
    """
    leaves = flatten_result(result, is_tensor, parts, wanted=names)
    if len(leaves) != len(names):
        raise InputError(f"The source returns {len(leaves)} tensors where {len(names)} outputs are declared.")
    return _fill(result, {id(leaf): name for name, (_, leaf) in zip(names, leaves, strict=True)})


def _fill(value: Any, names: Mapping[int, str]) -> Fill:
    if is_tensor(value):
        name = names.get(id(value))
        return (lambda _tensors: None) if name is None else (lambda tensors: tensors[name])
    if isinstance(value, _CONSTANTS):
        return lambda _tensors: value
    from torch.utils import _pytree as pytree

    if type(value) in pytree.SUPPORTED_NODES:
        inside, spec = pytree.tree_flatten(value, is_leaf=lambda part: part is not value)
        filled = [_fill(part, names) for part in inside]
        return lambda tensors: pytree.tree_unflatten([one(tensors) for one in filled], spec)
    if isinstance(value, tuple) and hasattr(value, "_fields"):  # a named tuple
        named = [_fill(part, names) for part in value]
        return lambda tensors: type(value)(*(one(tensors) for one in named))
    if (fields := getattr(type(value), "__dataclass_fields__", None)) is not None:
        return _fill_fields(
            value, {name: _fill(getattr(value, name), names) for name in fields if hasattr(value, name)}
        )
    raise InputError(
        f"The source returns a {type(value).__module__}.{type(value).__qualname__}, of which no other can be made.",
        hint="Give result=, a function that makes one of the outputs, which it gets as keywords.",
    )


def _fill_fields(value: Any, fields: Mapping[str, Fill]) -> Fill:
    def fill(tensors: Mapping[str, Any]) -> Any:
        made = copy.copy(value)
        for name, one in fields.items():
            object.__setattr__(made, name, one(tensors))
        return made

    return fill
