"""Find the module to export behind what the user handed in."""

from __future__ import annotations

from typing import Any


def subject(model: Any) -> Any:
    """The module behind ``torch.compile``, which exporters cannot look into; any other module as it is."""
    original = getattr(model, "_orig_mod", None)
    return model if original is None else original
