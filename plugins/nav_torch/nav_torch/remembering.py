"""Remember everything that a call may change in a live model, and put it back whole."""

from __future__ import annotations

import random
import sys
import types
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from nav_torch.layouts import same_content

if TYPE_CHECKING:
    import torch

_SMALL = 65_536
"""Elements up to which the values of a weight are remembered. Larger ones would double a model's memory, and a
``forward`` that writes into them is training."""
_LONG = 10_000
"""Entries beyond which a container is remembered, but not what is in it: a data set, not a cache."""
_LEAVES = (str, bytes, int, float, complex, type(None), type, types.FunctionType, types.ModuleType, types.MethodType)
_LIBRARIES = frozenset({*sys.stdlib_module_names, "torch", "numpy"}) - {"__main__"}

Undo = Callable[[], object]
Still = Callable[[], bool]


def _always() -> bool:
    return True


@contextmanager
def remembered(model: torch.nn.Module) -> Iterator[None]:
    """Put back, whatever happens, what the model's code changes meanwhile in itself and around itself.

    In itself: the attributes of all modules with their buffers, parameters, submodules and hooks, and what they hold,
    through lists, dicts, sets and objects of the user's classes: identities, entries, and the values of tensors, arrays
    and random generators. All of it or nothing, so that a number which says how long a buffer is never outlives it. Not
    the values of weights of more than 65 536 elements. A module that became another class, as a lazy one does when it
    first sees its input, stays as it made itself.

    Around it: the random generators of PyTorch, Python and numpy, the gradient and autocast modes and the default
    dtype.
    """
    with ExitStack() as stack:  # one that fails does not keep the others from being put back
        for undo in (*_surroundings(), *_Walk().over(model)):
            stack.callback(undo)
        yield


