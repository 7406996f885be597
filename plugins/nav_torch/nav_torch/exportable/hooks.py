"""Read the hooks of an exportable class, whether they are properties, methods or plain attributes."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from navcore import InputError, NavcoreError, SourceError
from navcore.errors import first_line

MISSING: Final = object()
NEMO_MIX_IN: Final = "nemo.core.classes.exportable"
_MIX_INS = ("nav_torch.exportable.mixin", NEMO_MIX_IN)


def is_mix_in(kind: type) -> bool:
    """Whether a class is the mix-in itself, this one or NeMo's, whose hooks are defaults and nobody's wish."""
    return kind.__name__ == "Exportable" and kind.__module__ in _MIX_INS


def is_overridden(owner: object, name: str) -> bool:
    """Whether the class, or the instance itself, brings something else under that name than a mix-in's own."""
    static = inspect.getattr_static(owner, name, MISSING)
    defaults = [vars(kind)[name] for kind in type(owner).__mro__ if is_mix_in(kind) and name in vars(kind)]
    return static is not MISSING and all(static is not default for default in defaults)


def class_name(model: object) -> str:
    """How messages call the model."""
    return type(model).__name__


def told_kind(value: object) -> str:
    """``an int``, ``a list``: the type of a value in a sentence."""
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def told_error(what: str, error: BaseException) -> str:
    """``what: RuntimeError: why.`` as one sentence."""
    return f"{what}: {type(error).__name__}: {first_line(error)}".rstrip(".") + "."


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
        raise SourceError(told_error(f"{class_name(owner)}.{name} failed", error)) from error


def taken(function: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the keyword arguments that the function takes."""
    parameters = inspect.signature(function).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return dict(arguments)
    by_name = [one.name for one in parameters.values() if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    return {name: value for name, value in arguments.items() if name in by_name}


def end_module(model: Any, side: str) -> Any:
    """The module whose example and types count for the ``"input"`` or ``"output"`` side, else the model itself."""
    import torch

    module = read_hook(model, f"{side}_module", model)
    if not isinstance(module, torch.nn.Module):
        raise InputError(
            f"{class_name(model)}.{side}_module gives {told_kind(module)}.", hint="It has to give a module."
        )
    return module


def forward_name(model: Any) -> str:
    """The method that is exported. A class that sets ``forward_for_export = None`` has none."""
    static = inspect.getattr_static(model, "forward_for_export", None)
    if static is None:
        return "forward"
    if not isinstance(static, property) and not callable(model.forward_for_export):
        raise InputError(
            f"{class_name(model)}.forward_for_export is {told_kind(static)}.", hint="It has to be a method."
        )
    return "forward_for_export"
