"""``nav.torch.export``: the reference page's signature, translated into one call of :func:`navcore.run`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import navcore
from navcore import Format, JitType, RuntimeProvider, TensorRTPrecision
from navcore.planning import reference_arguments, takes_reference_arguments

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from pathlib import Path

    import torch

    from navcore import Observer, PackageDescriptor, ProfilerConfig, SizedDataLoader

PAGE_FORMATS = (Format.TORCHSCRIPT, Format.ONNX, Format.TORCH_TRT, Format.TENSORRT)
"""What the reference page exports a PyTorch model to when it is not told."""


@takes_reference_arguments
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

    Those are TorchScript, ONNX, Torch-TensorRT and TensorRT, unless ``target_formats`` says otherwise.

    Args:
        model: the module; its modes, gradients flags and buffers are the same afterwards.
        dataloader: has to implement ``len()`` and ``iter()``.

    Raises what :func:`navcore.run` raises.
    """
    return navcore.run(model, dataloader, **reference_arguments(locals(), plugin="nav_torch", formats=PAGE_FORMATS))
