"""The toy framework itself: a complete plugin, and a dataloader that varies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from navcore.registry.loading import load_registry


def test_it_implements_every_hook(toy: Any) -> None:
    plugin = load_registry().plugin("toy")
    assert plugin is not None
    assert plugin.problem == ""
    assert {route.hook for route in plugin.routes} == {"export_model", "convert", "make_runner", "profile"}


def test_the_model_takes_only_its_own_tensors(toy: Any) -> None:
    model = toy.ToyModel(factor=3.0, offset=1.0)
    answer = model(toy.ToyTensor(np.ones(2, np.float32)))
    assert answer["y"].array.tolist() == [4.0, 4.0]
    assert model.calls == 1
    with pytest.raises(TypeError, match="takes a ToyTensor"):
        model(np.ones(2))


def test_the_state_tells_models_apart(toy: Any) -> None:
    def state(**fields: Any) -> dict[str, bytes]:
        return {name: array.tobytes() for name, array in toy.TOY.live.state(toy.ToyModel(**fields))}

    assert state() == state(training=False, calls=5)
    assert state() != state(factor=3.0)
    assert state() != state(mischief={"alpha": "raise"})


def test_the_items_of_the_dataloader_differ_in_size_and_values(toy: Any) -> None:
    items = toy.dataloader(sizes=(4, 4, 6), batch=3)
    assert [item["x"].array.shape for item in items] == [(3, 4), (3, 4), (3, 6)]
    assert not np.array_equal(items[0]["x"].array, items[1]["x"].array)
    assert np.array_equal(items[0]["x"].array, toy.dataloader(sizes=(4,), batch=3)[0]["x"].array)
