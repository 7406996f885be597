"""Run PyTorch files that have TensorRT engines inside."""

from __future__ import annotations

from collections.abc import Mapping

from nav_trt.flavours import TENSORRT, recorded_version, refuse_foreign_plan
from nav_trt.formats import TORCH_TRT_FORMATS
from nav_trt.torch_install import (
    import_torch_tensorrt,
    open_module,
    select_device,
    torch_tensorrt_version,
    why_no_torch_trt,
)
from navcore import Runner, RunnerJob, RuntimeProvider, StepError, runner
from navcore.errors import first_line


@runner(*TORCH_TRT_FORMATS, runtime=RuntimeProvider.PYT, available=why_no_torch_trt)
def run_torch_trt(job: RunnerJob[None]) -> Runner:
    """PyTorch on the device, with the segments that TensorRT took running as engines."""
    from nav_torch import hushed, module_runner

    place = select_device(job.device)
    torch_tensorrt = import_torch_tensorrt()
    _refuse_foreign(job.artifact.facts)
    try:
        with hushed():
            module = open_module(torch_tensorrt, job.artifact.file, place)
    except Exception as error:
        raise StepError(
            f"Torch-TensorRT {torch_tensorrt_version()} does not load the file: {first_line(error)}",
            hint="Engines are for one version and one kind of device: build it again here.",
        ) from error
    running = module_runner(job, module, module, device=str(place))
    running.precision = None  # the weights that were left to PyTorch say nothing about the engines
    return running


def _refuse_foreign(facts: Mapping[str, str]) -> None:
    installed = recorded_version(TENSORRT)
    if "tensorrt" in facts and installed is not None:
        refuse_foreign_plan({"flavour": TENSORRT.name, "version": facts["tensorrt"]}, TENSORRT, installed)
