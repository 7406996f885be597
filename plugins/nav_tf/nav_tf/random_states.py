"""The variables from which a model draws its random numbers, and a seed that holds them for the time of a call."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

_HELD: ContextVar[int | None] = ContextVar("nav_tf_seed", default=None)

_KERAS, _TENSORFLOW = "seed_generator_state", "StateVar"
"""How Keras' ``SeedGenerator`` and TensorFlow's ``tf.random.Generator`` call their variables, in a SavedModel too."""
_STEP = 0x9E3779B1
"""What one seed is apart from the next; odd, so that all of them differ."""


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """For the time of a call, the generators of the model that a runner of nav-tf calls start from ``seed``.

    Those of Keras (``SeedGenerator``) and of TensorFlow (``tf.random.Generator``), which keep their state in a variable
    that goes into a SavedModel: there the same numbers are drawn from it. Operations such as ``tf.random.normal`` have
    no such state. A graph draws others than the eager call whatever the seed, and one that is set would be built into
    every ``tf.function`` that is traced meanwhile; they are left alone.
    """
    token = _HELD.set(seed)
    try:
        yield
    finally:
        _HELD.reset(token)


class RandomStates:
    """The random states of a model that is open, as they were when it was opened."""

    def __init__(self, variables: Iterable[Any]) -> None:
        self._states = [(one, one.numpy()) for one in variables if _kind(one)]

    @contextmanager
    def held(self) -> Iterator[None]:
        """At the seed of :func:`seeded` for the time of a call, and then as before; untouched where none is held.

        Each starts from where it was when the model was opened, moved by the seed. A live model and what is stored of
        it so come to the same numbers, and two generators of one model to different ones.
        """
        seed = _HELD.get()
        if seed is None or not self._states:
            yield
            return
        before = [one.numpy() for one, _ in self._states]
        for one, opened in self._states:
            one.assign(_moved(opened, seed, _kind(one)))
        try:
            yield
        finally:
            for (one, _), value in zip(self._states, before, strict=True):
                one.assign(value)


def random_states(model: Any) -> list[Any]:
    """The variables from which a live model draws, Keras' own for calls without a seed among them."""
    found = [variable for variable in getattr(model, "variables", None) or () if _kind(variable)]
    found += [generator.state for part in _parts(model) for generator in _generators(part)]
    own = _generator_of_keras()
    unique = {id(one): one for one in (*found, *([] if own is None else [own.state]))}
    return list(unique.values())


def _kind(variable: Any) -> str:
    """By its name, the generator whose state a variable is; empty for any other variable."""
    name = str(getattr(variable, "name", "")).partition(":")[0].rpartition("/")[2]
    return name if name in (_KERAS, _TENSORFLOW) and "int" in str(variable.dtype) else ""


def _moved(state: np.ndarray, seed: int, kind: str) -> np.ndarray:
    """The state of another stream of random numbers; Keras has the seed first, TensorFlow the key last."""
    moved = state.copy()
    if kind == _KERAS:
        moved[0] = (int(state[0]) + seed * _STEP) % 2**31
    else:
        moved.view("uint64")[-1] = (int(state.view("uint64")[-1]) + seed * _STEP) % 2**64
    return moved


def _parts(model: Any) -> Iterator[Any]:
    yield model
    yield from getattr(model, "submodules", ())
    for layer in getattr(model, "layers", ()):
        yield from _parts(layer)


def _generators(part: Any) -> list[Any]:
    """TensorFlow's generators among the attributes of a module, which are not among its variables."""
    tf = sys.modules["tensorflow"]
    return [value for value in getattr(part, "__dict__", {}).values() if isinstance(value, tf.random.Generator)]


def _generator_of_keras() -> Any:
    """The ``SeedGenerator`` of random functions that are called without one; ``None`` where there is none yet."""
    global_state = sys.modules.get("keras.src.backend.common.global_state")
    read = getattr(global_state, "get_global_attribute", None)
    return None if read is None else read("global_seed_generator")
