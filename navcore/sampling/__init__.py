"""Turns a dataloader into stored samples, the signature they imply, and what the source model returned for them.

Names are resolved when they are first used: a step reads samples and never takes any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

_HOMES = {
    "SampleStore": "store",
    "Samples": "taking",
    "SamplingRequest": "request",
    "Source": "source",
    "take_samples": "taking",
}

if TYPE_CHECKING:
    from navcore.sampling.request import SamplingRequest
    from navcore.sampling.source import Source
    from navcore.sampling.store import SampleStore
    from navcore.sampling.taking import Samples, take_samples


def __getattr__(name: str) -> Any:
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


__all__ = ["SampleStore", "Samples", "SamplingRequest", "Source", "take_samples"]
