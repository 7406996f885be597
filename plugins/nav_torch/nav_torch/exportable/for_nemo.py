"""Put this mix-in's ``export`` in the place of NeMo's, for every model of NeMo's."""

from __future__ import annotations

import importlib
import importlib.util

from nav_torch.exportable.hooks import NEMO_MIX_IN
from nav_torch.exportable.mixin import Exportable
from navcore import Unavailable

_IN_PLACE = ("_prepare_for_export", "_provided_for_run", "export", "get_export_config", "set_export_config")
"""What every model of NeMo's gets; its other hooks mean the same in both mix-ins."""


def use_for_nemo() -> None:
    """Let every model of NeMo's export by nav_torch, in this process from now on, those that exist already included.

    NeMo's own mix-in gets the ``export`` of :class:`nav_torch.Exportable` and what belongs to it, with all of its
    arguments and formats, and ``navcore.run`` takes the models without data. Hooks that a model defines count as
    before. Calling it again changes nothing. Raises :class:`navcore.Unavailable` where NeMo is not installed.
    """
    if importlib.util.find_spec("nemo") is None:
        raise Unavailable("NeMo is not installed, so none of its models can export.", hint="Install nemo_toolkit.")
    mix_in = importlib.import_module(NEMO_MIX_IN).Exportable
    for name in _IN_PLACE:
        setattr(mix_in, name, vars(Exportable)[name])
