"""What a module brings to a run by itself, asked of a method that marks its class: nothing here knows the mix-in."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from navcore import Provided

_METHOD = "_provided_for_run"


def is_exportable(module: object) -> bool:
    """Whether the module's class brings its own example, names and axes, as :class:`nav_torch.Exportable` has it."""
    return hasattr(type(module), _METHOD)


def own_data(model: Any) -> AbstractContextManager[Provided | None]:
    """What the model lends to a run that was given no data, prepared meanwhile; ``None`` for one that brings none."""
    if not is_exportable(model):
        return nullcontext()
    provided: AbstractContextManager[Provided] = getattr(model, _METHOD)()
    return provided
