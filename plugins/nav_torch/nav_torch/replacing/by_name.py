"""Find modules by the name of their class, and put others in their places."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from navcore import InputError, NavcoreError, SourceError
from navcore.errors import first_line

if TYPE_CHECKING:
    import torch

Replacement = Callable[["torch.nn.Module"], "torch.nn.Module | None"]
"""Makes the module that takes the place of another, or ``None`` to leave that one."""
_HINT = "It has to map names of classes to functions."


def replace_for_export(
    model: torch.nn.Module,
    replace_1D_2D: bool = False,  # noqa: N803  (the page's name)
    *,
    replacements: Mapping[str, Replacement] | None = None,
) -> torch.nn.Module:
    """Replace submodules in place, wherever a module's class has a registered name; calling it again changes nothing.

    The registry is :data:`DEFAULT_REPLACEMENTS`, the mapping that the model's attribute or property
    ``export_replacements`` gives, and ``replacements``, the later ones winning. ``replace_1D_2D`` adds
    :data:`WIDENED`: one-dimensional convolutions, batch norms and average pools computed by their two-dimensional kin,
    exactly equal and with the same weights under the same names.

    Returns the model. Raises what :func:`replace_modules` raises.
    """
    own: Any = getattr(model, "export_replacements", None)
    registry = {
        **DEFAULT_REPLACEMENTS,
        **(WIDENED if replace_1D_2D else {}),
        **_functions(own, f"{type(model).__name__}.export_replacements"),
        **_functions(replacements, "replacements"),
    }
    return replace_modules(model, registry)


def replace_modules(model: torch.nn.Module, expansions: Mapping[str, Replacement]) -> torch.nn.Module:
    """Replace submodules in place by what the function gives that is registered for the name of their class.

    ``None`` leaves a module. A new module gets the training flag of the one that it replaces, and a module that is used
    twice is replaced once. Returns the model, which is never replaced itself. Raises :class:`InputError` when a
    registry is no mapping of functions or a replacement gives something that is no module, and :class:`SourceError`
    when one fails.
    """
    registry = _functions(expansions, "expansions")
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
    return model


def swap_modules(model: torch.nn.Module, mapping: Mapping[str, torch.nn.Module]) -> torch.nn.Module:
    """Put modules in the places of others, in place: dotted path → module. Returns the model.

    Raises :class:`InputError` for a path that leads to no module.
    """
    for path, module in mapping.items():
        *above, last = path.split(".")
        parent: Any = model
        for name in above:
            parent = getattr(parent, "_modules", {}).get(name)
        if parent is None or last not in getattr(parent, "_modules", {}):
            raise InputError(
                f"{type(model).__name__} has no module {path!r}.", hint="Give a dotted path, as named_modules."
            )
        parent._modules[last] = module
    return model


def simple_replace(base: type[torch.nn.Module], destination: type[torch.nn.Module]) -> Replacement:
    """A function that makes a ``destination`` of the constants of a ``base``, by their order; no weights are copied."""

    def make(module: torch.nn.Module) -> torch.nn.Module | None:
        if not isinstance(module, base):
            return None
        constants: Any = getattr(module, "__constants__", ())
        return destination(*(getattr(module, name, None) for name in constants))

    return make


def wrap_module(base: type[torch.nn.Module] | None, destination: Callable[[Any], torch.nn.Module]) -> Replacement:
    """A function that makes a ``destination`` around a module; ``base`` is for the reader, as it is in NeMo."""

    def make(module: torch.nn.Module) -> torch.nn.Module:
        return destination(module)

    return make


def _functions(given: Any, origin: str) -> Mapping[str, Replacement]:
    """The registry as given, when it is one."""
    if given is not None and not isinstance(given, Mapping):
        raise InputError(f"{origin} is a {type(given).__name__}.", hint=_HINT)
    for name, make in (given or {}).items():
        if not callable(make):
            raise InputError(f"{origin} has a {type(make).__name__} for {name!r}.", hint=_HINT)
    return given or {}


def _made(make: Replacement, child: torch.nn.Module) -> torch.nn.Module | None:
    import torch

    told = f"The replacement of {type(child).__name__}"
    try:
        new: Any = make(child)
    except NavcoreError:
        raise
    except Exception as error:
        raise SourceError(f"{told} failed: {type(error).__name__}: {first_line(error)}".rstrip(".") + ".") from error
    if new is None or new is child:
        return None
    if not isinstance(new, torch.nn.Module):
        kind = type(new).__name__
        raise InputError(
            f"{told} gave {'an' if kind[0] in 'aeiou' else 'a'} {kind}.",
            hint="It has to return a torch.nn.Module, or None to leave the module.",
        )
    return new.train(child.training)


def _fused(name: str) -> Replacement:
    def make(module: torch.nn.Module) -> torch.nn.Module | None:
        from nav_torch.replacing import fused

        plain: torch.nn.Module | None = getattr(fused, name)(module)
        return plain

    return make


def _widened(name: str) -> Replacement:
    def make(module: torch.nn.Module) -> torch.nn.Module:
        from nav_torch.replacing import wide

        kind: Any = getattr(wide, f"{name}As2d")
        new: torch.nn.Module = object.__new__(kind)
        new.__dict__.update(module.__dict__)
        return new

    return make


_BY_WHAT = {
    "layer_norm": ("FastLayerNorm", "FusedLayerNorm", "MCoreFusedLayerNorm", "MixedFusedLayerNorm"),
    "rms_norm": ("FusedRMSNorm", "MixedFusedRMSNorm"),
    "linear": ("ColumnParallelLinear", "RowParallelLinear"),
    "softmax": ("FusedScaleMaskSoftmax", "MatchedScaleMaskSoftmax"),
}
DEFAULT_REPLACEMENTS: Mapping[str, Replacement] = MappingProxyType(
    {name: _fused(function) for function, names in _BY_WHAT.items() for name in names}
)
"""What is always replaced: the norms, parallel layers and softmax of NVIDIA's Apex and Megatron."""

WIDENED: Mapping[str, Replacement] = MappingProxyType(
    {name: _widened(name) for name in ("Conv1d", "ConvTranspose1d", "BatchNorm1d", "AvgPool1d", "AdaptiveAvgPool1d")}
)
"""What ``replace_1D_2D`` replaces besides."""
