"""``get_runner`` gives a real Polygraphy runner."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import navcore as nav
from navcore.contract.jobs import Runner
from navcore.contract.signature import Signature, TensorSpec
from navcore.package.polygraphy_runner import wrap

SIGNATURE = Signature((TensorSpec("x", "float32", ("batch", 2)),), (TensorSpec("y", "float32", ("batch", 2)),))


@pytest.fixture
def closed() -> list[str]:
    return []


@pytest.fixture
def wrapped(closed: list[str]) -> Any:
    return wrap(
        "toy", SIGNATURE, lambda: Runner(lambda feeds: {"y": 2 * feeds["x"]}, close=lambda: closed.append("closed"))
    )


def test_it_is_a_polygraphy_runner(wrapped: Any, closed: list[str]) -> None:
    from polygraphy.backend.base import BaseRunner
    from polygraphy.datatype import DataType

    assert isinstance(wrapped, BaseRunner)
    x = np.ones((3, 2), np.float32)
    with wrapped as active:
        metadata = active.get_input_metadata(use_numpy_dtypes=False)
        assert metadata["x"].shape == [-1, 2]
        assert metadata["x"].dtype == DataType.FLOAT32
        outputs = active.infer({"x": x})
        assert active.last_inference_time() > 0
    assert np.array_equal(outputs["y"], 2 * x)
    assert closed == ["closed"]


def test_it_can_be_activated_again(wrapped: Any, closed: list[str]) -> None:
    for _ in range(2):
        wrapped.activate()
        wrapped.infer({"x": np.ones((1, 2), np.float32)})
        wrapped.deactivate()
    assert closed == ["closed", "closed"]


def test_wrong_feeds_are_refused_by_polygraphy(wrapped: Any) -> None:
    from polygraphy.exception import PolygraphyException

    with wrapped as active, pytest.raises(PolygraphyException):
        active.infer({"z": np.ones((1, 2), np.float32)})


@pytest.mark.parametrize("dtype", ["bfloat16", "float8_e4m3fn"])
def test_dtypes_beyond_polygraphy_have_another_way(dtype: str) -> None:
    signature = Signature((TensorSpec("x", dtype, ("batch",)),))
    with pytest.raises(nav.InputError, match=r"open_runner\(\)"):
        wrap("toy", signature, lambda: Runner(dict))


def test_nothing_is_printed(wrapped: Any, capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings(), wrapped as active:
        active.infer({"x": np.ones((1, 2), np.float32)})
    assert capfd.readouterr() == ("", "")
