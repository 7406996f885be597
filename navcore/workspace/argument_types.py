"""What may be written for an argument: each type settles what it takes, and refuses all else in one sentence.

A type is called with the argument's name, for that sentence, and with what was written. Nothing is guessed: ``"no"`` is
not false, ``True`` is not 1, a mapping is not a list of its keys.
"""

from __future__ import annotations

import itertools
import os
import reprlib
import sys
from collections.abc import Callable, Iterable, Mapping, Set
from enum import StrEnum
from numbers import Integral
from pathlib import Path
from typing import Any

from navcore.contract import Format
from navcore.errors import OptionError

Settle = Callable[[str, Any], Any]
"""From an argument's name and what was written to the settled value. Raises :class:`OptionError`."""

LARGEST = 2**63 - 1
"""Sizes and counts go into files and frameworks as signed 64-bit numbers."""
_LONGEST_NAME = 255
_LONGEST_PATH = 4095
_MOST_ITEMS = 10_000


def refused(name: str, value: object, rule: str, instead: str) -> OptionError:
    """The error for ``name=value``: what is wrong with it, and what to write instead."""
    return OptionError(f"{name}={shown(value)} {rule}.", hint=instead)


def shown(value: object) -> str:
    """The value as a caller would recognise it, on one short line, whatever its ``__repr__`` does."""
    try:
        told = " ".join(reprlib.repr(value).split())
    except Exception:  # a foreign object may not be able to show itself
        return f"<{type(value).__name__}>"
    return told if len(told) <= 100 else f"{told[:97]}..."


def or_none(settle: Settle) -> Settle:
    """``None`` as well, which stays."""
    return lambda name, value: None if value is None else settle(name, value)


def or_else(default: Callable[[], Any], settle: Settle) -> Settle:
    """``None`` as well, which means the default."""
    return lambda name, value: default() if value is None else settle(name, value)


def switch(name: str, value: Any) -> bool:
    """True or false, numpy's as well."""
    import numpy as np

    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise refused(name, value, "has to be True or False", f"Write {name}=True or {name}=False.")


def whole(*, above: int | None = None, example: str) -> Settle:
    """A whole number, numpy's as well, of at most 64 bits."""

    def settle(name: str, value: Any) -> int:
        if not _is_whole(value):
            raise refused(name, value, "has to be a whole number", f"Write {name}={example}.")
        if above is not None and not value > above:
            raise refused(name, value, f"has to be more than {above}", f"Write {name}={example}.")
        if not -LARGEST <= int(value) <= LARGEST:
            raise refused(name, value, "has to fit into 64 bits", f"Write {name}={example}.")
        return int(value)

    return settle


def number(*, zero: bool, example: str, unlimited: str = "", most: float = sys.float_info.max) -> Settle:
    """A finite number of at least zero, or above it without ``zero``; ``unlimited`` says how to ask for no limit.

    It is at most ``most``: what is beyond is taken for a slip.
    """

    def settle(name: str, value: Any) -> float:
        import numpy as np

        if not _is_whole(value) and not isinstance(value, float | np.floating):
            raise refused(name, value, "has to be a number", f"Write {name}={example}.")
        plain = int(value) if _is_whole(value) else float(value)
        if not (plain >= 0 if zero else plain > 0):
            rule = "has to be zero or more" if zero else "has to be more than 0"
            raise refused(name, value, rule, f"Write {name}={example}.")
        if plain > sys.float_info.max:
            raise refused(name, value, "has to be finite", unlimited or f"Write {name}={example}.")
        if plain > most:
            raise refused(name, value, f"has to be at most {most:g}", unlimited or f"Write {name}={example}.")
        return plain

    return settle


def text(*, example: str) -> Settle:
    """Text that can be printed on one line, enumerations and formats included."""

    def settle(name: str, value: Any) -> str:
        if not isinstance(value, str | Format):
            raise refused(name, value, "has to be text", f"Write {name}={example}.")
        return _told(name, value, f"Write {name}={example}.")

    return settle


def word_of(words: type[StrEnum]) -> Settle:
    """A member of the enumeration, or its word."""
    known = [str(word) for word in words]

    def settle(name: str, value: Any) -> StrEnum:
        if not isinstance(value, str) or value not in known:
            raise refused(name, value, f"has to be one of {', '.join(map(repr, known))}", f"Write {name}={known[0]!r}.")
        return words(value)

    return settle


