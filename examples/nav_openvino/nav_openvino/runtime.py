"""Run OpenVINO IR on the CPU, in exactly the precision that the runtime's name promises."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nav_openvino.formats import OPENVINO, RuntimeOptions
from nav_openvino.silence import openvino, why_no_openvino
from navcore import Runner, RunnerJob, StepError, Unavailable, runner

if TYPE_CHECKING:
    import numpy as np

    Arrays = Mapping[str, np.ndarray]

_SHORT = {"f32": "fp32", "bf16": "bf16", "f16": "fp16"}


def why_no_bf16() -> str | None:
    """``None`` where OpenVINO can compute in bfloat16 on this processor, else the reason why not."""
    if missing := why_no_openvino():
        return missing
    if platform.machine() not in ("x86_64", "AMD64"):
        return f"OpenVINO computes in bfloat16 on x86 processors, not on {platform.machine()}"
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError as error:
        return f"/proc/cpuinfo cannot be read: {error.strerror}"
    if "amx_bf16" in flags or "avx512_bf16" in flags:
        return None
    return "this processor has no bfloat16 instructions (avx512_bf16 or amx_bf16)"


@runner(OPENVINO, runtime="openvino-cpu", options=RuntimeOptions, available=why_no_openvino)
def run_in_f32(job: RunnerJob[RuntimeOptions]) -> Runner:
    """OpenVINO on the CPU in float32: left to itself it computes in bfloat16 where the processor can."""
    return _open(job, "f32")


# The higher cost keeps it from being the one that says what is right where a stored model is the source.
@runner(OPENVINO, runtime="openvino-cpu-bf16", options=RuntimeOptions, cost=2.0, default=False, available=why_no_bf16)
def run_in_bf16(job: RunnerJob[RuntimeOptions]) -> Runner:
    """OpenVINO on the CPU in bfloat16: several times as fast, at an error of its own; planned when asked for."""
    return _open(job, "bf16")


def _open(job: RunnerJob[RuntimeOptions], asked: str) -> Runner:
    if job.device not in (None, "cpu"):
        raise Unavailable(f"{job.runtime} runs on the CPU, and the run asks for {job.device}.")
    ov = openvino()
    settings = {"INFERENCE_PRECISION_HINT": asked, "PERFORMANCE_HINT": job.options.hint.upper()}
    if job.threads is not None:
        settings["INFERENCE_NUM_THREADS"] = str(job.threads)
    compiled = ov.Core().compile_model(os.fspath(job.artifact.file), "CPU", settings)
    used = _precision(compiled)
    if used != _SHORT[asked]:
        raise Unavailable(f"{job.runtime} asks for {asked}, and OpenVINO computes in {used} on this processor.")
    outputs = _output_names(compiled, job.signature.output_names)
    inputs = tuple(port.any_name for port in compiled.inputs)
    call = _call(compiled.create_infer_request(), inputs, outputs)
    threads = int(compiled.get_property("INFERENCE_NUM_THREADS"))
    shapes = {
        name: _sizes(port)
        for name, port in zip(inputs, compiled.inputs, strict=True)
        if port.partial_shape.rank.is_static
    }
    return Runner(call, provider="CPU", precision=used, threads=threads, inputs=inputs, shapes=shapes)


def _sizes(port: Any) -> tuple[int | None, ...]:
    """The sizes that the file fixes; ``None`` for an axis that may move."""
    return tuple(size.get_length() if size.is_static else None for size in port.partial_shape)


def _precision(compiled: Any) -> str:
    """What the compiled model says it computes in; not what it was asked for."""
    name = str(compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name())
    return _SHORT.get(name, name)


def _output_names(compiled: Any, declared: tuple[str, ...]) -> tuple[str, ...]:
    """A name per output, in order. A tensor may go by several names: a declared one comes first."""
    if not declared:
        return tuple(port.any_name for port in compiled.outputs)
    if len(compiled.outputs) != len(declared):
        raise StepError(f"The model has {len(compiled.outputs)} outputs where {len(declared)} are declared.")
    names = []
    for port, position in zip(compiled.outputs, declared, strict=True):
        known = [name for name in declared if name in port.get_names()]
        names.append(known[0] if known else position)
    if len(set(names)) != len(names):
        raise StepError(f"The outputs {', '.join(names)} cannot be told apart.")
    return tuple(names)


def _call(request: Any, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> Any:
    def call(feeds: Arrays) -> Arrays:
        # Inputs are read where they are; outputs are copied, because the request writes over its own the next time.
        results = request.infer({name: feeds[name] for name in inputs}, share_inputs=True, share_outputs=False)
        return dict(zip(outputs, results.values(), strict=True))

    return call
