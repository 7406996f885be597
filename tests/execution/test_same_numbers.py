"""Two answers in a row: a source that draws gives the same one twice, a source that remembers does not."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from navcore.contract.jobs import Runner
from navcore.contract.signature import Feeds, Signature, TensorSpec
from navcore.execution.same_numbers import answers_in_a_row
from navcore.testing import toy

SIGNATURE = Signature((TensorSpec("x", "float32", ("batch", 3)),))
FEEDS = {"x": np.ones((1, 3), np.float32)}


def answers(call: Any) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    assert toy.TOY.live is not None
    return answers_in_a_row(Runner(call), toy.TOY.live, SIGNATURE, FEEDS)


@pytest.mark.parametrize("draw", [lambda: np.random.rand(), random.random])
def test_what_is_drawn_is_the_same_in_both(draw: Any) -> None:
    first, second = answers(lambda feeds: {"y": feeds["x"] * draw()})
    assert np.array_equal(first["y"], second["y"])


def test_what_is_remembered_differs() -> None:
    calls: list[int] = []

    def counting(feeds: Feeds) -> Mapping[str, Any]:
        calls.append(1)
        return {"y": feeds["x"] + len(calls)}

    first, second = answers(counting)
    assert np.array_equal(first["y"] + 1, second["y"])


def test_the_users_random_numbers_go_on_as_if_nothing_had_been() -> None:
    np.random.seed(3)
    expected = np.random.rand(2)[1]
    np.random.seed(3)
    np.random.rand()
    answers(lambda feeds: {"y": feeds["x"] * np.random.rand()})
    assert np.random.rand() == expected


class Drawing(toy.ToyModel):
    """Draws where no seed reaches."""

    def __call__(self, x: Any) -> Any:
        (y,) = super().__call__(x).values()
        return {"y": toy.ToyTensor((y.array + np.random.default_rng().normal(0, 0.1, y.array.shape)).astype("float32"))}


class Remembering(toy.ToyModel):
    def __call__(self, x: Any) -> Any:
        (y,) = super().__call__(x).values()
        return {"y": toy.ToyTensor(y.array + np.float32(self.calls))}


@pytest.mark.processes
@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize(
    ("model", "seeds_all", "told"),
    [
        (Drawing(), False, "does not repeat itself"),
        (Remembering(), True, "is stateful"),
        (Remembering(), False, "does not repeat itself"),  # it cannot be reset, so nothing tells it from one that draws
    ],
)
def test_a_live_source_that_draws_where_no_seed_reaches_is_not_called_stateful(
    model: Any, seeds_all: bool, told: str, run_toy: Any, request: pytest.FixtureRequest
) -> None:
    live = toy.TOY.live
    object.__setattr__(live, "seeds_all", seeds_all)  # it is frozen, and known by what it is
    request.addfinalizer(lambda: object.__setattr__(live, "seeds_all", True))
    samples = run_toy(model, targets="toy-alpha", run_profiling=False).record.samples
    assert any(told in note for note in samples.notes)
    assert samples.stateful == (told == "is stateful")