def device(name: str, value: Any) -> str:
    """The name of a device, or a framework's own object for one, which prints as its name."""
    given = str(value) if isinstance(getattr(value, "type", None), str) else value
    return str(text(example="'cpu' or 'cuda:0'")(name, given))


def sizes(*, example: str) -> Settle:
    """Whole numbers above zero, in any collection that has an order; each once."""
    one_size = whole(above=0, example=example)

    def settle(name: str, value: Any) -> tuple[int, ...]:
        instead = f"Write {name}={example}."
        if isinstance(value, str | bytes | bytearray | Mapping | Set) or not isinstance(value, Iterable):
            raise refused(name, value, "has to be a list of whole numbers", instead)
        given = _items(name, value, instead)
        if not given:
            raise refused(name, value, "is empty", instead)
        return tuple(dict.fromkeys(one_size(name, one) for one in given))

    return settle


def names(*, example: str) -> Settle:
    """One name or several, in any collection but a mapping; those of a set are sorted, since it has no order."""

    def settle(name: str, value: Any) -> tuple[str, ...]:
        instead = f"Write {name}={example}."
        if isinstance(value, str | Format):
            return (_told(name, value, instead),)
        if isinstance(value, Mapping | bytes | bytearray) or not isinstance(value, Iterable):
            raise refused(name, value, "has to be a name or a list of names", instead)
        given = _items(name, value, instead)
        for one in given:
            if not isinstance(one, str | Format):
                raise refused(name, given, f"holds {shown(one)}, which is no name", instead)
        told = tuple(_told(name, one, instead, among=given) for one in given)
        return tuple(sorted(told)) if isinstance(value, Set) else told

    return settle


def tensor_names(name: str, value: Any) -> tuple[str, ...]:
    """Names for tensors, in order. They become entries of files: no empty ones, no separators, each once."""
    instead = f"Write {name}=['a', 'b'], one name for each tensor."
    if isinstance(value, str | bytes | bytearray | Mapping | Set) or not isinstance(value, Iterable):
        raise refused(name, value, "has to be a list of names, in order", instead)
    given = _items(name, value, instead)
    for one in given:
        if not isinstance(one, str):
            raise refused(name, given, f"holds {shown(one)}, which is no name", instead)
        _told(name, one, instead, among=given)
        if set(one) & {"/", "\\"} or not one.strip("."):
            raise refused(name, given, f"holds {one!r}, and a name has no '/' or '\\' in it", instead)
        if len(one) > _LONGEST_NAME:
            raise refused(name, given, f"holds a name of {len(one)} letters", instead)
        if given.count(one) > 1:
            raise refused(name, given, f"holds {one!r} twice", "Give each tensor a name of its own.")
    return tuple(str.__str__(one) for one in given)


def by_name(settle: Settle, *, example: str, of: str = "names to values", part_of: str = "") -> Settle:
    """A mapping from names, or formats, to what ``settle`` takes; ``part_of`` names the argument of which it is one."""

    def mapped(name: str, value: Any) -> dict[str, Any]:
        instead = f"Write {part_of or name}={example}."
        if not isinstance(value, Mapping):
            raise refused(name, value, f"has to be a mapping from {of}", instead)
        settled = {}
        for key, part in value.items():
            if not isinstance(key, str | Format):
                raise refused(name, value, f"has the key {shown(key)}, which is no name", instead)
            told = _told(name, key, instead, among=value)
            settled[told] = settle(f"{name}[{told!r}]", part)
        return settled

    return mapped


def anything(_name: str, value: Any) -> Any:
    """Whatever there is: somebody else knows what it may be."""
    return value


def named_axes(name: str, value: Any) -> dict[int, str] | list[int]:
    """``{axis: symbol}`` or a list of axes; how many axes there are is known when the data are."""
    instead = f"Write {name}={{0: 'batch'}}, or a list of axes."
    if isinstance(value, Mapping):
        symbol = text(example="'batch'")
        return {_axis(name, axis, instead): symbol(f"{name}[{axis}]", part) for axis, part in value.items()}
    if isinstance(value, str | bytes | bytearray) or not isinstance(value, Iterable):
        raise refused(name, value, "has to be a mapping from axes to names", instead)
    axes = [_axis(name, axis, instead) for axis in _items(name, value, instead)]
    return sorted(axes) if isinstance(value, Set) else axes


