"""Which options of a route may come from a stranger: numbers within bounds, declared field by field."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from types import MappingProxyType
from typing import Any

import attrs

_KEY = "navcore.harmless"


def harmless(minimum: float, maximum: float) -> Mapping[str, Any]:
    """Metadata for an option that is a number and may be taken from a package that nobody trusts.

    ::

        @attrs.frozen
        class Options:
            optimization_level: int = attrs.field(default=3, metadata=navcore.contract.harmless(0, 5))

    Between ``minimum`` and ``maximum``, both included, the number may change how well or how fast a model comes out: it
    must not choose code or files, and must not make a step run or grow without end. What a package recorded for an
    option without this metadata, or beyond the bounds, is shown and not used unless the package is trusted.
    """
    return MappingProxyType({_KEY: (minimum, maximum)})


def is_harmless(options: type, name: str, value: object) -> bool:
    """Whether a stranger may set the option ``name`` of the class ``options`` to ``value``."""
    if not isinstance(value, Real):
        return False
    for field in attrs.fields(options):
        if field.alias == name:
            minimum, maximum = field.metadata.get(_KEY, (1, 0))
            return bool(minimum <= value <= maximum)
    return False
