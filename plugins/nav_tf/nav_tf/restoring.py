"""Put back what a call of the model may leave behind in its variables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nav_tf.live import variables
from nav_tf.random_states import random_states


@contextmanager
def untouched(model: Any) -> Iterator[None]:
    """Undo what calls change: counters, states of recurrent layers and random generators, what training leaves alone.

    A value that is read shares the variable's memory until it is assigned, so keeping it costs next to nothing.
    """
    import numpy as np

    moving = [variable for _, variable in variables(model) if not variable.trainable]
    held = [(variable, _read(variable)) for variable in (*moving, *_recurrent_states(model), *random_states(model))]
    try:
        yield
    finally:
        for variable, before in held:
            if not np.array_equal(before.numpy(), variable.numpy()):
                variable.assign(before)


def _recurrent_states(model: Any) -> Iterator[Any]:
    """What stateful recurrent layers of Keras remember, which is not among the model's variables."""
    if getattr(model, "stateful", False):
        yield from (state for state in getattr(model, "states", None) or () if hasattr(state, "assign"))
    for layer in getattr(model, "layers", ()):
        yield from _recurrent_states(layer)


def _read(variable: Any) -> Any:
    """The tensor that the variable holds now; Keras 3 has TensorFlow's variable in ``value``."""
    inner = variable if callable(variable.value) else variable.value
    return inner.read_value()
