"""Obtain example inputs and bind them to the parameters of the method that is exported."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from nav_torch.exportable.hooks import class_name, forward_name, has_hook, input_module, read_hook, told_kind
from nav_torch.live import is_tensor, to_array
from navcore import InputError, Template, flatten_call, flatten_result

if TYPE_CHECKING:
    import numpy as np

_CONSTANTS = (str, int, float, bool, type(None))
_P = inspect.Parameter


@attrs.frozen(eq=False)
class Argument:
    """One argument that holds tensors: ``leaves`` are their places in the call template, and their values."""

    parameter: str
    leaves: tuple[tuple[str, np.ndarray], ...]


@attrs.frozen(eq=False)
class BoundExample:
    """An example as a call of the exported method: the arguments with tensors, and the call they have places in."""

    call: Template
    arguments: tuple[Argument, ...]


def example_of(model: Any, **sizes: int) -> Any:
    """What ``input_example`` of the model's input module gives; a method is called with the ``sizes`` that it takes.

    Raises :class:`InputError` when there is no such hook, or it gives nothing.
    """
    module = input_module(model)
    owner = class_name(module)
    if not has_hook(module, "input_example"):
        raise InputError(
            f"{owner} has no input_example, and no input_example= was given.",
            hint=f"Define {owner}.input_example as a method or property that returns a tuple of tensors.",
        )
    example = read_hook(module, "input_example", **sizes)
    if example is None:
        raise InputError(
            f"{owner}.input_example gives None.", hint="It has to give a tuple of tensors, the last may be a dict."
        )
    return example


def split_example(example: Any, origin: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword arguments of an example: a trailing dict holds keywords, as ``torch.onnx.export`` has it.

    A dict that is itself the last positional argument has to be followed by an empty one. A bare tensor or dict is an
    example of one element. ``origin`` is what messages call the example.
    """
    if is_tensor(example) or isinstance(example, Mapping):
        example = (example,)
    if not isinstance(example, Sequence) or isinstance(example, str | bytes):
        converted = "Use torch.from_numpy." if _is_array(example) else ""
        raise InputError(
            f"{origin} is {told_kind(example)}.",
            hint=converted or "It has to be a tuple of tensors, the last may be a dict.",
        )
    if not example:
        raise InputError(f"{origin} is empty.", hint="Give one tensor for every input, the last element may be a dict.")
    if isinstance(example[-1], Mapping):
        strange = [name for name in example[-1] if not isinstance(name, str)]
        if strange:
            raise InputError(
                f"{origin} ends with a dict whose key {strange[0]!r} is no name of an argument.",
                hint="Add an empty dict behind a dict that is an argument itself.",
            )
        return tuple(example[:-1]), dict(example[-1])
    return tuple(example), {}


def bind_example(model: Any, example: Any, origin: str) -> BoundExample:
    """The example bound by the signature of the exported method, so that the order of a dict has no meaning.

    Raises :class:`InputError` when it does not fit the signature, holds no tensor, or something that cannot be passed.
    """
    args, kwargs = split_example(example, origin)
    method = forward_name(model)
    signature = inspect.signature(getattr(model, method))
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        raise InputError(
            f"{origin} does not fit {class_name(model)}.{method}{signature}: {error}.",
            hint="Give one element per parameter, or a dict from parameter to value at the end"
            + ("; add an empty dict behind a dict that is an argument itself." if kwargs else "."),
        ) from error
    spread = list(_spread(bound))
    for name, value, _ in spread:
        _check_value(value, name, origin)
    values = {name: value for name, value, _ in spread}
    leaves_of = {name: flatten_result(value, is_tensor) for name, value in values.items()}
    if not any(leaves_of.values()):
        raise InputError(f"{origin} holds no tensor.", hint="An exported model needs at least one tensor as input.")
    call, leaves = flatten_call(values, is_tensor)
    places = iter(leaves)
    arguments = []
    for name, found in leaves_of.items():
        own = [next(places) for _ in found]
        if own:
            arguments.append(Argument(name, tuple((place, _array(tensor)) for place, tensor in own)))
    templates = dict(call["kwargs"])
    positional = [templates[name] for name, _, kind in spread if kind == "positional"]
    named = [[name, templates[name]] for name, _, kind in spread if kind == "named"]
    return BoundExample({"args": positional, "kwargs": named}, tuple(arguments))


def _array(tensor: Any) -> np.ndarray:
    array = to_array(tensor)
    assert array is not None, "only tensors are leaves"
    return array


def _spread(bound: inspect.BoundArguments) -> Any:
    """(name, value, "positional" or "named") in the signature's order, ``*args`` and ``**kwargs`` taken apart."""
    parameters = bound.signature.parameters
    starred = any(parameters[name].kind is _P.VAR_POSITIONAL for name in bound.arguments)
    for name, value in bound.arguments.items():
        kind = parameters[name].kind
        if kind is _P.VAR_POSITIONAL:
            for number, one in enumerate(value):
                yield f"{name}_{number}", one, "positional"
        elif kind is _P.VAR_KEYWORD:
            for key, one in value.items():
                yield key, one, "named"
        elif kind is _P.POSITIONAL_ONLY or (starred and kind is _P.POSITIONAL_OR_KEYWORD):
            yield name, value, "positional"
        else:
            yield name, value, "named"


def _check_value(value: Any, name: str, origin: str) -> None:
    if is_tensor(value) or isinstance(value, _CONSTANTS):
        return
    if isinstance(value, Mapping):
        for key, part in value.items():
            _check_value(part, f"{name}[{key!r}]", origin)
        return
    if isinstance(value, Sequence):
        for number, part in enumerate(value):
            _check_value(part, f"{name}[{number}]", origin)
        return
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    hint = "Use torch.from_numpy." if _is_array(value) else "Use tensors, and plain constants between them."
    raise InputError(f"{origin} gives {name!r} as a {kind}, which is neither a tensor nor a constant.", hint=hint)


def _is_array(value: Any) -> bool:
    return f"{type(value).__module__}.{type(value).__qualname__}" == "numpy.ndarray"
