"""Engine jobs as the core would hand them to a route, and one whole run that several tests read."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import navcore as nav
from nav_trt import EngineOptions
from nav_trt.building import collecting_later
from nav_trt.formats import RTX_FORMATS
from navcore import Artifact, Axis, Calling, ConvertJob, Format, Signature, TensorSpec

from .engine_graphs import BATCH, pictures, specs

Job = Callable[..., ConvertJob[EngineOptions]]


@pytest.fixture(autouse=True)
def clean_start() -> Iterator[None]:
    """Free what the test before left, and nothing while a builder works: see ``collecting_later``."""
    gc.collect()
    with collecting_later():
        yield


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A conversion job for a graph; without ``inputs`` the data look as the graph declares them."""

    def make(
        model: onnx.ModelProto | Path,
        precision: str = "fp32",
        *,
        inputs: Sequence[TensorSpec] | None = None,
        axes: Sequence[Axis] = (BATCH,),
        calling: Calling = "named",
        **options: Any,
    ) -> ConvertJob[EngineOptions]:
        path = model if isinstance(model, Path) else tmp_path / "model.onnx"
        if isinstance(model, Path):
            model = onnx.load(model, load_external_data=False)
        else:
            path.write_bytes(model.SerializeToString())
        taken = specs(model.graph.input) if inputs is None else tuple(inputs)
        signature = Signature(taken, specs(model.graph.output), tuple(axes))
        source = Artifact(Format.ONNX, signature, path=path, calling=calling)
        target = next(one for one in RTX_FORMATS if one.precision == precision)
        return ConvertJob(source, target, tmp_path / "model.plan", signature, {}, EngineOptions(**options))

    return make


@pytest.fixture(scope="session")
def images() -> list[np.ndarray]:
    """Pictures of several numbers, heights and widths."""
    random = np.random.default_rng(1)
    sizes = [(2, 8, 8), (1, 12, 8), (4, 9, 10)]
    return [random.normal(size=(count, 3, height, width)).astype(np.float32) for count, height, width in sizes]


@pytest.fixture(scope="session")
def picture_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "pictures.onnx"
    path.write_bytes(pictures().SerializeToString())
    return path


@pytest.fixture(scope="session")
def package(
    picture_file: Path, images: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory
) -> nav.PackageDescriptor:
    """One run over every kind of row that this plugin brings, engines built in the worker's child processes."""
    targets = ["trt", "trt-rtx", "trt-rtx-tf32", "trt-rtx-bf16", "trt-rtx-int8", "onnx-fp16", "onnx-bf16"]
    return nav.run(
        picture_file,
        images,
        targets=targets,
        model_name="pictures",
        workdir=tmp_path_factory.mktemp("work"),
        profiler_config=nav.ProfilerConfig((1,), "count_windows", measurement_request_count=3),
        ranking=False,
        git_info=False,
    )
