"""How far values reach on the samples, and how far apart two models are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from nav_onnx import ONNX
from nav_onnx.model_writing import store_model
from nav_onnx.sample_runs import SEARCHED, Reach, Samples, distance, reaches
from navcore import Artifact

from .cast_models import SAMPLE, drawn, model, node
from .int8_quantising import signature_of

Stored = Callable[[onnx.ModelProto], Path]


def drawn_samples(count: int) -> list[dict[str, Any]]:
    return [{"x": drawn(1, 4, seed=seed)} for seed in range(count)]


def chain() -> onnx.ModelProto:
    """x, x², 1/x², and a part of x that may hold nothing."""
    return model([node("Mul", "x x", "a"), node("Reciprocal", "a", "b"), node("Relu", "b", "y")])


@pytest.fixture
def reached(stored: Stored, tmp_path: Path) -> Callable[..., dict[str, Reach]]:
    def go(built: onnx.ModelProto, feeds: Any, names: list[str], cut: float = 0.0) -> dict[str, Reach]:
        path = stored(built)
        samples = Samples(Artifact(ONNX, signature_of(path), path), feeds, 1)
        watched = tmp_path / "watched.onnx"
        return dict(reaches(samples, built, names, lambda watching: store_model(watching, watched), cut))

    return go


def test_the_reach_of_a_value_is_over_all_samples(reached: Any) -> None:
    feeds = drawn_samples(5)
    together = np.concatenate([one["x"] for one in feeds])
    found = reached(chain(), feeds, ["x", "a"])
    assert (found["x"].low, found["x"].high) == (together.min(), together.max())
    assert found["a"].magnitude == pytest.approx(float((together**2).max()))


def test_infinity_and_nan_are_left_out_of_the_reach(reached: Any) -> None:
    feeds = [{"x": np.array([[0, 1, 2, 4]], np.float32)}]
    assert reached(chain(), feeds, ["a", "b"]) == {"a": Reach(0, 16), "b": Reach(0.0625, 1)}
    assert reached(chain(), [{"x": np.zeros((1, 4), np.float32)}], ["b"]) == {}


def test_a_value_that_is_empty_hides_no_other(reached: Any) -> None:
    empty = {"x": np.zeros((0, 4), np.float32)}
    assert reached(chain(), [empty, {"x": np.ones((1, 4), np.float32)}], ["a"]) == {"a": Reach(1, 1)}


def test_a_cut_leaves_out_what_is_outermost_in_each_sample(reached: Any) -> None:
    feeds = [{"x": np.array([*range(1, 1000), 1e6], np.float32).reshape(250, 4)}]
    assert reached(chain(), feeds, ["x"], 0.01)["x"].high < 1000


def test_more_values_than_one_run_hands_out(reached: Any) -> None:
    """The same number throughout; a cut has to look at the values themselves."""
    nodes = [node("Identity", f"v{number}" if number else "x", f"v{number + 1}") for number in range(150)]
    names = [f"v{number + 1}" for number in range(150)]
    built = model([*nodes, node("Relu", "v150", "y")])
    for cut in (0.0, 0.001):
        assert len(set(reached(built, [SAMPLE], names, cut).values())) == 1


@pytest.mark.parametrize("count", [1, 2, SEARCHED, 40])
def test_a_few_samples_are_spread_over_all(count: int, stored: Stored) -> None:
    path = stored(chain())
    numbers = Samples(Artifact(ONNX, signature_of(path), path), drawn_samples(count)).few()
    assert len(numbers) == min(count, SEARCHED)
    assert (numbers[0], numbers[-1]) == (0, count - 1)


def test_distances() -> None:
    one, two = np.array([3.0, 4.0]), np.array([3.0, 4.5])
    assert distance({"y": one}, {"y": two}) == pytest.approx(0.1)
    assert distance({"y": one, "n": np.array([1, 2])}, {"y": one, "n": np.array([1, 3])}) == 0.5
    assert distance({"y": one}, {"y": np.array([np.nan, 4.0])}) == float("inf")
    assert distance({"y": one}, {"y": one[None]}) == float("inf")
    assert distance({"y": np.zeros(2)}, {"y": np.zeros(2)}) == 0
    assert distance({"y": np.zeros(2)}, {"y": one}) == float("inf")
