"""How a live model is called: an item of the dataloader, fitted to the inputs that the model declares."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from navcore import SourceError

_MODES = ("training", "mask")


def is_keras(model: object) -> bool:
    """Whether it is a layer or model of Keras, 3 or legacy."""
    return any(
        kind.__name__ == "Layer" and kind.__module__.partition(".")[0] in ("keras", "tf_keras")
        for kind in type(model).__mro__
    )


def refuse_unusable(model: Any) -> None:
    """Refuse a model that has no weights yet, or that cannot be called.

    Raises :class:`SourceError`.
    """
    kind = type(model).__name__
    if is_keras(model) and not model.built:
        raise SourceError(
            f"The model {model.name!r} ({kind}) was never built, so it has no weights yet.",
            hint="Call it once on an item of the dataloader, or load its weights, before exporting it.",
        )
    if not callable(model):
        raise SourceError(
            f"The {kind} has no __call__, so nothing says which of its functions to export.",
            hint="Give it a __call__, or pass one of its tf.functions.",
        )


def call_model(model: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """The model's result for one item, in inference mode.

    Raises :class:`SourceError` when the item's structure does not fit the model's inputs, or when the result holds
    what cannot be exported.
    """
    fitted_args, fitted_kwargs = fitted(model, args, kwargs)
    if is_keras(model):
        fitted_kwargs = {"training": False, **fitted_kwargs}
    return _dense(model(*fitted_args, **fitted_kwargs))


def fitted(model: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """The arguments with which the model itself wants to be called."""
    if is_keras(model) and (declared := _declared(model)) is not None:
        modes = {name: value for name, value in kwargs.items() if name in _MODES and name not in _names(declared)}
        given = {name: value for name, value in kwargs.items() if name not in modes}
        return [_packed(declared, args, given)], modes
    return _by_parameters(_parameters(model), args, kwargs)


def input_names(model: Any) -> list[str]:
    """The names by which the model takes its inputs: those it declares, else those of its parameters."""
    declared = _declared(model) if is_keras(model) else None
    return [one.name for one in _parameters(model)] if declared is None else _names(declared)


def _declared(model: Any) -> Any:
    """The structure of symbolic inputs that a functional or sequential model declares; ``None`` for any other."""
    kinds = {kind.__name__ for kind in type(model).__mro__}
    if "Functional" in kinds:
        return model.input
    if "Sequential" in kinds and model.inputs:
        return model.inputs[0] if len(model.inputs) == 1 else model.inputs
    return None


def _names(declared: Any) -> list[str]:
    """The names under which tensors may be given: the keys of a mapping, else the names of the inputs."""
    if isinstance(declared, Mapping):
        return [str(key) for key in declared]
    return [_name(one) for one in _leaves(declared)]


def _name(symbolic: Any) -> str:
    return str(symbolic.name).partition(":")[0]


def _leaves(structure: Any) -> list[Any]:
    if isinstance(structure, Mapping):
        return [leaf for part in structure.values() for leaf in _leaves(part)]
    if isinstance(structure, list | tuple):
        return [leaf for part in structure for leaf in _leaves(part)]
    return [structure]


def _packed(declared: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """The item's tensors in the structure that the model declares."""
    if len(args) == 1 and isinstance(args[0], Mapping) and not kwargs:
        return _packed(declared, (), args[0])
    names = _names(declared)
    if kwargs:
        return _packed_by_name(declared, names, kwargs)
    wanted = _leaves(declared)
    given = [leaf for arg in args for leaf in _leaves(arg)]
    if len(given) != len(wanted):
        raise _mismatch(names, f"{len(given)} tensors")
    if isinstance(declared, Mapping) and len(wanted) > 1:
        raise _mismatch(names, "tensors without names", "Yield a dict with those keys: their order means nothing.")
    for symbolic, tensor in zip(wanted, given, strict=True):
        _refuse_other_rank(symbolic, tensor)
    return _refilled(declared, iter(given))


