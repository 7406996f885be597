"""Every single error of a verification on the disk."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from navcore.contract.signature import Axis, Signature, TensorSpec
from navcore.evaluation.comparison import Comparison
from navcore.evaluation.sample_errors import write_errors
from navcore.evaluation.verification import verify

SIGNATURE = Signature(
    inputs=(TensorSpec("x", "float32", ("batch", 2)),),
    outputs=(TensorSpec("y", "float32", ("batch", 2)), TensorSpec("label", "int64", ("batch",))),
    axes=(Axis("batch", 1, 1, 4),),
)


def asked(label: str, *numbers: float, symbol: str | None = None, size: int | None = None) -> Comparison:
    x = np.array([numbers], np.float32)
    return Comparison(label, {"x": x}, {"y": x, "label": np.array([1])}, symbol, size)


def kept(path: Path, runner: Any, *given: Comparison) -> Mapping[str, np.ndarray]:
    verify(runner, given, signature=SIGNATURE, keep=lambda readings: write_errors(path, readings))
    with np.load(path) as file:
        return dict(file)


def test_each_output_has_its_error_in_each_comparison(tmp_path: Path) -> None:
    def runner(feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        wrong = feeds["x"][0, 0] == 3
        return {"y": feeds["x"] * (1.5 if wrong else 1), "label": np.array([2 if wrong else 1])}

    found = kept(tmp_path / "new" / "x.npz", runner, asked("sample 0", 1, 2), asked("sample 1", 3, 4))
    assert found["outputs"].tolist() == ["y", "label"]
    assert found["comparisons"].tolist() == ["sample 0", "sample 1"]
    assert found["errors"].tolist() == [[0, 0.5], [0, 1]]


def test_where_nothing_could_be_compared_there_is_no_number(tmp_path: Path) -> None:
    def runner(feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        if feeds["x"][0, 0] == 3:
            raise ValueError("not this one")
        return {"y": feeds["x"], "label": np.array([1])}

    found = kept(tmp_path / "x.npz", runner, asked("sample 0", 3, 4), asked("sample 1", 1, 2))
    assert found["comparisons"].tolist() == ["sample 1"]
    assert found["errors"].tolist() == [[0], [0]]


def test_probes_of_one_axis_are_told_apart_by_their_sizes(tmp_path: Path) -> None:
    found = kept(
        tmp_path / "x.npz",
        lambda feeds: {"y": feeds["x"], "label": np.array([1])},
        asked("sample 0 cut", 1, 2, symbol="batch", size=2),
        asked("sample 0 cut", 1, 2, symbol="batch", size=3),
    )
    assert len(set(found["comparisons"].tolist())) == 2


def test_without_a_reading_there_is_no_file(tmp_path: Path) -> None:
    write_errors(tmp_path / "x.npz", {})
    assert list(tmp_path.iterdir()) == []


def test_the_same_errors_give_the_same_bytes_at_any_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def runner(feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {"y": feeds["x"], "label": np.array([1])}

    kept(tmp_path / "x.npz", runner, asked("sample 0", 1, 2))
    monkeypatch.setattr(time, "time", lambda: 2e9)
    monkeypatch.setattr(time, "localtime", lambda *_: time.gmtime(2e9))
    kept(tmp_path / "y.npz", runner, asked("sample 0", 1, 2))
    assert (tmp_path / "x.npz").read_bytes() == (tmp_path / "y.npz").read_bytes()
