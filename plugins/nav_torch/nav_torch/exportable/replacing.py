"""Replace modules that exporters do not understand by ones that they do, found by the name of their class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from nav_torch.exportable.hooks import class_name, read_hook, told_kind
from navcore import InputError, NavcoreError, SourceError, first_line

if TYPE_CHECKING:
    import torch

Replacement = Callable[["torch.nn.Module"], "torch.nn.Module | None"]
"""Makes the module that takes the place of another, or ``None`` to leave that one."""


def replace_for_export(
    model: torch.nn.Module,
    replace_1D_2D: bool = False,  # noqa: N803  (the page's name)
    *,
    replacements: Mapping[str, Replacement] | None = None,
) -> None:
    """Replace submodules in place, wherever a module's class has a registered name; calling it again changes nothing.

    The registry is :data:`DEFAULT_REPLACEMENTS` (fused layer norms become ``torch.nn.LayerNorm``), the mapping that
    the model's attribute or property ``export_replacements`` gives, and ``replacements``, the later ones winning.
    ``replace_1D_2D`` adds :data:`WIDENED`: one-dimensional convolutions, batch norms and average pools computed by
    their two-dimensional kin, exactly equal and with the same weights under the same names.

    A new module gets the training flag of the one that it replaces, and a module that is used twice is replaced once.
    Raises :class:`InputError` when a registry is no mapping of functions or a replacement gives something that is no
    module, and :class:`SourceError` when one fails.
    """
    registry = {
        **DEFAULT_REPLACEMENTS,
        **(WIDENED if replace_1D_2D else {}),
        **_functions(read_hook(model, "export_replacements", None), f"{class_name(model)}.export_replacements"),
        **_functions(replacements, "replacements"),
    }
    made: dict[int, torch.nn.Module | None] = {}
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):
            make = None if child is None else registry.get(type(child).__name__)
            if child is None or make is None:
                continue
            if id(child) not in made:
                made[id(child)] = _made(make, child)
            new = made[id(child)]
            if new is not None:
                parent._modules[name] = new


def _functions(given: Any, origin: str) -> Mapping[str, Replacement]:
    """The registry as given, when it is one."""
    if given is not None and not isinstance(given, Mapping):
        raise InputError(f"{origin} is {told_kind(given)}.", hint="It has to map names of classes to functions.")
    for name, make in (given or {}).items():
        if not callable(make):
            raise InputError(
                f"{origin} has {told_kind(make)} for {name!r}.", hint="It has to map names of classes to functions."
            )
    return given or {}


def _made(make: Replacement, child: torch.nn.Module) -> torch.nn.Module | None:
    import torch

    try:
        new: Any = make(child)
    except NavcoreError:
        raise
    except Exception as error:
        raise SourceError(
            f"The replacement of {type(child).__name__} failed: {type(error).__name__}: {first_line(error)}".rstrip(".")
            + "."
        ) from error
    if new is None or new is child:
        return None
    if not isinstance(new, torch.nn.Module):
        raise InputError(
            f"The replacement of {type(child).__name__} gave {told_kind(new)}.",
            hint="It has to return a torch.nn.Module, or None to leave the module.",
        )
    return new.train(child.training)


def layer_norm(module: Any) -> torch.nn.Module:
    """``torch.nn.LayerNorm`` with the shape, epsilon, weights, device and dtype of a fused layer norm."""
    import torch

    norm = torch.nn.LayerNorm(
        module.normalized_shape, eps=module.eps, elementwise_affine=getattr(module, "elementwise_affine", True)
    )
    for name in ("weight", "bias"):
        norm._parameters[name] = getattr(module, name, None)
    return norm


def _widened(name: str) -> Replacement:
    def make(module: torch.nn.Module) -> torch.nn.Module:
        from nav_torch.exportable import wide

        kind: Any = getattr(wide, f"{name}As2d")
        new: torch.nn.Module = object.__new__(kind)
        new.__dict__.update(module.__dict__)
        return new

    return make


DEFAULT_REPLACEMENTS: Mapping[str, Replacement] = MappingProxyType(
    {"FusedLayerNorm": layer_norm, "MixedFusedLayerNorm": layer_norm}
)
"""What is always replaced: the layer norms of NVIDIA Apex."""

WIDENED: Mapping[str, Replacement] = MappingProxyType(
    {name: _widened(name) for name in ("Conv1d", "ConvTranspose1d", "BatchNorm1d", "AvgPool1d", "AdaptiveAvgPool1d")}
)
"""What ``replace_1D_2D`` replaces besides."""
