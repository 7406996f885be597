"""A model's export config: read its options from Python or a command line, and hold it for one export."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Final

from nav_torch.exportable.hooks import MISSING, class_name, is_overridden, told_kind
from nav_torch.own_data import is_exportable
from navcore import InputError, OptionError

ATTRIBUTE = "export_config"
UNDECLARED: Final = MappingProxyType[str, Any]({})
"""What the mix-in has as ``export_config``: its class declares no options."""
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_KINDS = {bool: "True or False", int: "a whole number", float: "a number", str: "a text"}


def declared_config(model: Any) -> dict[str, Any] | None:
    """The options that the class declares, with their defaults; ``None`` where it declares none.

    Raises :class:`InputError` where ``export_config`` of the class is something else than a dict by name.
    """
    found = inspect.getattr_static(type(model), ATTRIBUTE, MISSING)
    if found is MISSING or found is UNDECLARED:
        return None
    return _options(found, f"{class_name(model)}.{ATTRIBUTE}")


def read_config(model: Any) -> dict[str, Any]:
    """A copy of the config: what was set, and the defaults of what was not."""
    own = vars(model).get(ATTRIBUTE, {})
    return {**(declared_config(model) or {}), **_options(own, f"{class_name(model)}.{ATTRIBUTE}")}


def changed_config(model: Any, given: Any, origin: str) -> dict[str, Any]:
    """The config with the given options changed, their texts read as :func:`option_value` does.

    ``origin`` is what messages call them. Raises :class:`OptionError` for an option that the class does not declare,
    where it declares any, and for a value of another kind than its default's.
    """
    declared = declared_config(model)
    changed = read_config(model)
    for name, value in _options(given, origin).items():
        if declared is not None and name not in declared:
            near = difflib.get_close_matches(name, sorted(declared), n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known options: {', '.join(declared) or 'none'}."
            raise OptionError(f"{origin}: {class_name(model)} has no export option {name!r}.", hint=hint)
        default = None if declared is None else declared[name]
        try:
            changed[name] = option_value(value, default)
        except ValueError as error:
            kind = next(told for kind, told in _KINDS.items() if isinstance(default, kind))
            raise OptionError(
                f"{origin}: the export option {name!r} of {class_name(model)} is {value!r}.", hint=f"Give {kind}."
            ) from error
    return changed


def option_value(value: Any, default: Any = None) -> Any:
    """The value of an option in the kind of its default: bool, int, float or text; other defaults take any value.

    A text, as it comes from a command line, is read: as the default's kind, or without such a default as what it looks
    like (``"False"`` is ``False``, ``"none"`` is ``None``, ``"3"`` and ``"1e-3"`` are numbers). ``None`` stays. Raises
    :class:`ValueError` for what is not of the kind.
    """
    kind = next((one for one in _KINDS if isinstance(default, one)), None)  # a bool is an int, too, so it comes first
    if value is None or kind is str:
        return _held(value, str)
    if not isinstance(value, str):
        return value if kind is None else _held(value, kind)
    plain = value.strip()
    if kind is None:
        return _looked_like(plain, value)
    if kind is bool:
        if plain.lower() not in (*_TRUE, *_FALSE):
            raise ValueError(value)
        return plain.lower() in _TRUE
    return kind(plain)


def _held(value: Any, kind: type) -> Any:
    if value is None or (isinstance(value, kind) and (kind is bool or not isinstance(value, bool))):
        return value
    if kind is float and type(value) is int:
        return float(value)
    raise ValueError(value)


def _looked_like(plain: str, value: str) -> Any:
    if plain.lower() in ("true", "false", "none"):
        return {"true": True, "false": False, "none": None}[plain.lower()]
    if re.fullmatch(r"[+-]?\d+", plain):
        return int(plain)
    if re.fullmatch(r"[+-]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][+-]?\d+)?", plain):
        return float(plain)
    return value


def _options(given: Any, origin: str) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise OptionError(f"{origin} is {told_kind(given)}.", hint="Give a dict from option to value.")
    strange = next((name for name in given if not isinstance(name, str) or not name), None)
    if strange is not None:
        raise OptionError(f"{origin} has the key {strange!r}, which is no name of an option.", hint="Keys are names.")
    return dict(given)


@contextmanager
def configured(model: Any, given: Mapping[str, Any] | None) -> Iterator[None]:
    """For the time of an export, every exportable module in the model has its whole config as ``export_config``.

    ``given`` are options of this export, set by ``set_export_config`` of the model, which an override may pass on to
    its parts. Afterwards every config is what it was, and so are the attributes that such an override set.
    """
    parts = [module for module in model.modules() if is_exportable(module)]
    before = [(part, vars(part).get(ATTRIBUTE, MISSING)) for part in parts]
    changed: list[tuple[Any, str, Any]] = []
    try:
        if given is not None:
            for part, own in before:
                if isinstance(own, dict):  # NeMo's own method changes it in place
                    vars(part)[ATTRIBUTE] = dict(own)
            known = [(module, dict(vars(module))) for module in model.modules()]
            model.set_export_config(given)
            changed = [
                (module, name, old.get(name, MISSING))
                for module, old in known
                for name in {*old, *vars(module)}
                if vars(module).get(name, MISSING) is not old.get(name, MISSING)
            ]
        for part in parts:
            config = read_config(part)
            if config:
                vars(part)[ATTRIBUTE] = config
        yield
    finally:
        for part, name, own in (*changed, *((part, ATTRIBUTE, own) for part, own in before)):
            if own is MISSING:
                vars(part).pop(name, None)
            else:
                vars(part)[name] = own


def refuse_bad_config(model: Any, given: Any) -> None:
    """Raise :class:`InputError` for configs that cannot be used, before anything is changed.

    Options that an overridden ``set_export_config`` takes for itself are for that to judge.
    """
    read_config(model)
    if given is None:
        return
    if not is_overridden(model, "set_export_config"):
        changed_config(model, given, "export_config=")
    elif not isinstance(given, Mapping):
        raise InputError(f"export_config= is {told_kind(given)}.", hint="Give a dict from option to value.")
