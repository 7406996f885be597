"""From an item of a dataset to the inputs of a call; an item may hold more than those, such as a label."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from navcore.errors import InputError, NavcoreError
from navcore.sampling.first_pass import Array, ToArray, read_item


def feeds_of(item: Any, index: int, names: Sequence[str], to_array: ToArray) -> dict[str, Array]:
    """The arrays of the item under the ``names`` of the inputs; ``index`` is its number, for the error.

    A mapping may have its keys in any order, and further keys. A sequence begins with the inputs, or with one mapping
    of all inputs; what follows is the metric's. Raises :class:`InputError`.
    """
    first: NavcoreError | None = None
    found = 0
    for number, part in enumerate(_parts(item, names)):
        try:
            arrays = read_item(part, index, to_array).arrays
        except NavcoreError as error:
            first = first or error
            continue
        found = len(arrays) if number == 0 else found
        if set(names) <= set(arrays):
            return {name: np.asarray(arrays[name]) for name in names}
        named = isinstance(part, Mapping) and bool(set(names) & set(arrays))
        if len(arrays) == len(names) and not named:
            return dict(zip(names, arrays.values(), strict=True))
    if first is not None:
        raise first
    raise InputError(f"Item {index} holds {found} tensors, and the model takes {', '.join(names)}.")


def _parts(item: Any, names: Sequence[str]) -> Iterator[Any]:
    """What of the item may be the inputs, the likeliest first."""
    yield item
    if isinstance(item, Mapping):
        inputs = {key: part for key, part in item.items() if _is_of(key, names)}
        if inputs and len(inputs) < len(item):
            yield inputs
    elif isinstance(item, list | tuple) and len(item) > 1:
        if isinstance(item[0], Mapping):
            yield item[0]
            yield from list(_parts(item[0], names))[1:]
        yield from (item[:length] for length in range(len(item) - 1, 0, -1))


def _is_of(key: object, names: Sequence[str]) -> bool:
    """Whether the key is an input, or a structure that holds some."""
    return any(name == key or name.startswith(f"{key}__") for name in names)
