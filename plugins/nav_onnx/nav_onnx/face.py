"""The public face of the plugin, ``nav.onnx.export``: the reference API's arguments, translated for ``navcore.run``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from navcore import Format, RuntimeProvider, TensorRTPrecision, reference_arguments

if TYPE_CHECKING:
    from navcore import Observer, PackageDescriptor, ProfilerConfig

PAGE_FORMATS = tuple(str(one) for one in (Format.ONNX, Format.TENSORRT))
"""What the reference API converts an ONNX file to when it is not told."""


def export(
    model: str | Path,
    dataloader: Any,
    model_name: str | None = None,
    target_formats: str | Format | Sequence[str | Format] | None = None,
    workdir: str | Path | None = None,
    override_workdir: bool = False,
    sample_count: int | None = None,
    atol: float | None = None,
    rtol: float | None = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    dynamic_axes: Mapping[str, Mapping[int, str] | Sequence[int]] | None = None,
    trt_dynamic_axes: Mapping[str, Mapping[int, tuple[int, int, int]]] | None = None,
    target_precisions: str | TensorRTPrecision | Sequence[str | TensorRTPrecision] | None = None,
    max_workspace_size: int | None = None,
    target_device: str | None = None,
    disable_git_info: bool = False,
    batch_dim: int | None = 0,
    onnx_runtimes: str | RuntimeProvider | Sequence[str | RuntimeProvider] | None = None,
    run_profiling: bool = True,
    profiler_config: ProfilerConfig | None = None,
    *,
    progress: Observer | None = None,
) -> PackageDescriptor:
    """Prove, convert and measure the ONNX file ``model`` on the samples of ``dataloader``.

    ``dataloader`` has ``len()`` and ``iter()`` and yields arrays, tuples of arrays, or mappings from input name to
    array, batch axis included. ``atol`` and ``rtol`` are the largest differences allowed; without them the measured
    ones are recorded. ``trt_dynamic_axes`` gives (min, opt, max) sizes per input and axis. ``max_workspace_size`` is
    in bytes. ``onnx_runtimes`` defaults to every provider that this machine can use. Raises what
    :func:`navcore.run` raises: :class:`navcore.InputError` and below for arguments that cannot be used.
    """
    from navcore import run

    chosen = reference_arguments(
        "nav_onnx",
        PAGE_FORMATS if target_formats is None and target_precisions is not None else target_formats,
        precisions=target_precisions,
        runtimes=onnx_runtimes,
        engines={"max_workspace_size": max_workspace_size},
    )
    given: dict[str, Any] = {"model_name": model_name, "sample_count": sample_count}
    return run(
        model,
        dataloader,
        workdir=workdir,
        override_workdir=override_workdir,
        atol=atol,
        rtol=rtol,
        input_names=input_names,
        output_names=output_names,
        dynamic_axes=dynamic_axes,
        axis_ranges=trt_dynamic_axes,
        batch_dim=batch_dim,
        device=target_device,
        run_profiling=run_profiling,
        profiler_config=profiler_config,
        git_info=not disable_git_info,
        progress=progress,
        **{name: value for name, value in given.items() if value is not None},
        **chosen,
    )
