"""``nav.onnx.export``: the reference page's signature for TensorFlow, for files; one call of :func:`navcore.run`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import navcore
from nav_onnx.old_order import takes_the_old_order
from navcore import Format, RuntimeProvider, TensorRTPrecision
from navcore.planning import reference_arguments, takes_reference_arguments

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from pathlib import Path

    from navcore import Observer, PackageDescriptor, ProfilerConfig, SizedDataLoader

PAGE_FORMATS = (Format.ONNX, Format.TENSORRT)
"""What the reference API converts an ONNX file to when it is not told."""


@takes_the_old_order
@takes_reference_arguments
def export(
    model: str | Path,
    dataloader: SizedDataLoader,
    target_precisions: str | TensorRTPrecision | tuple[str | TensorRTPrecision, ...] | None = None,
    max_workspace_size: int | None = None,
    minimum_segment_size: int = 3,
    model_name: str | None = None,
    target_formats: str | Format | tuple[str | Format, ...] | None = None,
    workdir: str | Path | None = None,
    override_workdir: bool = False,
    sample_count: int | None = None,
    opset: int | None = None,
    atol: float | None = None,
    rtol: float | None = None,
    input_names: tuple[str, ...] | None = None,
    output_names: tuple[str, ...] | None = None,
    disable_git_info: bool = False,
    batch_dim: int | None = 0,
    onnx_runtimes: str | RuntimeProvider | tuple[str | RuntimeProvider, ...] | None = None,
    run_profiling: bool = True,
    profiler_config: ProfilerConfig | None = None,
    *,
    dynamic_axes: dict[str, dict[int, str] | list[int]] | None = None,
    trt_dynamic_axes: dict[str, dict[int, tuple[int, int, int]]] | None = None,
    target_device: str | None = None,
    progress: Observer | None = None,
    executor: Executor | None = None,
) -> PackageDescriptor:
    """Prove, convert and measure an ONNX file, and return the package.

    It is proved as it is and converted to TensorRT, unless ``target_formats`` says otherwise. The file keeps its own
    opset; an ``opset`` that is given has no effect, which the log says.

    Args:
        model: the path of the file.
        dataloader: has to implement ``len()`` and ``iter()``; it yields arrays, tuples of arrays, or mappings from
            input name to array, batch axis included.

    Raises what :func:`navcore.run` raises.
    """
    return navcore.run(
        model,
        dataloader,
        **reference_arguments(locals(), plugin="nav_onnx", formats=PAGE_FORMATS, source=Format.ONNX),
    )
