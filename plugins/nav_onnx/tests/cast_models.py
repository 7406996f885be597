"""Small models to cast, and what a cast did to them, by the names that their nodes were given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from nav_onnx.casting import Cast

from .onnx_models import Tensors, graph_model

FLOAT = TensorProto.FLOAT
X: Tensors = [("x", FLOAT, ["n", 4])]
ANY = ("rows", "columns")
Y: Tensors = [("y", FLOAT, ANY)]


def drawn(*shape: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Normally distributed numbers, always the same."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


SAMPLE = {"x": drawn(3, 4)}


def node(op: str, inputs: str, outputs: str, **attributes: Any) -> onnx.NodeProto:
    """A node named for its first output; ``_`` is an input or output that is left out."""
    taken, made = [[("" if name == "_" else name) for name in text.split()] for text in (inputs, outputs)]
    domain = attributes.pop("domain", "")
    return helper.make_node(op, taken, made, name=f"make {made[0]}", domain=domain, **attributes)


def weight(name: str, values: Any) -> TensorProto:
    return numpy_helper.from_array(np.asarray(values, np.float32), name)


def square(name: str = "w") -> TensorProto:
    return weight(name, drawn(4, 4, seed=1) / 2)


def model(nodes: Sequence[onnx.NodeProto], *weights: TensorProto, opset: int = 18, **given: Any) -> onnx.ModelProto:
    return graph_model(nodes, given.get("inputs", X), given.get("outputs", Y), weights, opset=opset)


def kept(cast: Cast) -> dict[str, str]:
    return {one.name.removeprefix("make "): one.reason for one in cast.kept}


def operators(cast: Cast) -> list[str]:
    return [one.op_type for one in cast.model.graph.node]


def lowered(cast: Cast) -> list[str]:
    return [name.removeprefix("make ") for name in cast.lowered]
