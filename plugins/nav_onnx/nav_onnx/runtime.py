"""ONNX files in ONNX Runtime: one route each for the CPU, CUDA and TensorRT providers."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from nav_onnx.availability import installed_twice, why_no_cpu, why_no_cuda, why_no_tensorrt
from nav_onnx.calling import bind, make_call
from nav_onnx.int8 import ONNX_INT8
from nav_onnx.int8_kernels import Kernels, kernels_of
from nav_onnx.low_precision import ONNX_BF16, ONNX_FP16
from nav_onnx.model_file import ONNX
from nav_onnx.optimized import ONNX_OPTIMIZED
from nav_onnx.session import RuntimeOptions, computed_precision, open_session, split_note
from navcore import Runner, RunnerJob, RuntimeProvider, runner

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


@runner(
    ONNX,
    ONNX_FP16,
    ONNX_INT8,
    ONNX_OPTIMIZED,
    runtime=RuntimeProvider.CPU,
    options=RuntimeOptions,
    available=why_no_cpu,
)
def run_on_cpu(job: RunnerJob[RuntimeOptions]) -> Runner:
    """ONNX Runtime on the CPU."""
    return _open(job, RuntimeProvider.CPU)


@runner(ONNX, ONNX_FP16, ONNX_BF16, runtime=RuntimeProvider.CUDA, options=RuntimeOptions, available=why_no_cuda)
def run_on_cuda(job: RunnerJob[RuntimeOptions]) -> Runner:
    """ONNX Runtime's CUDA provider; nodes that it does not take run on the CPU, and a note counts them."""
    return _open(job, RuntimeProvider.CUDA)


@runner(ONNX, ONNX_FP16, ONNX_BF16, runtime=RuntimeProvider.TRT, options=RuntimeOptions, available=why_no_tensorrt)
def run_on_tensorrt(job: RunnerJob[RuntimeOptions]) -> Runner:
    """ONNX Runtime's TensorRT provider; nodes that it does not take run on CUDA or the CPU, and a note counts them."""
    return _open(job, RuntimeProvider.TRT)


def _open(job: RunnerJob[RuntimeOptions], provider: RuntimeProvider) -> Runner:
    options = job.options or RuntimeOptions()
    threads = options.intra_op_threads if job.threads is None else job.threads
    low = job.artifact.format.precision == "fp16"
    dtypes = {spec.dtype for spec in (*job.signature.inputs, *job.signature.outputs)}
    quantised = job.artifact.format.precision == "int8"
    with tempfile.TemporaryDirectory() if quantised else contextlib.nullcontext() as folder:
        graph = Path(folder, "graph.onnx") if folder is not None else None
        session = open_session(
            job.artifact.file,
            provider,
            options,
            threads=threads,
            device=job.device,
            low=low,
            dtypes=dtypes,
            optimized=graph,
        )
        kernels = kernels_of(graph) if graph is not None else None
    binding = bind(session, job.artifact)
    notes = [*binding.notes]
    if options.intra_op_threads not in (None, threads):
        notes.append(f"intra_op_threads={options.intra_op_threads} gave way to the run's {threads} threads.")
    if provider is not RuntimeProvider.CPU:
        notes += [note for note in (split_note(session, provider),) if note]
    notes += [note for note in (installed_twice(),) if note]
    notes += [kernels.told()] if kernels is not None else []
    # The session lives in the call alone: a runner that drops its call releases the session and its threads.
    return Runner(
        make_call(session, binding),
        provider=session.get_providers()[0],
        precision=_precision(job, session, provider, kernels),
        threads=threads,
        notes=tuple(notes),
        inputs=tuple(node.name for node in binding.inputs),
        shapes={node.name: tuple(map(_fixed, node.shape)) for node in binding.inputs if node.shape},
    )


def _precision(
    job: RunnerJob[RuntimeOptions], session: InferenceSession, provider: RuntimeProvider, kernels: Kernels | None
) -> str | None:
    """What the session computes in: of a quantised graph as it was optimised here, not as the file promises."""
    if kernels is not None:
        return "int8" if kernels.integer else "fp32"
    return job.artifact.format.precision or computed_precision(session, provider)


def _fixed(size: object) -> int | None:
    """A size as the file gives it: a number, or a symbol for an axis that may move. Some write 0 for the latter."""
    return size if isinstance(size, int) and size > 0 else None
