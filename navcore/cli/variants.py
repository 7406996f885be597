"""A variant's ``config.yaml`` as the arguments of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs

from navcore.errors import OptionError
from navcore.registry import load_registry, option_names
from navcore.workspace import VariantConfig, read_config, run_arguments

_NOT_FOR_A_FILE = ("targets", "prefer")
_SET_BY_THE_VARIANT = ("model_name", "targets")


def arguments_of(path: Path, *, reproduce: bool) -> dict[str, Any]:
    """The keyword arguments of :func:`navcore.run` in the file.

    With ``reproduce`` those that make the same variant from the original model; without, those for a run that starts
    at the variant's own file, where the route that made it plays no part.
    """
    config = read_config(path)
    settings = attrs.asdict(config.settings(pin=_options_of_route(config)), recurse=False)
    dropped = () if reproduce else _NOT_FOR_A_FILE
    carried = (name for name, one in run_arguments().items() if one.in_variant or name in _SET_BY_THE_VARIANT)
    return {name: settings[name] for name in carried if name not in dropped}


def stored_model(path: Path) -> Path:
    """The model that a ``config.yaml`` in its workspace describes. Raises :class:`OptionError` when it is not there."""
    model = path.absolute().parent.parent / read_config(path).model_path
    if not model.exists():
        raise OptionError(f"--config {path}: its model {model} is not there.", hint="Give MODEL as well.")
    return model


def _options_of_route(config: VariantConfig) -> tuple[str, ...]:
    found = (route for route in load_registry().routes if route.id == config.route)
    return next((option_names(route) for route in found), ())