def axis_range(name: str, value: Any) -> tuple[int, int, int]:
    """(minimum, typical, maximum), three sizes in rising order."""
    instead = f"Write {name}=(1, 8, 32), which is (minimum, typical, maximum)."
    several = isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping | Set)
    sizes = tuple(_items(name, value, instead)) if several else ()
    if len(sizes) != 3 or not all(_is_whole(size) for size in sizes):
        raise refused(name, value, "has to be three whole numbers", instead)
    if not 0 <= sizes[0] <= sizes[1] <= sizes[2] <= LARGEST:
        raise refused(name, value, "has to be three sizes of 64 bits at most, in rising order", instead)
    return int(sizes[0]), int(sizes[1]), int(sizes[2])


def axis_ranges(name: str, value: Any) -> tuple[int, int, int] | dict[int, tuple[int, int, int]]:
    """A range, or a range for each axis of one input."""
    if not isinstance(value, Mapping):
        return axis_range(name, value)
    instead = f"Write {name}={{0: (1, 8, 32)}}."
    return {_axis(name, axis, instead): axis_range(f"{name}[{axis}]", part) for axis, part in value.items()}


def path(*, example: str) -> Settle:
    """A place on the disk, as text or a path object, that the file system could have."""

    def settle(name: str, value: Any) -> Path:
        instead = f"Write {name}={example}."
        if isinstance(value, bytes | bytearray):
            raise refused(name, value, "has to be text or a Path", f"Write {name}=os.fsdecode({shown(value)}).")
        try:
            told = os.fspath(value)
        except TypeError:
            raise refused(name, value, "has to be text or a Path", instead) from None
        if not isinstance(told, str):
            raise refused(name, value, "has to be text or a Path", instead)
        if not told:
            raise refused(name, value, "is empty", f"Write {name}={example}, or '.' for the current folder.")
        _refuse_impossible(name, told, instead)
        return Path(told)

    return settle


def able(method: str | None, *, what: str, example: str) -> Settle:
    """An object with that method, or, without one, something that can be called."""

    def settle(name: str, value: Any) -> Any:
        used = value if method is None else getattr(value, method, None)
        if not callable(used) or isinstance(value, type):
            raise refused(name, value, f"has to be {what}", f"Write {name}={example}.")
        return value

    return settle


def _refuse_impossible(name: str, told: str, instead: str) -> None:
    try:
        encoded = os.fsencode(told)
    except UnicodeEncodeError:
        raise refused(name, told, "cannot be the name of a file", instead) from None
    if b"\0" in encoded:
        raise refused(name, told, "has a NUL in it, which no path can have", instead)
    if len(encoded) > _LONGEST_PATH or any(len(part) > _LONGEST_NAME for part in encoded.split(b"/")):
        raise refused(name, told, f"is too long: a name has at most {_LONGEST_NAME} bytes", instead)


def _items(name: str, value: Iterable[Any], instead: str) -> list[Any]:
    items = list(itertools.islice(value, _MOST_ITEMS + 1))
    if len(items) > _MOST_ITEMS:
        raise refused(name, value, f"holds more than {_MOST_ITEMS} items", instead)
    return items


def _told(name: str, value: str | Format, instead: str, *, among: object = None) -> str:
    """The value as text, if it can be a name; ``among`` is the collection that it was taken from."""
    told = str.__str__(value) if isinstance(value, str) else value.name  # an enumeration's own str() may differ
    fault = "an empty name" if not told.strip() else "" if told.isprintable() else "a name with control characters"
    if fault:
        raise refused(name, told if among is None else among, f"{'is' if among is None else 'holds'} {fault}", instead)
    return told


def _axis(name: str, axis: Any, instead: str) -> int:
    if not _is_whole(axis) or not -LARGEST <= axis <= LARGEST:
        raise refused(name, axis, "names an axis by something else than its number", instead)
    return int(axis)


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
