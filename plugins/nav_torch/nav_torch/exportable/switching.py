"""Which hook counts where a class has this mix-in beside another one, as NeMo's."""

from __future__ import annotations

from abc import ABCMeta
from typing import Any

from nav_torch.exportable.hooks import is_mix_in

_HOOKS = (
    "_export_teardown", "_prepare_for_export", "_provided_for_run", "disabled_deployment_input_names",
    "disabled_deployment_output_names", "dynamic_shapes_for_export", "export", "export_config", "get_export_config",
    "get_export_subnet", "input_module", "input_names", "input_types_for_export", "list_export_subnets",
    "output_module", "output_names", "output_types_for_export", "set_export_config", "supported_export_formats",
)  # fmt: skip


class Mixing(ABCMeta):
    """The class of exportable classes, which settles their hooks when they are made.

    NeMo's classes are of the class ``ABCMeta``, and leave no ``__init_subclass__`` to a mix-in that stands behind them.
    """

    def __init__(cls, name: str, bases: tuple[type, ...], members: dict[str, Any], **arguments: Any) -> None:
        super().__init__(name, bases, members, **arguments)
        own = next((base for base in cls.__mro__[1:] if is_mix_in(base) and isinstance(base, Mixing)), None)
        if own is not None:
            _prefer_own_hooks(cls, own)


def _prefer_own_hooks(kind: type, mix_in: type) -> None:
    """Let a class that has two mix-ins among its bases export by ``mix_in``, with the hooks that its models define.

    Python takes the first definition among the bases. A default of the mix-in before the model would hide the model's
    hook, and NeMo's ``export`` before the mix-in would hide this one. So whichever of the two comes first, a hook is
    what a model says, and what no model says is ``mix_in``'s.
    """
    for name in _HOOKS:
        owners = [base for base in kind.__mro__ if name in vars(base)]
        if owners and is_mix_in(owners[0]):
            chosen = next((base for base in owners if not is_mix_in(base)), mix_in)
            if chosen is not owners[0]:
                setattr(kind, name, vars(chosen)[name])
