"""onnx-optimized: what ONNX Runtime makes of a graph, kept where it makes something of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import nav_onnx
from nav_onnx import ONNX, ONNX_OPTIMIZED, OptimizeRules
from nav_onnx.optimized import KINDS
from navcore import Artifact, ConvertJob, Made, OptionError, RuntimeProvider, StepError, Unavailable
from navcore.contract.formats import matching

from .cast_models import drawn, node, square, weight
from .int8_quantising import answers, signature_of
from .onnx_models import Tensors, graph_model
from .test_int8 import convolutions, turning

Stored = Callable[[onnx.ModelProto], Path]
Optimize = Callable[..., tuple[Made, Path, float]]
FLOAT = onnx.TensorProto.FLOAT


@pytest.fixture
def optimize(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Optimize:
    """Run the route on a stored model, and both files on the feeds: the largest relative L2 difference of an output."""
    here, output = tmp_path / "here", tmp_path / "made" / "model.onnx"
    here.mkdir()
    output.parent.mkdir()
    monkeypatch.chdir(here)

    def go(path: Path, feeds: Any, **rules: Any) -> tuple[Made, Path, float]:
        signature = signature_of(path)
        source = Artifact(ONNX, signature, path)
        job = ConvertJob(source, ONNX_OPTIMIZED, output, signature, feeds, OptimizeRules(**rules))
        made: Any = nav_onnx.onnx_optimized_from_onnx(job)
        assert not list(here.iterdir())
        assert {one.name for one in output.parent.iterdir()} <= {"model.onnx", "model.onnx.data"}
        before, after = (
            answers(one, [feeds])[0][0] for one in (source, made.artifact(ONNX_OPTIMIZED, signature, output))
        )
        gaps = [np.linalg.norm(before[name] - after[name]) / np.linalg.norm(before[name]) for name in before]
        return made, output, float(max(gaps))

    return go


def operators(path: Path) -> set[str]:
    return {one.op_type for one in onnx.load(path).graph.node}


def test_convolutions_are_fused_with_what_follows(stored: Stored, optimize: Optimize) -> None:
    made, output, gap = optimize(stored(convolutions()), {"x": drawn(2, 3, 8, 8)})
    assert "FusedConv" in operators(output)
    assert "BatchNormalization" not in operators(output)
    assert made.facts["nodes_before"] == "8"
    assert made.facts["nodes_after"] == str(len(onnx.load(output).graph.node))
    assert made.notes[0].startswith("The graph has ")
    assert "FusedConv" in made.notes[0]
    assert gap < 1e-5


def test_where_nothing_changes_there_is_no_such_format(stored: Stored, optimize: Optimize, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="There is nothing to change: ONNX Runtime keeps every node of this model"):
        optimize(stored(turning()), {"x": drawn(2, 4)})
    assert not list((tmp_path / "made").iterdir())


def normalised() -> onnx.ModelProto:
    """A sum that is normalised, which is one operator for ONNX Runtime."""
    nodes = [node("MatMul", "x w", "a"), node("Add", "x a", "b"), node("LayerNormalization", "b scale shift", "y")]
    weights = [square("w"), weight("scale", np.ones(4)), weight("shift", np.zeros(4))]
    shape: Tensors = [("x", FLOAT, ["n", 3, 4])]
    return graph_model(nodes, shape, [("y", FLOAT, ["n", 3, 4])], weights)


def test_every_kind_is_tried_unless_one_is_named(
    stored: Stored, optimize: Optimize, monkeypatch: pytest.MonkeyPatch
) -> None:
    from onnxruntime.transformers import optimizer

    tried: list[str] = []
    real = optimizer.optimize_model

    def spy(path: str, kind: str, *given: Any, **named: Any) -> Any:
        tried.append(kind)
        return real(path, kind, *given, **named)

    monkeypatch.setattr(optimizer, "optimize_model", spy)
    optimize(stored(normalised()), {"x": drawn(2, 3, 4)})
    assert tuple(tried) == KINDS
    tried.clear()
    optimize(stored(normalised()), {"x": drawn(2, 3, 4)}, model_type="vit")
    assert tried == ["vit"]


def test_a_transformer_optimiser_that_fails_is_told_and_not_in_the_way(
    stored: Stored, optimize: Optimize, monkeypatch: pytest.MonkeyPatch
) -> None:
    from onnxruntime.transformers import optimizer

    def broken(*_given: Any, **_named: Any) -> Any:
        raise ImportError("No module named 'sympy'")

    monkeypatch.setattr(optimizer, "optimize_model", broken)
    made, output, _gap = optimize(stored(normalised()), {"x": drawn(2, 3, 4)})
    assert "SkipLayerNormalization" in operators(output)
    assert made.notes[1] == "ONNX Runtime's transformer optimiser failed: No module named 'sympy'"
    with pytest.raises(StepError, match=r"cannot optimise this model as bert: .*sympy"):
        optimize(stored(normalised()), {"x": drawn(2, 3, 4)}, model_type="bert")


def test_a_kind_that_is_none_and_sizes_below_nothing_are_refused(stored: Stored, optimize: Optimize) -> None:
    with pytest.raises(OptionError, match="model_type is 'nope'"):
        optimize(stored(normalised()), {"x": drawn(2, 3, 4)}, model_type="nope")
    with pytest.raises(OptionError, match="num_heads is -1"):
        OptimizeRules(num_heads=-1)


def test_who_asks_for_onnx_never_gets_it_and_only_onnx_runtime_on_the_cpu_runs_it() -> None:
    assert matching("onnx", (ONNX, ONNX_OPTIMIZED)) == (ONNX,)
    from navcore.contract.decorators import ROUTES_ATTRIBUTE

    runners: list[Any] = [nav_onnx.run_on_cpu, nav_onnx.run_on_cuda, nav_onnx.run_on_tensorrt]
    runtimes = {
        one.runtime for run in runners for one in getattr(run, ROUTES_ATTRIBUTE) if one.source == "onnx-optimized"
    }
    assert runtimes == {str(RuntimeProvider.CPU)}
