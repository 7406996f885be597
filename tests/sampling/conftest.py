"""Plain numpy functions as models and lists as dataloaders: what sampling does needs no framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from navcore.contract.signature import Signature
from navcore.sampling.sample_store import SampleStore
from navcore.sampling.settings import SamplingSettings
from navcore.sampling.take import take_samples
from navcore.workspace.samples import Samples

Array = np.ndarray[Any, Any]
Take = Callable[..., Samples]


def to_array(value: Any) -> Array | None:
    return value if isinstance(value, np.ndarray) else None


def source_of(model: Callable[..., Any]) -> Callable[[Signature, Mapping[str, Array]], Mapping[str, Array]]:
    """How a plugin runs its live model: arrays in their places, results under their names."""

    def source(signature: Signature, feeds: Mapping[str, Array]) -> Mapping[str, Array]:
        args, kwargs = signature.bind(feeds)
        return signature.name_outputs(model(*args, **kwargs), to_array)

    return source


@pytest.fixture
def store(tmp_path: Path) -> SampleStore:
    return SampleStore(tmp_path / "workspace")


@pytest.fixture
def take(store: SampleStore) -> Take:
    """Take samples of ``model`` from ``dataloader`` into ``store``; keywords are those of the request, or of it."""

    def taken(
        dataloader: Any,
        model: Callable[..., Any],
        *,
        told: Callable[[str, float], None] = lambda _text, _share: None,
        **asked: Any,
    ) -> Samples:
        request = SamplingSettings(**asked)
        return take_samples(dataloader, request, to_array=to_array, source=source_of(model), store=store, told=told)

    return taken
