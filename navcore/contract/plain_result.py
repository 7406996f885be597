"""The result of a call as the names of its outputs tell it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_PLACE = re.compile(r"output__(\d+)")


def plain_result(outputs: Mapping[str, Any]) -> Any:
    """What :func:`flatten_result` would give these names for: one tensor, a tuple of tensors, or a dict by name.

    ``output__0`` alone is a bare tensor; ``output__0``, ``output__1`` … are a tuple; anything else is a dict. A result
    with structures inside, or whose outputs the user named, is not told by its names.
    """
    places = [_PLACE.fullmatch(name) for name in outputs]
    numbers = [int(place[1]) for place in places if place]
    if not outputs or numbers != list(range(len(outputs))):
        return dict(outputs)
    values = tuple(outputs.values())
    return values[0] if len(values) == 1 else values
