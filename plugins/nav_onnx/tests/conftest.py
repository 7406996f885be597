"""Models on disk, and the jobs that load them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import onnx
import pytest

from nav_onnx import ONNX, RuntimeOptions
from navcore import Artifact, RunnerJob, RuntimeProvider, Signature, TensorSpec


@pytest.fixture
def stored(tmp_path: Path) -> Callable[[onnx.ModelProto], Path]:
    """Write a model as it is to ``model.onnx`` in a folder of its own."""

    def write(model: onnx.ModelProto) -> Path:
        folder = tmp_path / "source"
        folder.mkdir(exist_ok=True)
        path = folder / "model.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    return write


@pytest.fixture
def job(stored: Callable[[onnx.ModelProto], Path]) -> Callable[..., RunnerJob[RuntimeOptions]]:
    """A runner job for a model; ``inputs`` and ``outputs`` are the names in its signature."""

    def make(
        model: onnx.ModelProto | Path,
        inputs: Sequence[str] = (),
        outputs: Sequence[str] = (),
        *,
        calling: Any = "named",
        runtime: RuntimeProvider = RuntimeProvider.CPU,
        threads: int | None = 1,
        **options: Any,
    ) -> RunnerJob[RuntimeOptions]:
        specs = [tuple(TensorSpec(name, "float32", ("batch", 3)) for name in names) for names in (inputs, outputs)]
        path = model if isinstance(model, Path) else stored(model)
        artifact = Artifact(ONNX, Signature(specs[0], specs[1]), path=path, calling=calling)
        return RunnerJob(artifact, str(runtime), RuntimeOptions(**options), threads=threads)

    return make
