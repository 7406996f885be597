"""Run OpenVINO IR on the CPU, in exactly the precision that the runtime's name, or the format's, promises."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from nav_openvino.formats import OPENVINO, OPENVINO_INT8
from nav_openvino.naming import names_of_outputs
from nav_openvino.options import RuntimeOptions
from nav_openvino.precision import Computed, computed
from nav_openvino.processor import why_no_bf16, why_no_fp16
from nav_openvino.silence import openvino, why_no_openvino
from navcore import Runner, RunnerJob, Unavailable, runner

if TYPE_CHECKING:
    import numpy as np

    Arrays = Mapping[str, np.ndarray]

_TYPES = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
_CAPABILITIES = {"fp32": "FP32", "bf16": "BF16", "fp16": "FP16"}
_NAMES = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16", **{told: name for name, told in _TYPES.items()}}


@runner(OPENVINO, OPENVINO_INT8, runtime="openvino-cpu", options=RuntimeOptions, available=why_no_openvino)
def run_in_fp32(job: RunnerJob[RuntimeOptions]) -> Runner:
    """OpenVINO on the CPU in float32: left to itself it computes in bfloat16 where the processor can."""
    return _opened(job, "fp32", job.options.hint)


# The higher costs keep these from being the one that says what is right where a stored model is the source.
@runner(
    OPENVINO, OPENVINO_INT8, runtime="openvino-cpu-throughput", cost=2.0, effort="thorough", available=why_no_openvino
)
def run_for_throughput(job: RunnerJob[None]) -> Runner:
    """As ``openvino-cpu``, arranged for several calls at once instead of one at a time."""
    return _opened(job, "fp32", "throughput")


@runner(OPENVINO, runtime="openvino-cpu-bf16", options=RuntimeOptions, cost=2.0, effort="normal", available=why_no_bf16)
def run_in_bf16(job: RunnerJob[RuntimeOptions]) -> Runner:
    """OpenVINO on the CPU in bfloat16: several times as fast, at an error of its own."""
    return _opened(job, "bf16", job.options.hint)


@runner(
    OPENVINO, runtime="openvino-cpu-fp16", options=RuntimeOptions, cost=2.0, effort="thorough", available=why_no_fp16
)
def run_in_fp16(job: RunnerJob[RuntimeOptions]) -> Runner:
    """OpenVINO on the CPU in float16, on the few processors that have it."""
    return _opened(job, "fp16", job.options.hint)


def _opened(job: RunnerJob[Any], asked: str, hint: str) -> Runner:
    if job.device not in (None, "cpu"):
        raise Unavailable(f"{job.runtime} runs on the CPU, and the run asks for {job.device}.")
    core = openvino().Core()
    refuse_emulated(asked, core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
    settings = {
        "INFERENCE_PRECISION_HINT": _TYPES[asked],
        "PERFORMANCE_HINT": hint.upper(),
        # Or where weights are stored in 8 bits, what meets them is rounded to 8 bits too, and no layer tells.
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0",
    }
    if job.threads is not None:
        settings["INFERENCE_NUM_THREADS"] = str(job.threads)
    compiled = core.compile_model(os.fspath(job.artifact.file), "CPU", settings)
    used = computed(compiled)
    refuse_other(job.runtime, asked, _hinted(compiled), used, job.artifact.format.precision)
    outputs = names_of_outputs([port.get_names() for port in compiled.outputs], job.signature.output_names)
    inputs = tuple(port.any_name for port in compiled.inputs)
    requests = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
    return Runner(
        _call([compiled.create_infer_request() for _ in range(requests)], inputs, outputs),
        provider="CPU",
        precision=used.name or None,
        threads=int(compiled.get_property("INFERENCE_NUM_THREADS")),
        notes=_notes(used, hint, int(compiled.get_property("NUM_STREAMS")), requests),
        inputs=inputs,
        shapes={
            name: _sizes(port)
            for name, port in zip(inputs, compiled.inputs, strict=True)
            if port.partial_shape.rank.is_static
        },
    )


def refuse_emulated(asked: str, capabilities: Sequence[str]) -> None:
    """Raise :class:`Unavailable` where the processor lacks a precision, which OpenVINO may then emulate or replace."""
    if _CAPABILITIES[asked] not in capabilities:
        raise Unavailable(
            f"OpenVINO lists no {_CAPABILITIES[asked]} among what this processor can do ({', '.join(capabilities)})."
        )


def refuse_other(runtime: str, asked: str, hinted: str, used: Computed, promised: str | None) -> None:
    """Raise :class:`Unavailable` where the compiled model is not what the runtime's name and the format promise.

    ``hinted`` is the precision that the compiled model says it was compiled for. A graph that was quantised computes in
    8 bits under any hint, and float32 allows what the graph itself asks for; any other runtime has to be what it says.
    """
    if hinted != asked:
        raise Unavailable(f"{runtime} asks for {asked}, and OpenVINO compiles for {hinted} on this processor.")
    if promised == "int8" and used.name != "int8":
        raise Unavailable(f"No layer of the quantised model is computed in 8 bits on this processor: {_told(used)}.")
    if asked != "fp32" and used.name not in (asked, "int8"):
        raise Unavailable(f"{runtime} asks for {asked}, and no layer of the model is computed in it: {_told(used)}.")


def _told(used: Computed) -> str:
    return str(used) if used.name else "nothing is computed in a floating-point type"


def _notes(used: Computed, hint: str, streams: int, requests: int) -> tuple[str, ...]:
    notes = []
    if used.name not in ("", "fp32", "fp64"):
        notes.append(f"{used}.")
    if hint == "throughput":
        notes.append(
            f"Arranged for throughput: {_several(requests, 'call')} at once, in {_several(streams, 'stream')}."
        )
    return tuple(notes)


def _several(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _hinted(compiled: Any) -> str:
    """What the compiled model says that it was compiled for; not what it was asked for."""
    name = str(compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name())
    return _NAMES.get(name, name)


def _sizes(port: Any) -> tuple[int | None, ...]:
    """The sizes that the file fixes; ``None`` for an axis that may move."""
    return tuple(size.get_length() if size.is_static else None for size in port.partial_shape)


def _call(requests: Sequence[Any], inputs: tuple[str, ...], outputs: tuple[str, ...]) -> Any:
    """Several threads may call it at once: each takes a request that is free, and waits where none is."""
    free: SimpleQueue[Any] = SimpleQueue()
    for request in requests:
        free.put(request)

    def call(feeds: Arrays) -> Arrays:
        request = free.get()
        try:
            # Inputs are read where they are; outputs are copied, because the request writes over its own the next time.
            results = request.infer({name: feeds[name] for name in inputs}, share_inputs=True, share_outputs=False)
            return dict(zip(outputs, results.values(), strict=True))
        finally:
            free.put(request)

    return call
