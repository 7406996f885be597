"""What an ONNX file says of its own axes, where it is the source of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import navcore as nav

from .onnx_models import graph_model

Stored = Callable[[onnx.ModelProto], Path]


def doubling(*shape: int | str) -> onnx.ModelProto:
    """``y = x + x``, float32 of that shape."""
    node = helper.make_node("Add", ["x", "x"], ["y"])
    return graph_model([node], [("x", TensorProto.FLOAT, shape)], [("y", TensorProto.FLOAT, shape)])


def items(batch: int) -> list[dict[str, Any]]:
    generator = np.random.default_rng(batch)
    return [{"x": generator.normal(size=(batch, 3)).astype(np.float32)} for _ in range(3)]


def run(path: Path, data: Any, tmp_path: Path, **asked: Any) -> nav.PackageDescriptor:
    asked = {"targets": "onnx", "run_profiling": False, **asked}
    return nav.run(path, data, workdir=tmp_path, git_info=False, **asked)


@pytest.mark.parametrize("batch", [1, 2])
def test_a_batch_that_the_file_fixes_is_read_from_it(stored: Stored, tmp_path: Path, batch: int) -> None:
    quick = nav.ProfilerConfig(measurement_interval=5, batch_sizes=[batch])
    measured = {"run_profiling": True, "profiler_config": quick, "ranking": False}
    package = run(stored(doubling(batch, 3)), items(batch), tmp_path, **measured)
    assert str(package.results[0].status) == "ok"
    assert package.results[0].runtimes[0].performance
    samples = package.record.samples
    assert samples is not None
    assert samples.signature.batch_dim is None
    assert f"Its file gives 'x' the shape ({batch}, 3)." in samples.notes[0]
    assert "tried" not in samples.notes[0]


def test_an_axis_without_a_size_moves(stored: Stored, tmp_path: Path) -> None:
    samples = run(stored(doubling("n", 3)), items(2), tmp_path).record.samples
    assert samples is not None
    assert samples.signature.batch_dim == 0


def test_items_that_do_not_fit_the_files_batch_say_so(stored: Stored, tmp_path: Path) -> None:
    with pytest.raises(nav.DataloaderError, match=r"batch of 1 and no other .*item 0 .* has a batch of 2\. Yield"):
        run(stored(doubling(1, 3)), items(2), tmp_path)


def test_batch_sizes_that_do_not_fit_the_files_batch_say_so(stored: Stored, tmp_path: Path) -> None:
    with pytest.raises(nav.OptionError, match=r"batch_sizes is \[1, 4\], and the model takes .*batch_sizes=\[1\]"):
        run(stored(doubling(1, 3)), items(1), tmp_path, profiler_config=nav.ProfilerConfig(batch_sizes=[1, 4]))


def test_an_input_of_no_axes_leaves_the_test_at_other_sizes_on(stored: Stored, tmp_path: Path) -> None:
    model = graph_model(
        [helper.make_node("Mul", ["x", "scale"], ["y"])],
        [("x", TensorProto.FLOAT, ["n", "length"]), ("scale", TensorProto.FLOAT, [])],
        [("y", TensorProto.FLOAT, ["n", "length"])],
    )
    scale = np.array(3, np.float32)
    data = [{"x": np.arange(2 * size, dtype=np.float32).reshape(2, size), "scale": scale} for size in (4, 6)]
    package = run(stored(model), data, tmp_path)
    (row,) = package.results
    assert row.status == "ok"
    samples = package.record.samples
    assert samples is not None
    assert samples.signature.batch_dim == 0
    assert [spec.shape for spec in samples.signature.inputs] == [("batch", "x_dim1"), ()]
    assert not any("not tested" in note for note in samples.notes)
    compared = (package.workspace / "probes/index.json").read_text()
    assert "a stack of 2 samples" in compared
    assert "axis x_dim1 cut from 6 to 4" in compared
