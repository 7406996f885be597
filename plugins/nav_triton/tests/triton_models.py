"""Small ONNX models that show what Triton has its own way with, exported by a run of navcore; tests import them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

import navcore as nav

Array = np.ndarray[Any, Any]
Tensor = tuple[str, int, Sequence[int | str]]
NASTY = 'a"b\\ä} input {'
"""A name that could end a string, a line or a message."""


def saved(path: Path, nodes: Sequence[Any], inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Path:
    """The graph as an ONNX file, with one weight: ``W``, float32 of shape ``(4, 3)``."""
    values = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    weights = [helper.make_tensor("W", TensorProto.FLOAT, [4, 3], values.tobytes(), raw=True)]
    taken, returned = ([helper.make_tensor_value_info(*one) for one in side] for side in (inputs, outputs))
    graph = helper.make_graph(nodes, "graph", taken, returned, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def rows(path: Path) -> Path:
    """``x`` float32 ``(batch, 4)`` → ``y`` float32 ``(batch, 3)``, ``positive`` bool of the same shape."""
    nodes = [
        helper.make_node("MatMul", ["x", "W"], ["y"]),
        helper.make_node("Sub", ["y", "y"], ["zero"]),
        helper.make_node("Greater", ["y", "zero"], ["positive"]),
    ]
    return saved(
        path,
        nodes,
        [("x", TensorProto.FLOAT, ["batch", 4])],
        [("y", TensorProto.FLOAT, ["batch", 3]), ("positive", TensorProto.BOOL, ["batch", 3])],
    )


def numbers(path: Path) -> Path:
    """A number per sample: ``scale`` float16 ``(batch,)`` and ``ids`` int64 ``(batch, n)``, under a nasty name.

    → the sum of each row, float16 ``(batch,)``, and the row scaled, float16 ``(batch, n)``.
    """
    nodes = [
        helper.make_node("Cast", [NASTY], ["rows"], to=TensorProto.FLOAT16),
        helper.make_node("Constant", [], ["last"], value_ints=[1]),
        helper.make_node("ReduceSum", ["rows", "last"], ["total"], keepdims=0),
        helper.make_node("Unsqueeze", ["scale", "last"], ["column"]),
        helper.make_node("Mul", ["rows", "column"], ["scaled"]),
    ]
    return saved(
        path,
        nodes,
        [("scale", TensorProto.FLOAT16, ["batch"]), (NASTY, TensorProto.INT64, ["batch", "n"])],
        [("total", TensorProto.FLOAT16, ["batch"]), ("scaled", TensorProto.FLOAT16, ["batch", "n"])],
    )


def alone(path: Path) -> Path:
    """A model that does not batch: ``x`` float32 ``(4,)`` → ``total`` float32 ``()``, ``y`` float32 ``(3,)``."""
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["total"], keepdims=0),
        helper.make_node("MatMul", ["x", "W"], ["y"]),
    ]
    return saved(
        path,
        nodes,
        [("x", TensorProto.FLOAT, [4])],
        [("total", TensorProto.FLOAT, []), ("y", TensorProto.FLOAT, [3])],
    )


def data(number: int = 6) -> list[Mapping[str, Array]]:
    """Batches of three for :func:`rows`."""
    return [{"x": _normal(one, (3, 4))} for one in range(number)]


def data_of_numbers(number: int = 6) -> list[Mapping[str, Array]]:
    """Batches of two for :func:`numbers`, with rows of three to five."""
    return [
        {
            "scale": _normal(one, (2,)).astype(np.float16),
            NASTY: np.random.default_rng(one).integers(0, 9, (2, 3 + one % 3)),
        }
        for one in range(number)
    ]


def data_alone(number: int = 6) -> list[Mapping[str, Array]]:
    """Calls for :func:`alone`."""
    return [{"x": _normal(one, (4,))} for one in range(number)]


def packaged(model: Any, dataloader: Any, workdir: Path, **settings: Any) -> nav.PackageDescriptor:
    """The model in its own runtimes, verified and not measured."""
    asked = {"targets": ["onnx"], "run_profiling": False, "git_info": False, **settings}
    return nav.run(model, dataloader, workdir=workdir, **asked)


def _normal(seed: int, shape: tuple[int, ...]) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
