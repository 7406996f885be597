"""The public face of the plugin, ``nav.onnx.export``: the reference API's arguments, translated for ``navcore.run``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from navcore.formats import Format, RuntimeProvider, TensorRTPrecision

if TYPE_CHECKING:
    from navcore.package import PackageDescriptor
    from navcore.profiling import ProfilerConfig
    from navcore.progress import Observer


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
    from navcore.api import run

    targets = _targets(_several(target_formats), _several(target_precisions))
    given: dict[str, Any] = {
        "model_name": model_name,
        "sample_count": sample_count,
        "options": _trt_options(targets, max_workspace_size),
        "runtimes": None if onnx_runtimes is None else {"onnx": _several(onnx_runtimes)},
    }
    return run(
        model,
        dataloader,
        targets=targets,
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
    )


def _several(value: str | Format | Iterable[str | Format] | None) -> list[str | Format] | None:
    """One value or several, as a list; enumerations as plain strings."""
    if value is None:
        return None
    several = [value] if isinstance(value, str | Format) else list(value)
    return [item if isinstance(item, Format) else str(item) for item in several]


def _targets(formats: list[str | Format] | None, precisions: list[str | Format] | None) -> list[str | Format] | None:
    """The targets, with TensorRT's family replaced by the precisions asked for.

    Precisions without formats mean the reference API's default for an ONNX source: ONNX and TensorRT.
    """
    if precisions is None:
        return formats
    family = Format.TENSORRT.name
    wanted = [Format.ONNX.name, family] if formats is None else formats
    variants = [f"{family}-{precision}" for precision in precisions]
    return [target for item in wanted for target in (variants if str(item) == family else [item])]


def _trt_options(targets: list[str | Format] | None, workspace: int | None) -> dict[str, dict[str, int]] | None:
    if workspace is None:
        return None
    family = Format.TENSORRT.name
    named = [str(target) for target in targets or () if str(target).partition("-")[0] == family]
    return {name: {"max_workspace_size": workspace} for name in named or [family]}
