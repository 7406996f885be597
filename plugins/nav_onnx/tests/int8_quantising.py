"""Quantising a stored model as a run does it, and running both on the samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import onnx
import pytest

import nav_onnx
from nav_onnx import ONNX, ONNX_INT8, QuantiseRules, RuntimeOptions
from nav_onnx.int8_layers import walked
from navcore import Artifact, ConvertJob, Made, RunnerJob, RuntimeProvider, Signature, TensorSpec

Feeds = dict[str, np.ndarray[Any, Any]]


@attrs.frozen
class Quantised:
    """What the step made, and the float model's and its own outputs for every sample."""

    made: Made
    output: Path
    expected: Sequence[Feeds]
    found: Sequence[Feeds]
    precision: str | None
    notes: tuple[str, ...]

    @property
    def operators(self) -> Counter[str]:
        return Counter(one.op_type for _, one, _ in walked(onnx.load(self.output).graph))

    @property
    def error(self) -> float:
        """The largest relative L2 difference of one output on one sample."""
        return max(
            float(np.linalg.norm(one[name] - other[name]) / np.linalg.norm(one[name]))
            for one, other in zip(self.expected, self.found, strict=True)
            for name in one
        )


Quantise = Callable[..., Quantised]


@pytest.fixture
def quantise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Quantise:
    """Run the route on a stored model with samples, and its result on ONNX Runtime's CPU provider."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)

    def go(path: Path, samples: Sequence[Feeds], **rules: Any) -> Quantised:
        signature = signature_of(path)
        source, output = Artifact(ONNX, signature, path), tmp_path / "made" / "model.onnx"
        output.parent.mkdir(exist_ok=True)
        job = ConvertJob(source, ONNX_INT8, output, signature, {}, QuantiseRules(**rules), threads=1, samples=samples)
        made: Any = nav_onnx.onnx_int8_from_onnx(job)
        assert not list(here.iterdir())
        assert {one.name for one in output.parent.iterdir()} <= {"model.onnx", "model.onnx.data"}
        artifact = made.artifact(ONNX_INT8, signature, output)
        results = [answers(one, samples) for one in (source, artifact)]
        return Quantised(made, output, results[0][0], *results[1])

    return go


def signature_of(path: Path) -> Signature:
    """What the file takes and gives, by its own names."""
    graph = nav_onnx.read_graph(path)
    specs = [
        tuple(TensorSpec(one.name, one.dtype, tuple(str(size) for size in one.shape or ())) for one in side)
        for side in (graph.inputs, graph.outputs)
    ]
    return Signature(specs[0], specs[1])


def answers(artifact: Artifact, samples: Sequence[Feeds]) -> tuple[list[Feeds], str | None, tuple[str, ...]]:
    job = RunnerJob(artifact, str(RuntimeProvider.CPU), RuntimeOptions(), threads=1)
    runner: Any = nav_onnx.run_on_cpu(job)
    with runner:
        return [dict(runner(feeds)) for feeds in samples], runner.precision, runner.notes
