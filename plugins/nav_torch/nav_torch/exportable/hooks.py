"""Read the hooks of an exportable class, whether they are properties, methods or plain attributes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from navcore import InputError, NavcoreError, SourceError, first_line

MISSING: Final = object()
_OWN = "_nav_torch_own"
Hook = TypeVar("Hook", bound=Callable[..., Any])


def own_hook(function: Hook) -> Hook:
    """Mark a hook as the mix-in's own, so that an override can be told from it by who does not know the mix-in.

    The mark is the function itself: one that wraps it, and takes over its attributes, is an override.
    """
    setattr(function, _OWN, function)
    return function


def is_overridden(owner: object, name: str) -> bool:
    """Whether the class has another function under that name than the mix-in's own."""
    function = getattr(type(owner), name, None)
    return function is None or getattr(function, _OWN, None) is not function


def class_name(model: object) -> str:
    """How messages call the model."""
    return type(model).__name__


def told_kind(value: object) -> str:
    """``an int``, ``a list``: the type of a value in a sentence."""
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def has_hook(owner: object, name: str) -> bool:
    """Whether the class, or the instance itself, brings the hook."""
    return inspect.getattr_static(owner, name, MISSING) is not MISSING


def read_hook(owner: object, name: str, default: Any = MISSING, **arguments: Any) -> Any:
    """The hook's value; a method is called with those of ``arguments`` that it takes.

    An error inside a property of a ``torch.nn.Module`` would come out as "object has no attribute"; here it is told as
    what it is. Raises :class:`InputError` for a missing hook without a default, and :class:`SourceError` for one that
    fails.
    """
    static = inspect.getattr_static(owner, name, MISSING)
    if static is MISSING:
        if default is not MISSING:
            return default
        raise InputError(f"{class_name(owner)} has no {name}.", hint=f"Define {name} in the class.")
    with blaming(owner, name):
        value = static.__get__(owner, type(owner)) if isinstance(static, property) else getattr(owner, name)
        return value(**taken(value, arguments)) if inspect.isroutine(value) else value


def read_names(owner: object, name: str, default: Any = None) -> tuple[str, ...] | None:
    """The value of a hook that gives names; one text is one name, and ``None`` stays ``None``.

    Raises :class:`InputError` for anything else.
    """
    value = read_hook(owner, name, default)
    if value is None:
        return None
    names = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, Iterable) else None
    strange = value if names is None else next((one for one in names if not isinstance(one, str) or not one), None)
    if names is None or strange is not None:
        what = f"is {told_kind(value)}" if names is None else f"holds {strange!r}, which is no name"
        raise InputError(f"{class_name(owner)}.{name} {what}.", hint="It has to be a set or list of names.")
    return names


@contextmanager
def blaming(owner: object, name: str) -> Iterator[None]:
    """Raise whatever goes wrong inside as :class:`SourceError` naming class and hook; navcore's errors pass."""
    try:
        yield
    except NavcoreError:
        raise
    except Exception as error:
        raise SourceError(
            f"{class_name(owner)}.{name} failed: {type(error).__name__}: {first_line(error)}".rstrip(".") + "."
        ) from error


def taken(function: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the keyword arguments that the function takes."""
    parameters = inspect.signature(function).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return dict(arguments)
    named = {
        name
        for name, parameter in parameters.items()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
    return {name: value for name, value in arguments.items() if name in named}


def input_module(model: Any) -> Any:
    """The module whose example and input types count: ``input_module``, else the model itself."""
    return _module(model, "input_module")


def output_module(model: Any) -> Any:
    """The module whose output types count: ``output_module``, else the model itself."""
    return _module(model, "output_module")


def _module(model: Any, name: str) -> Any:
    import torch

    module = read_hook(model, name, model)
    if not isinstance(module, torch.nn.Module):
        raise InputError(f"{class_name(model)}.{name} gives {told_kind(module)}.", hint="It has to give a module.")
    return module


def forward_name(model: Any) -> str:
    """The method that is exported. A class that sets ``forward_for_export = None`` has none."""
    static = inspect.getattr_static(model, "forward_for_export", None)
    if static is None:
        return "forward"
    if not isinstance(static, property) and not callable(getattr(model, "forward_for_export")):  # noqa: B009
        raise InputError(
            f"{class_name(model)}.forward_for_export is {told_kind(static)}.", hint="It has to be a method."
        )
    return "forward_for_export"
