"""NeMo's check of types: on, it takes arguments by name only, so no exporter gets through it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

_ENABLED = True


def is_typecheck_enabled() -> bool:
    return _ENABLED


class typecheck:  # noqa: N801  (NeMo's name)
    """Decorates a method whose arguments are checked against ``input_types``."""

    def __call__(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def checked(module: Any, *args: Any, **kwargs: Any) -> Any:
            if is_typecheck_enabled() and args:
                raise TypeError("typed methods take their arguments by name")
            if is_typecheck_enabled() and set(kwargs) - set(module.input_types):
                raise TypeError("an argument has no type")
            return method(module, *args, **kwargs)

        return checked

    @staticmethod
    def set_typecheck_enabled(enabled: bool = True) -> None:
        global _ENABLED
        _ENABLED = enabled