def _packed_by_name(declared: Any, names: Sequence[str], given: Mapping[str, Any]) -> Any:
    if set(given) != set(names):
        only = _leaves(declared)
        if len(only) == len(given) == 1 and not isinstance(declared, Mapping):
            tensor = next(iter(given.values()))  # one tensor, under whatever name the user likes better
            _refuse_other_rank(only[0], tensor)
            return _refilled(declared, iter([tensor]))
        raise _mismatch(names, ", ".join(given))
    if isinstance(declared, Mapping):
        for key, symbolic in declared.items():
            if hasattr(symbolic, "shape"):
                _refuse_other_rank(symbolic, given[str(key)])
        return {key: given[str(key)] for key in declared}
    by_name = {_name(symbolic): symbolic for symbolic in _leaves(declared)}
    for name, symbolic in by_name.items():
        _refuse_other_rank(symbolic, given[name])
    return _refilled(declared, iter([given[name] for name in by_name]))


def _refilled(structure: Any, values: Any) -> Any:
    if isinstance(structure, Mapping):
        return {key: _refilled(part, values) for key, part in structure.items()}
    if isinstance(structure, list | tuple):
        return type(structure)([_refilled(part, values) for part in structure])
    return next(values)


def _refuse_other_rank(symbolic: Any, tensor: Any) -> None:
    shape = getattr(symbolic, "shape", None)
    rank = getattr(shape, "rank", None) if hasattr(shape, "rank") else (None if shape is None else len(shape))
    found = getattr(tensor, "shape", None)
    if rank is None or found is None or len(found) == rank:
        return
    shown = tuple(None if size is None else int(size) for size in shape or ())
    raise SourceError(
        f"The model's input {_name(symbolic)!r} has {rank} axes, {shown} with the batch, and an item of the"
        f" dataloader has {len(found)}.",
        hint="Keras adds the batch axis by itself: leave it out of the shape given to Input, and in the data.",
    )


def _mismatch(names: Sequence[str], given: str, hint: str = "") -> SourceError:
    count = f"{len(names)} input{'s' if len(names) > 1 else ''}"
    return SourceError(
        f"The model takes {count} ({', '.join(names)}), and an item of the dataloader holds {given}.",
        hint=hint or "Yield the inputs only, without labels: a dict with those names, or a tuple in that order.",
    )


def _parameters(model: Any) -> list[inspect.Parameter]:
    """The parameters of the model's function, without ``self`` and Keras' modes."""
    parameters = inspect.signature(model.call if is_keras(model) else model).parameters.values()
    return [one for one in parameters if one.name not in _MODES]


def _by_parameters(
    parameters: Sequence[inspect.Parameter], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    positional = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    required = [one.name for one in positional if one.default is one.empty]
    takes_any = any(one.kind is one.VAR_KEYWORD for one in parameters)
    takes_many = any(one.kind is one.VAR_POSITIONAL for one in parameters)
    known = {one.name for one in parameters if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)}
    if kwargs:
        names = set(kwargs) - set(_MODES)
        if (names <= known and set(required) <= names) or (takes_any and set(required) <= names):
            return list(args), dict(kwargs)
        if not args and len(required) <= 1 and positional:
            modes = {name: value for name, value in kwargs.items() if name in _MODES}
            return [{name: value for name, value in kwargs.items() if name not in modes}], modes
        raise _mismatch(required or [one.name for one in positional], ", ".join(kwargs))
    if takes_many or len(required) <= len(args) <= len(positional):
        return list(args), {}
    if len(required) == 1:
        return [list(args)], {}
    raise _mismatch(required or [one.name for one in positional], f"{len(args)} tensors")


def _dense(result: Any) -> Any:
    """The result itself. Raises :class:`SourceError` when a part of it is ragged, sparse, or a list of tensors."""
    import tensorflow as tf

    for part in tf.nest.flatten(result, expand_composites=False):
        if isinstance(part, tf.RaggedTensor | tf.SparseTensor | tf.IndexedSlices | tf.TensorArray):
            raise SourceError(
                f"The model returns a {type(part).__name__}, which stored formats cannot hold.",
                hint="Return a dense tensor, for example with .to_tensor().",
            )
    return result
