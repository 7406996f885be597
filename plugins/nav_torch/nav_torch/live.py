"""Tensors of PyTorch ↔ host arrays, and the named weights of a live module."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nav_torch.layouts import dense_parts
from navcore.contract import dtype_named

if TYPE_CHECKING:
    import numpy as np

_BITS = {1: "uint8", 2: "int16"}
"""numpy dtypes by which a type that numpy does not know crosses over bit for bit."""


def is_tensor(value: object) -> bool:
    """Whether ``value`` is a tensor of PyTorch; a program that has not imported torch holds none."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def to_array(value: Any) -> np.ndarray | None:
    """An array of its own with the tensor's values, C-contiguous, dtype kept; ``None`` for anything but a tensor.

    bfloat16 and the 8-bit floats become those of ml_dtypes.
    """
    if not is_tensor(value):
        return None
    import numpy as np

    array = host_array(value)
    if value.device.type == "cpu" or not array.flags.c_contiguous:
        return np.array(array, order="C")
    return array


def from_array(array: np.ndarray, device: str | None = None) -> Any:
    """A tensor of its own with the array's values and dtype, on ``device`` (``None``: the CPU)."""
    import numpy as np
    import torch

    owned = np.array(array, order="C")  # a model may write into its inputs, and the array stays the caller's
    kind = _foreign_type(owned.dtype)
    tensor = torch.from_numpy(owned.view(_BITS[owned.itemsize])).view(kind) if kind else torch.from_numpy(owned)
    return tensor if device in (None, "cpu") else tensor.to(device)


def device(model: Any) -> str:
    """The device of the module's first weight, ``"cpu"`` for one without any; it decides whether a fork can export it.

    In a process that belongs to a distributed training the answer is ``"a process group"``: a fork that drops one waits
    for threads which it does not have.
    """
    import torch

    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return "a process group"
    return next((tensor.device.type for tensors in (model.parameters(), model.buffers()) for tensor in tensors), "cpu")


def state(model: Any) -> Iterator[tuple[str, np.ndarray]]:
    """The module's parameters and buffers by name, shared ones under each name, one array in memory at a time.

    One of another layout than the dense one (sparse, quantised, nested) gives several arrays under its name. What each
    submodule does with them follows, as bytes.
    """
    import numpy as np

    for named in (model.named_parameters, model.named_buffers):
        for name, tensor in named(remove_duplicate=False):
            for part in dense_parts(tensor):
                yield name, host_array(part)
    for name, module in model.named_modules(remove_duplicate=False):
        yield f"{name}()", np.frombuffer(_behaviour(module).encode("utf-8", "surrogateescape"), np.uint8)


def _behaviour(module: Any) -> str:
    """What a module does beside its weights: the code of its ``forward``, and its plain attributes.

    Neither shows in the outputs on the samples when they take another branch.
    """
    kind = type(module)
    code = getattr(getattr(kind, "forward", None), "__code__", None)
    told = "" if code is None else f"{code.co_code.hex()} {code.co_names} {_constants(code)}"
    plain = {key: value for key, value in sorted(vars(module).items()) if key != "training" and _is_plain(value)}
    return f"{kind.__module__}.{kind.__qualname__} {told} {plain!r}"


def _is_plain(value: Any) -> bool:
    """Whether a value is spelt alike in every process."""
    if isinstance(value, tuple):
        return all(_is_plain(part) for part in value)
    return value is None or isinstance(value, bool | int | float | str)


def _constants(code: Any) -> str:
    """The constants of a function's code; functions inside it by their own code, not by where they lie in memory."""
    return repr([_constant(part) for part in code.co_consts])


def _constant(part: Any) -> str:
    if hasattr(part, "co_code"):
        return f"{part.co_code.hex()} {_constants(part)}"
    if isinstance(part, frozenset):
        return repr(sorted(map(repr, part)))  # its own order differs from process to process
    return repr(part)


def host_array(tensor: Any) -> np.ndarray:
    """The values on the host, sharing memory with a tensor on the CPU."""
    import numpy as np

    tensor = tensor.detach().cpu().resolve_conj().resolve_neg()
    if not tensor.is_floating_point() or tensor.element_size() > 2:
        return np.asarray(tensor.numpy())
    import torch

    if tensor.dtype == torch.float16:
        return np.asarray(tensor.numpy())
    name = str(tensor.dtype).removeprefix("torch.")
    bits = getattr(torch, _BITS[tensor.element_size()])
    return np.asarray(tensor.contiguous().view(bits).numpy().view(dtype_named(name)))


def _foreign_type(dtype: np.dtype[Any]) -> Any:
    """The torch dtype of an array of ml_dtypes; ``None`` for numpy's own."""
    if dtype.isbuiltin == 1:
        return None
    import torch

    return getattr(torch, dtype.name, None) if dtype.name == "bfloat16" or dtype.name.startswith("float8") else None
