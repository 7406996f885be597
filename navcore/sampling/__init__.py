"""Turns a dataloader into stored samples, the signature they imply, and what the source model returned for them."""

from __future__ import annotations

from navcore.sampling.request import SamplingRequest
from navcore.sampling.source import Source
from navcore.sampling.store import SampleStore
from navcore.sampling.taking import Samples, take_samples

__all__ = ["SampleStore", "Samples", "SamplingRequest", "Source", "take_samples"]
