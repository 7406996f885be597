"""Tensors of TensorFlow ↔ host arrays, and the named weights of a live model."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


def is_tensor(value: object) -> bool:
    """Whether ``value`` is a dense tensor or a variable; a program that has not imported TensorFlow holds none."""
    tf = sys.modules.get("tensorflow")
    # While TensorFlow is being imported its module is there and empty.
    return tf is not None and hasattr(tf, "Variable") and isinstance(value, tf.Tensor | tf.Variable)


def parts(value: Any) -> Sequence[tuple[str, Any]] | None:
    """The parts of a structure that tells ``tf.nest`` how it is flattened; none for what TensorFlow uses as a constant.

    ``None`` for any other value.
    """
    tf = sys.modules.get("tensorflow")
    if tf is None or not hasattr(tf, "DType"):
        return None
    if isinstance(value, tf.DType | tf.TensorShape):
        return ()
    flatten = getattr(value, "__tf_flatten__", None)
    if flatten is None:
        return None
    _, components = flatten()
    return [(str(index), part) for index, part in enumerate(components)]


def to_array(value: Any) -> np.ndarray | None:
    """An array of its own with the tensor's values, dtype kept; ``None`` for anything but a tensor with a value.

    bfloat16 and the 8-bit floats are those of ml_dtypes; text becomes an array of objects.
    """
    if not is_tensor(value) or not hasattr(value, "numpy"):
        return None
    import numpy as np

    return np.asarray(value.numpy())  # a copy already


def from_array(array: np.ndarray, device: str | None = None) -> Any:
    """A tensor of its own with the array's values and dtype, on ``device`` (``None``: where TensorFlow puts it)."""
    import numpy as np
    import tensorflow as tf

    from nav_tf.placing import placed

    with placed(device):
        return tf.constant(np.array(array))  # a copy: on the CPU a tensor may share the memory of its array


def variables(model: Any) -> list[tuple[str, Any]]:
    """The model's variables by name, in an order that stays.

    Names need not be unique in a ``tf.Module``, so a number goes before them.
    """
    found = getattr(model, "variables", None)
    if found is None and getattr(model, "input_signature", None) is not None:
        found = model.get_concrete_function().variables
    return [(f"{index}/{getattr(one, 'path', one.name)}", one) for index, one in enumerate(found or ())]


def state(model: Any) -> Iterator[tuple[str, np.ndarray]]:
    """The model's variables as arrays, one in memory at a time; text, and what is not initialised, is left out."""
    import numpy as np

    for name, variable in variables(model):
        array = np.asarray(variable.numpy())
        if array.dtype.kind != "O":
            yield name, array


def device(model: Any) -> str:
    """``"gpu"`` when a variable lives on one, else ``"cpu"``."""
    # A variable of Keras 3 holds TensorFlow's in `value`, which of TensorFlow's own is a method.
    held = (one if callable(one.value) else one.value for _, one in variables(model))
    return "gpu" if any("GPU" in str(one.device) for one in held) else "cpu"
