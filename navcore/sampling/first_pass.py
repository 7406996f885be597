"""Reads every item of a dataloader once and notes names, dtypes, ranks and sizes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Set
from typing import Any

import attrs
import numpy as np

from navcore.contract import Template, flatten_call, rename_tensors
from navcore.errors import DataloaderError, InputError, NavcoreError, first_line
from navcore.sampling.settings import SamplingSettings

Array = np.ndarray[Any, Any]
ToArray = Callable[[Any], Array | None]
Told = Callable[[str, float], None]
"""Is told what is being done, and how much of it is done, from 0 to 1."""

Shape = tuple[int, ...]

_LENGTH = "Its len() has to say how many items it gives, on every pass."
_NUMBERS = "biufc"
THE_DATALOADER = "The dataloader"
_MISSING = object()
_REGISTERED_BY_A_PACKAGE = 2  # numpy's word for dtypes such as bfloat16, which ml_dtypes brings


@attrs.frozen(eq=False)
class Item:
    """One item of the dataloader: the structure of the call, and its host arrays under the names derived from it."""

    call: Template
    arrays: Mapping[str, Array]

    @property
    def layout(self) -> tuple[tuple[str, str, int], ...]:
        """Name, dtype and rank of each tensor, ordered by name."""
        return tuple(sorted((name, array.dtype.name, array.ndim) for name, array in self.arrays.items()))


@attrs.frozen(eq=False)
class Observation:
    """What one pass over the dataloader showed.

    ``names`` are the input names in order, ``derived`` the names that the items' structure gives them, ``call`` the
    call template under ``names``. ``shapes`` holds the inputs' shapes per item, in the order of ``names``.
    """

    first: Item
    call: Template
    names: tuple[str, ...]
    derived: tuple[str, ...]
    dtypes: tuple[str, ...]
    shapes: tuple[tuple[Shape, ...], ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.shapes)

    def rank(self, name: str) -> int:
        return len(self.shapes[0][self.names.index(name)])

    def sizes(self, name: str, axis: int) -> tuple[int, ...]:
        """The size of one axis in every item."""
        position = self.names.index(name)
        return tuple(shapes[position][axis] for shapes in self.shapes)

    def arrays_of(self, item: Item) -> dict[str, Array]:
        """The arrays of an item under the input names, in their order."""
        return {name: item.arrays[derived] for name, derived in zip(self.names, self.derived, strict=True)}


def observe(
    dataloader: Any, settings: SamplingSettings, to_array: ToArray, told: Told = lambda _text, _share: None
) -> Observation:
    """Look at every item once, holding one at a time; ``told`` how far it is.

    Raises :class:`DataloaderError` for a dataloader that is a set or a tensor, has no ``len()``, cannot be iterated, is
    empty, ends early, or whose items differ in structure, names, dtypes or ranks; :class:`InputError` when
    ``input_names`` does not fit the tensors of the items.
    """
    _refuse_no_items(dataloader, to_array)
    count = length(dataloader)
    iterator = iterate(dataloader)
    first: Item | None = None
    names: tuple[str, ...] = ()
    shapes: list[tuple[Shape, ...]] = []
    for index, item in numbered(iterator, count):
        read = read_item(item, index, to_array)
        if first is None:
            first, names = read, _input_names(read, settings)
        refuse_unlike(first, read, index)
        shapes.append(tuple(read.arrays[name].shape for name in first.arrays))
        told("reading the dataloader", (index + 1) / count)
    assert first is not None  # a count of at least one gives at least one item, or an error
    derived = tuple(first.arrays)
    return Observation(
        first=first,
        call=rename_tensors(first.call, dict(zip(derived, names, strict=True))),
        names=names,
        derived=derived,
        dtypes=tuple(array.dtype.name for array in first.arrays.values()),
        shapes=tuple(shapes),
        notes=_extra_items(iterator, count),
    )


def _refuse_no_items(dataloader: Any, to_array: ToArray) -> None:
    """What can be iterated and is no sequence of items: a set has no order, and one tensor is one item."""
    if isinstance(dataloader, Set):
        kind = type(dataloader).__name__
        raise DataloaderError(
            f"The dataloader is a {kind}, which has no order: every pass may give other items first.",
            hint="Pass a list.",
        )
    try:
        array = to_array(dataloader)
    except Exception:  # it is something else that its framework cannot read
        return
    if array is not None:
        raise DataloaderError(
            f"The dataloader is one tensor, of shape {array.shape}.",
            hint="Pass a list of items, each with its batch axis: [tensor], or list(tensor) for one item a row.",
        )


def length(dataloader: Any, called: str = THE_DATALOADER) -> int:
    """``len(dataloader)``, at least one; ``called`` is what an error calls it."""
    try:
        count = len(dataloader)
    except (Exception, SystemExit) as error:
        kind = type(dataloader).__name__
        told = "has no len()" if isinstance(error, TypeError) else f"fails at len(): {cause_of(error).rstrip('.')}"
        raise DataloaderError(
            f"{called}, a {kind}, {told}.", hint="Pass a list, or an object with __len__ and __iter__."
        ) from error
    if count < 1:
        raise DataloaderError(f"{called} is empty.", hint="At least one item is needed.")
    return count


def iterate(dataloader: Any, called: str = THE_DATALOADER) -> Iterator[Any]:
    """A new iterator over the dataloader; ``called`` as for :func:`length`."""
    try:
        return iter(dataloader)
    except (Exception, SystemExit) as error:
        kind = type(dataloader).__name__
        why = "" if isinstance(error, TypeError) else f": {cause_of(error).rstrip('.')}"
        raise DataloaderError(
            f"{called}, a {kind}, cannot be iterated{why}.",
            hint="Pass a list, or an object with __len__ and __iter__.",
        ) from error


def numbered(
    iterator: Iterator[Any], count: int, hint: str = _LENGTH, called: str = THE_DATALOADER
) -> Iterator[tuple[int, Any]]:
    """The first ``count`` items with their numbers.

    Raises :class:`DataloaderError`, with ``hint`` for what to do, when it ends before, or when it fails.
    """
    for index in range(count):
        try:
            item = next(iterator)
        except StopIteration:
            raise DataloaderError(f"{called} ended after {index} of {count} items.", hint=hint) from None
        except (Exception, SystemExit) as error:
            raise DataloaderError(
                f"{called} failed at item {index}: {cause_of(error)}", hint="Iterate over it to see the error."
            ) from error
        yield index, item


def cause_of(error: BaseException) -> str:
    """The kind of an error and the first line of its text."""
    return f"{type(error).__name__}: {first_line(error)}" if str(error).strip() else f"{type(error).__name__}."


def read_item(item: Any, index: int, to_array: ToArray) -> Item:
    """The structure and the arrays of one item; each tensor is converted once."""
    # Values are kept beside their arrays: an id says nothing once its object is gone.
    converted: dict[int, tuple[Any, Array | None]] = {}

    def is_tensor(value: Any) -> bool:
        if id(value) not in converted:
            converted[id(value)] = (value, to_array(value))
        return converted[id(value)][1] is not None

    try:
        call, leaves = flatten_call(item, is_tensor)
    except NavcoreError:
        raise
    except Exception as error:
        raise DataloaderError(f"Item {index} of the dataloader cannot be read: {cause_of(error)}") from error
    return Item(call, {name: _plain(name, index, converted[id(leaf)][1]) for name, leaf in leaves})


def _plain(name: str, index: int, value: Array | None) -> Array:
    array = np.asarray(value)
    if not is_numeric(array.dtype):
        raise DataloaderError(
            f"Item {index} of the dataloader holds {name!r} as an array of dtype {array.dtype}, which is not numeric.",
            hint="Yield arrays of numbers or booleans.",
        )
    return native(array)


def is_numeric(dtype: np.dtype[Any]) -> bool:
    """Whether values of this dtype are numbers or booleans, those of ml_dtypes included."""
    return dtype.kind in _NUMBERS or dtype.isbuiltin == _REGISTERED_BY_A_PACKAGE


def native(array: Array) -> Array:
    """The same numbers in this machine's byte order: a dtype's name does not tell the order."""
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def refuse_unlike(first: Item, item: Item, index: int) -> None:
    """Raise :class:`DataloaderError` when an item differs from the first in more than sizes and values."""
    if set(item.arrays) != set(first.arrays):
        raise DataloaderError(
            f"Item {index} of the dataloader holds {', '.join(item.arrays)} "
            f"where item 0 holds {', '.join(first.arrays)}.",
            hint="Every item needs the same tensors.",
        )
    for (name, dtype, rank), (_, expected_dtype, expected_rank) in zip(item.layout, first.layout, strict=True):
        if dtype != expected_dtype:
            raise DataloaderError(
                f"Item {index} of the dataloader holds {name!r} as {dtype} where item 0 holds {expected_dtype}.",
                hint="Every item needs the same dtypes.",
            )
        if rank != expected_rank:
            raise DataloaderError(
                f"Item {index} of the dataloader holds {name!r} with {rank} axes where item 0 has {expected_rank}.",
                hint="Every item needs the same number of axes.",
            )
    if _canonical(item.call) != _canonical(first.call):
        raise DataloaderError(
            _other_call(first.call, item.call, index),
            hint="Every item needs the same structure and the same constants; pass what changes as a tensor.",
        )


def _other_call(first: Template, call: Template, index: int) -> str:
    """A sentence on the first constant in which two call templates differ, or on their structure."""
    before, now = dict(_constants(first)), dict(_constants(call))
    for place in dict.fromkeys((*before, *now)):
        if repr(before.get(place, _MISSING)) != repr(now.get(place, _MISSING)):  # a NaN is no other than itself
            told = [repr(values[place]) if place in values else "nothing" for values in (now, before)]
            return f"Item {index} of the dataloader holds {told[0]} at {place!r} where item 0 holds {told[1]}."
    return f"Item {index} of the dataloader nests its tensors in another way than item 0."


def _constants(call: Template) -> Iterator[tuple[str, Any]]:
    """The constants of a call with their paths."""

    def walk(node: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        kind, content = next(iter(node.items()))
        if kind == "constant":
            yield "__".join(path), content
        elif kind == "dict":
            for key, part in content:
                yield from walk(part, (*path, str(key)))
        elif kind != "tensor":
            for number, part in enumerate(content):
                yield from walk(part, (*path, str(number)))

    for number, node in enumerate(call["args"]):
        yield from walk(node, ("input", str(number)))
    for key, node in call["kwargs"]:
        yield from walk(node, (key,))


def _canonical(call: Template) -> str:
    """The call template as text in which the order of a mapping's keys does not show."""

    def walk(node: Any) -> Any:
        kind, content = next(iter(node.items()))
        if kind == "dict":
            return {kind: sorted(([key, walk(part)] for key, part in content), key=json.dumps)}
        return {kind: [walk(part) for part in content]} if kind in {"list", "tuple"} else node

    kwargs = sorted(([key, walk(node)] for key, node in call["kwargs"]), key=json.dumps)
    return json.dumps([[walk(node) for node in call["args"]], kwargs])


def _input_names(item: Item, settings: SamplingSettings) -> tuple[str, ...]:
    derived = tuple(item.arrays)
    if settings.input_names is None:
        own = settings.positional_names
        return own if not item.call["kwargs"] and len(own) == len(derived) else derived
    if len(settings.input_names) != len(derived):
        raise InputError(
            f"There are {len(settings.input_names)} input names ({', '.join(settings.input_names)}) for the "
            f"{len(derived)} tensors of an item ({', '.join(derived)}).",
            hint="Give one name per tensor, in the same order.",
        )
    return settings.input_names


def _extra_items(iterator: Iterator[Any], count: int) -> tuple[str, ...]:
    # An object with only __getitem__ may fail in its own way behind its end; what lies there is not asked for.
    with contextlib.suppress(Exception):
        next(iterator)
        return (f"The dataloader gives more items than its len() of {count}; those behind it were ignored.",)
    return ()