class _Walk:
    """Goes through all that a model holds and collects how to put each thing back; what is met twice counts once."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Any, Still]] = []
        self._seen: dict[int, Any] = {}  # the values keep what they are the ids of alive
        self._undo: list[Undo] = []

    def over(self, model: Any) -> list[Undo]:
        self._waiting.append((model, _always))
        while self._waiting:
            value, still = self._waiting.pop()
            if id(value) in self._seen or isinstance(value, _LEAVES):
                continue
            self._seen[id(value)] = value
            self._visit(value, still)
        return self._undo

    def _visit(self, value: Any, still: Still) -> None:
        import torch

        if isinstance(value, torch.Tensor):
            self._undo += _tensor(value)
        elif isinstance(value, torch.jit.ScriptModule):
            self._wait([*value.parameters(), *value.buffers()])
        elif (drawn := _generator(value)) is not None:
            self._undo.append(drawn)
        elif (written := _array(value)) is not None:
            self._undo.append(written)
        else:
            self._container(value, still)
            if isinstance(value, torch.nn.Module | types.SimpleNamespace) or _is_users(value):
                self._attributes(value)

    def _container(self, value: Any, still: Still) -> None:
        if isinstance(value, dict):
            self._undo.append(_entries(value, dict(value), value.update, still))
            self._wait(value.values())
        elif isinstance(value, list | deque | bytearray):
            self._undo.append(_entries(value, list(value), value.extend, still))
            self._wait(value)
        elif isinstance(value, set):
            self._undo.append(_entries(value, set(value), value.update, still))
        elif isinstance(value, tuple):
            self._wait(value)

    def _wait(self, values: Collection[Any], still: Still | None = None) -> None:
        if len(values) <= _LONG:
            self._waiting += ((value, still or _always) for value in values)

    def _attributes(self, owner: Any) -> None:
        kind = type(owner)

        def still() -> bool:
            return type(owner) is kind

        own = getattr(owner, "__dict__", None)
        if isinstance(own, dict):
            self._undo.append(_entries(own, dict(own), own.update, still))
            self._wait(own.values(), still)
        names = [name for base in kind.__mro__ for name in _slots(base)]
        held = {name: getattr(owner, name) for name in names if hasattr(owner, name)}
        if held:
            self._undo += [partial(object.__setattr__, owner, *pair) for pair in held.items()]
            self._wait(held.values())


def _slots(kind: type) -> list[str]:
    names = vars(kind).get("__slots__", ())
    names = [names] if isinstance(names, str) else names
    return [name for name in names if name not in ("__dict__", "__weakref__") and not name.startswith("__")]


def _is_users(value: Any) -> bool:
    """Whether a value is of a class that a user, or a library of models, wrote."""
    return type(value).__module__.partition(".")[0] not in _LIBRARIES


def _same(now: Any, before: Any) -> bool:
    """Whether a container has the very same entries, in the same order."""
    if len(now) != len(before):
        return False
    if isinstance(before, dict):
        pairs = zip(now.items(), before.items(), strict=True)
        return all(key is other and value is held for (key, value), (other, held) in pairs)
    if isinstance(before, set):
        return bool(now == before)
    return all(value is held for value, held in zip(now, before, strict=True))


def _entries(container: Any, before: Any, fill: Callable[[Any], Any], still: Still) -> Undo:
    """How to put back the entries of a container in place, as long as its owner is ``still`` what it was."""

    def undo() -> None:
        if still() and not _same(container, before):
            container.clear()
            fill(before)

    return undo


def _tensor(tensor: torch.Tensor) -> list[Undo]:
    """How to put back a tensor: whether it has a gradient, where its memory is, and, but for weights, its values."""
    import torch

    plain = (torch.Tensor, torch.nn.Parameter, torch.nn.Buffer)
    if tensor.is_meta:
        return []
    if tensor.is_nested or tensor.is_quantized or tensor.layout is not torch.strided:
        return [_undense(tensor)]
    if type(tensor) not in plain:
        return []
    weight = isinstance(tensor, torch.nn.Parameter)
    flag, memory = tensor.requires_grad, tensor.detach()
    values = memory.clone() if not weight or tensor.numel() <= _SMALL else None

    def undo() -> None:
        with torch.inference_mode(tensor.is_inference()), torch.no_grad():
            if tensor.is_leaf and tensor.requires_grad != flag:
                tensor.requires_grad_(flag)
            if tensor.data_ptr() != memory.data_ptr() or tensor.shape != memory.shape:
                tensor.data = memory
            if values is not None and not torch.equal(memory, values):
                memory.copy_(values)

    return [undo]


def _undense(tensor: torch.Tensor) -> Undo:
    """How to put back the values of a tensor that is not dense, which has no one memory."""
    import torch

    values = tensor.detach().clone()

    def undo() -> None:
        with torch.inference_mode(tensor.is_inference()), torch.no_grad():
            if same_content(tensor, values):
                return
            try:
                tensor.copy_(values)
            except (RuntimeError, NotImplementedError):  # not every layout can be written into
                tensor.data = values

    return undo


def _generator(value: Any) -> Undo | None:
    """How to put back a random generator; ``None`` for anything else."""
    import torch

    if isinstance(value, random.Random):
        state = value.getstate()
        return lambda: value.setstate(state)
    if isinstance(value, torch.Generator):
        drawn = value.get_state()
        return lambda: value.set_state(drawn)
    if type(value).__module__.startswith("numpy.random"):
        bits = getattr(value, "bit_generator", None) or getattr(value, "_bit_generator", None)
        if bits is not None:
            held = bits.state
            return lambda: setattr(bits, "state", held)
    return None


def _array(value: Any) -> Undo | None:
    """How to put back the values of an array of numpy; ``None`` for anything else."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.ndarray):
        return None
    before = value.copy()

    def undo() -> None:
        if value.shape == before.shape and value.flags.writeable and value.dtype == before.dtype:
            value[...] = before

    return undo


def _surroundings() -> list[Undo]:
    """How to put back what is the process's, or the thread's, and a model's code may change."""
    import torch

    steps: list[Undo] = [_setting(torch.get_default_dtype, torch.set_default_dtype)]
    steps.append(_setting(torch.is_grad_enabled, torch.set_grad_enabled))
    kinds = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    for kind in kinds:
        steps.append(_setting(partial(torch.is_autocast_enabled, kind), partial(torch.set_autocast_enabled, kind)))
        steps.append(_setting(partial(torch.get_autocast_dtype, kind), partial(torch.set_autocast_dtype, kind)))
    steps.append(_setting(torch.get_rng_state, torch.set_rng_state))
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        steps.append(_setting(torch.cuda.get_rng_state_all, torch.cuda.set_rng_state_all))
    steps.append(_setting(random.getstate, random.setstate))
    if "numpy" in sys.modules:
        import numpy as np

        steps.append(_setting(np.random.get_state, np.random.set_state))
    return steps


def _setting(read: Callable[[], Any], write: Callable[[Any], Any]) -> Undo:
    before = read()
    return lambda: write(before)
