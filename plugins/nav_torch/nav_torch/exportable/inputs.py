"""Obtain example inputs and bind them to the parameters of the method that is exported."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from nav_torch.exportable.hooks import class_name, end_module, forward_name, has_hook, read_hook, told_kind
from nav_torch.live import is_tensor, to_array
from navcore import InputError, Template
from navcore.contract import flatten_call, flatten_result

if TYPE_CHECKING:
    import numpy as np

_P = inspect.Parameter


@attrs.frozen(eq=False)
class Group:
    """What one argument, or one element of a result, holds: a key where it has one, and its tensors with places."""

    key: str | None
    leaves: tuple[tuple[str, np.ndarray], ...]


@attrs.frozen(eq=False)
class BoundExample:
    """An example as a call of the exported method: the call, the arguments with tensors, and those held constant."""

    call: Template
    arguments: tuple[Group, ...]
    held: Mapping[str, Any]


def example_of(model: Any, **sizes: int) -> Any:
    """What ``input_example`` of the model's input module gives; a method is called with the ``sizes`` that it takes.

    Raises :class:`InputError` when there is no such hook, or it gives nothing.
    """
    module = end_module(model, "input")
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


def _split(example: Any, origin: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword arguments of an example: a trailing dict holds keywords, as ``torch.onnx.export`` has it.

    A dict that is itself the last positional argument has to be followed by an empty one. A bare tensor or dict is an
    example of one element. ``origin`` is what messages call the example.
    """
    if is_tensor(example) or isinstance(example, Mapping):
        example = (example,)
    if not isinstance(example, Sequence) or isinstance(example, str | bytes):
        converted = "Use torch.from_numpy." if _kind(example) == "numpy.ndarray" else ""
        hint = converted or "It has to be a tuple of tensors, the last may be a dict."
        raise InputError(f"{origin} is {told_kind(example)}.", hint=hint)
    if not example:
        raise InputError(f"{origin} is empty.", hint="Give one tensor for every input, the last element may be a dict.")
    if not isinstance(example[-1], Mapping):
        return tuple(example), {}
    strange = [name for name in example[-1] if not isinstance(name, str)]
    if strange:
        raise InputError(
            f"{origin} ends with a dict whose key {strange[0]!r} is no name of an argument.",
            hint="Add an empty dict behind a dict that is an argument itself.",
        )
    return tuple(example[:-1]), dict(example[-1])


def bind_example(model: Any, example: Any, origin: str, disabled: Collection[str] = ()) -> BoundExample:
    """The example bound by the signature of the exported method, so that the order of a dict has no meaning.

    An argument whose parameter is ``disabled`` is left to its default, or held constant where it has none. Raises
    :class:`InputError` when the example does not fit the signature, holds no tensor, or what cannot be passed.
    """
    args, kwargs = _split(example, origin)
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
    out = [name for name in bound.arguments if name in disabled]
    dropped = {name: bound.arguments.pop(name) for name in out}
    held = {name: value for name, value in dropped.items() if signature.parameters[name].default is _P.empty}
    spread = [one for one in _spread(bound) if one[0] not in disabled]
    for name, value, _ in spread:
        _refuse_bad_value(value, name, origin)
    values = {name: value for name, value, _ in spread}
    found = {name: flatten_result(value, is_tensor) for name, value in values.items()}
    if not any(found.values()):
        raise InputError(f"{origin} holds no tensor.", hint="An exported model needs at least one tensor as input.")
    call, leaves = flatten_call(values, is_tensor)
    places = iter(leaves)
    groups = [Group(name, tuple((place, host_array(tensor)) for place, tensor in [next(places) for _ in own]))
              for name, own in found.items() if own]  # fmt: skip
    templates = dict(call["kwargs"])
    positional = [templates[name] for name, _, by_name in spread if not by_name]
    named = [[name, templates[name]] for name, _, by_name in spread if by_name]
    return BoundExample({"args": positional, "kwargs": named}, tuple(groups), held)


def host_array(tensor: Any) -> np.ndarray:
    """The values of a tensor."""
    array = to_array(tensor)
    assert array is not None, "only tensors are leaves"
    return array


def _spread(bound: inspect.BoundArguments) -> Iterator[tuple[str, Any, bool]]:
    """(name, value, whether by name) in the signature's order, ``*args`` and ``**kwargs`` taken apart."""
    parameters = bound.signature.parameters
    starred = any(parameters[name].kind is _P.VAR_POSITIONAL for name in bound.arguments)
    for name, value in bound.arguments.items():
        kind = parameters[name].kind
        if kind is _P.VAR_POSITIONAL:
            yield from ((f"{name}_{number}", one, False) for number, one in enumerate(value))
        elif kind is _P.VAR_KEYWORD:
            yield from ((key, one, True) for key, one in value.items())
        else:
            yield name, value, not (kind is _P.POSITIONAL_ONLY or (starred and kind is _P.POSITIONAL_OR_KEYWORD))


def _refuse_bad_value(value: Any, name: str, origin: str) -> None:
    if is_tensor(value) or isinstance(value, str | int | float | bool | None):
        return
    if isinstance(value, Mapping | Sequence):
        parts = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, part in parts:
            _refuse_bad_value(part, f"{name}[{key!r}]", origin)
        return
    hint = (
        "Use torch.from_numpy." if _kind(value) == "numpy.ndarray" else "Use tensors, and plain constants between them."
    )
    raise InputError(
        f"{origin} gives {name!r} as a {_kind(value)}, which is neither a tensor nor a constant.", hint=hint
    )


def _kind(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"
