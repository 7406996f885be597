"""Triton's back ends: which one serves a row as it was verified, and why it cannot where it cannot."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import attrs

from nav_triton.tensors import triton_type
from navcore import OptionError, RunnerJob, RuntimeProvider, Signature


@attrs.frozen
class Backend:
    """One of Triton's back ends, and how a model is laid out for it.

    ``name`` is Triton's, ``filename`` that of the model in a version's folder. ``platform`` is the older word that some
    back ends want beside it. ``indexed`` names tensors by their position (TorchScript). ``accelerator`` is an
    execution accelerator of ONNX Runtime for the GPU. ``gpu`` says that instances are placed on GPUs. ``threads`` is
    the name of the parameter for the number of compute threads, ``parameters`` are further ones. ``caveat`` says why it
    does not do quite what was verified: then it is taken on request alone.
    """

    name: str
    filename: str
    platform: str = ""
    indexed: bool = False
    accelerator: str = ""
    gpu: bool = False
    threads: str = ""
    parameters: Mapping[str, str] = attrs.field(factory=dict)
    caveat: str = ""

    @property
    def opens_runner(self) -> bool:
        """Whether the model is run by the package's own runner, in Triton's Python back end."""
        return self == PYTHON


PYTHON = Backend("python", "model.py")
_ONNX = Backend("onnxruntime", "model.onnx", platform="onnxruntime_onnx", threads="intra_op_thread_count")
_TORCHSCRIPT = Backend(
    "pytorch", "model.pt", platform="pytorch_libtorch", indexed=True, threads="INTRA_OP_THREAD_COUNT"
)
_SAVEDMODEL = Backend(
    "tensorflow", "model.savedmodel", platform="tensorflow_savedmodel", threads="TF_NUM_INTRA_THREADS"
)
_OPENVINO = Backend(
    "openvino",
    "model.xml",
    threads="INFERENCE_NUM_THREADS",
    caveat="Triton's back end openvino cannot be told to compute in float32, and OpenVINO rounds to bfloat16 on "
    "processors that have it",
)
_ONNX_FAMILIES = ("onnx", "onnx-fp16", "onnx-bf16", "onnx-int8")
NATIVE: Mapping[tuple[str, str], Backend] = MappingProxyType(
    {
        **{(family, RuntimeProvider.CPU): _ONNX for family in _ONNX_FAMILIES},
        **{(family, RuntimeProvider.CUDA): attrs.evolve(_ONNX, gpu=True, threads="") for family in _ONNX_FAMILIES},
        **{
            (family, RuntimeProvider.TRT): attrs.evolve(_ONNX, gpu=True, threads="", accelerator="tensorrt")
            for family in _ONNX_FAMILIES
        },
        ("torchscript", RuntimeProvider.PYT): _TORCHSCRIPT,
        ("tf-savedmodel", RuntimeProvider.TF): _SAVEDMODEL,
        ("trt", RuntimeProvider.TRT): Backend("tensorrt", "model.plan", platform="tensorrt_plan", gpu=True),
        ("openvino", "openvino-cpu"): _OPENVINO,
    }
)
"""By family of formats and runtime. What is not here is served by the package's own runner."""
_PLAIN_OUTPUT = re.compile(r"output__[0-9]+")


def backend_of(job: RunnerJob[Any], provider: str, wanted: str | Backend | None) -> tuple[Backend, str]:
    """The back end for a row that was verified on ``provider``, and a sentence where it is not the row's own.

    ``wanted`` is the caller's: the name of a back end, or one of nobody's knowledge here. Raises :class:`OptionError`
    for a name that does not serve the row, saying why.
    """
    if isinstance(wanted, Backend):
        return wanted, ""
    native = NATIVE.get((job.artifact.format.family, job.runtime))
    if native is not None and any(word in provider.lower() for word in ("cuda", "gpu")):
        native = attrs.evolve(native, gpu=True)
    why_not = _why_not(job, native)
    if wanted == PYTHON.name or (wanted is None and native is None):
        return PYTHON, ""
    if native is not None and native.caveat and wanted is None:
        why_not = why_not or native.caveat
    if native is None or why_not or wanted not in (None, native.name):
        if wanted is not None:
            name = f"{job.artifact.format.name} in {job.runtime}"
            own = (
                f"its back end is {native.name}" if native and not why_not else why_not or "it has none of Triton's own"
            )
            raise OptionError(f"backend={wanted!r} does not serve {name}: {own}.", hint='Take backend="python".')
        return PYTHON, f"Served by the package's own runner: {why_not}."
    return native, f"{native.caveat}." if native.caveat else ""


def _why_not(job: RunnerJob[Any], native: Backend | None) -> str:
    """Why Triton's own back end cannot call the model as it was verified, or ``""``."""
    artifact = job.artifact
    if native is None:
        return ""
    if artifact.assets:
        return "its files are more than the model"
    if native.indexed:
        return _why_no_positions(job.signature, artifact.calling)
    if artifact.calling != "named":
        return f"its inputs have no names that Triton's back end {native.name} could use"
    return ""


def _why_no_positions(signature: Signature, calling: str) -> str:
    if calling == "positional":
        return ""
    plain = [{"tensor": name} for name in signature.input_names]
    if calling != "structure" or list(signature.call["args"]) != plain or signature.call["kwargs"]:
        return "it is called with keywords or structures, and Triton's back end pytorch hands over tensors by position"
    if not all(_PLAIN_OUTPUT.fullmatch(name) for name in signature.output_names):
        return "it returns a structure, and Triton's back end pytorch takes a tensor or a tuple of tensors"
    return ""


def refuse_types(signature: Signature, backend: Backend) -> None:
    """Raise :class:`OptionError` for tensors that the Python back end does not give out as arrays of numpy."""
    if not backend.opens_runner:
        return
    for spec in (*signature.inputs, *signature.outputs):
        if triton_type(spec) in ("BF16", "STRING"):
            raise OptionError(
                f"Triton's Python back end has no arrays of {spec.dtype}, and {spec.name!r} is one.",
                hint="Take a format that a back end of Triton's own serves, or cast that tensor in the model.",
            )
