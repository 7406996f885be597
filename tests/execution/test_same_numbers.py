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
