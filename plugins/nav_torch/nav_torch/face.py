"""``nav.torch.export``: the reference page's signature, translated into one call of :func:`navcore.run`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

from navcore import Format, JitType, RuntimeProvider, TensorRTPrecision, reference_arguments

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from pathlib import Path

    import torch

    from navcore import Observer, PackageDescriptor, ProfilerConfig

PAGE_FORMATS = tuple(str(one) for one in (Format.TORCHSCRIPT, Format.ONNX, Format.TORCH_TRT, Format.TENSORRT))
"""What the reference page exports a PyTorch model to when it is not told."""


class SizedDataLoader(Protocol):
    """A dataloader: has a length and can be iterated several times, always in the same order."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Any]: ...


def export(
    model: torch.nn.Module,
    dataloader: SizedDataLoader,
    model_name: str | None = None,
    opset: int | None = None,
    target_formats: str | Format | tuple[str | Format, ...] | None = None,
    jit_options: str | JitType | tuple[str | JitType, ...] | None = None,
    workdir: Path | None = None,
    override_workdir: bool = False,
    sample_count: int | None = None,
    atol: float | None = None,
    rtol: float | None = None,
    input_names: tuple[str, ...] | None = None,
    output_names: tuple[str, ...] | None = None,
    dynamic_axes: dict[str, dict[int, str] | list[int]] | None = None,
    trt_dynamic_axes: dict[str, dict[int, tuple[int, int, int]]] | None = None,
    target_precisions: str | TensorRTPrecision | tuple[str | TensorRTPrecision, ...] | None = None,
    max_workspace_size: int | None = None,
    target_device: str | None = None,
    disable_git_info: bool = False,
    batch_dim: int | None = 0,
    onnx_runtimes: str | RuntimeProvider | tuple[str | RuntimeProvider, ...] | None = None,
    run_profiling: bool = True,
    profiler_config: ProfilerConfig | None = None,
    *,
    precision_mode: str | None = None,
    progress: Observer | None = None,
    executor: Executor | None = None,
) -> PackageDescriptor:
    """Export a PyTorch model to all supported formats, prove and measure each, and return the package.

    Args:
        model: the module; its modes, gradients flags and buffers are the same afterwards.
        dataloader: has to implement ``len()`` and ``iter()``.
        model_name: names the workspace, by default ``navigator_model``.
        opset: the ONNX opset, by default the newest that the exporter and ONNX Runtime both support.
        target_formats: formats or families, by default those of the reference page:
            TorchScript, ONNX, Torch-TensorRT and TensorRT; what is out of reach is a row with the reason.
        jit_options: limits TorchScript and Torch-TensorRT to ``"script"`` or ``"trace"``.
        workdir: by default ``navigator_workdir`` in the current folder.
        override_workdir: start with an empty workspace.
        sample_count: samples kept from the dataloader, by default 100.
        atol: absolute tolerance of the correctness test, by default computed.
        rtol: relative tolerance of the correctness test, by default computed.
        input_names: names of the inputs, in the order of the samples.
        output_names: names of the outputs, in order.
        dynamic_axes: ``{tensor: {axis: symbol}}`` or ``{tensor: [axes]}``, by default what varies in the data.
        trt_dynamic_axes: ``{input: {axis: (min, opt, max)}}``, by default from the data.
        target_precisions: limits the TensorRT variants to these precisions.
        max_workspace_size: bytes that a TensorRT builder may use.
        target_device: the device to export and run on, by default where the model is.
        disable_git_info: leave repository and commit out of the record.
        batch_dim: the batch axis, ``None`` for a model that does not batch.
        onnx_runtimes: limits the runtimes of ONNX, by default all that are available.
        run_profiling: measure what verified.
        profiler_config: how to measure.
        precision_mode: ``"hierarchy"``, ``"single"`` or ``"mixed"``, for the TensorRT routes that take it.
        progress: receives an event whenever something begins or ends.
        executor: where steps that need no live model run.

    Raises what :func:`navcore.run` raises.
    """
    from navcore import run

    chosen = reference_arguments(
        "nav_torch",
        PAGE_FORMATS if target_formats is None else target_formats,
        jit_types=jit_options,
        precisions=target_precisions,
        runtimes=onnx_runtimes,
        opset=opset,
        engines={"max_workspace_size": max_workspace_size, "precision_mode": precision_mode},
    )
    return run(
        model,
        dataloader,
        model_name=model_name or "navigator_model",
        workdir=workdir,
        override_workdir=override_workdir,
        sample_count=100 if sample_count is None else sample_count,
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
        executor=executor,
        git_info=not disable_git_info,
        progress=progress,
        **chosen,
    )
