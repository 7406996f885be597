"""The few lines with which a model runs in its runtime alone, without navcore: for another program, in any language."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import attrs

from nav_triton.choosing import Row, Wanted, chosen
from nav_triton.text_format import quoted
from navcore import (
    Format,
    OptionError,
    PackageDescriptor,
    PackageIncomplete,
    RunnerJob,
    RuntimeProvider,
    Strategy,
    TensorSpec,
)

_NUMPY = (
    "bool",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    "float16",
    "float32",
    "float64",
)
_TORCH: Mapping[str, str] = MappingProxyType(
    {
        "bool": "kBool", "uint8": "kUInt8", "int8": "kInt8", "int16": "kInt16", "int32": "kInt32", "int64": "kInt64",
        "float16": "kFloat16", "bfloat16": "kBFloat16", "float32": "kFloat32", "float64": "kFloat64",
    }
)  # fmt: skip


@attrs.frozen
class Snippet:
    """``text`` is a whole program in ``language`` that opens ``model``, the name of the file, and calls it once."""

    text: str
    language: str
    model: str
    format: Format
    runtime: str


@attrs.frozen
class _Told:
    """What the lines are written from: every size is that of the profiling sample."""

    job: RunnerJob[Any]
    path: str
    inputs: Sequence[tuple[TensorSpec, tuple[int, ...]]]


def snippet(
    package: PackageDescriptor,
    *,
    path: str | None = None,
    strategy: Strategy | None = None,
    format: Format | str | None = None,
    runtime: str | None = None,
    verified_only: bool = False,
) -> Snippet:
    """A program of some twelve lines that runs a stored model without navcore.

    For ONNX Runtime and OpenVINO in Python, for TorchScript in C++; with the package's names, dtypes, shapes and the
    threads with which the row was tested.

    Args:
        package: of a run, or loaded.
        path: where the program finds the model, by default the model's file name.
        strategy: chooses the row, as for :func:`save_repository`, among those for which there are such lines.
        format: of this format or family.
        runtime: in this runtime.
        verified_only: see :func:`save_repository`.

    Raises :class:`OptionError` for a row for which there are no such lines, or whose tensors cannot be written so, and
    what :func:`save_repository` raises about rows.
    """
    row = chosen(package, Wanted(strategy, format, runtime, None, None, verified_only))
    write = _WRITERS.get((row.format.family, row.runtime))
    if write is None:
        known = "; ".join(f"{family} in {name}" for family, name in _WRITERS)
        raise OptionError(f"There are no lines for {row.format.name} in {row.runtime}.", hint=f"There are for {known}.")
    told = _told(package, row, path)
    language, text = write(told)
    return Snippet(text, language, told.job.artifact.file.name, row.format, row.runtime)


def _told(package: PackageDescriptor, row: Row, path: str | None) -> _Told:
    job = package.runner_job(row.format, runtime=row.runtime)
    with package.open_runner(row.format, runtime=row.runtime) as runner:
        taken = runner.inputs
    try:
        sample = next(package.comparisons("profiling")).feeds
    except PackageIncomplete:
        sample = {}
    inputs = [spec for spec in job.signature.inputs if not taken or spec.name in taken]
    if taken and len(inputs) != len(taken):
        raise OptionError(f"The model takes {', '.join(taken)}, which the package calls by other names.")
    sizes = [
        sample[spec.name].shape if spec.name in sample else tuple(1 if one < 0 else one for one in spec.dimensions)
        for spec in inputs
    ]
    name = job.artifact.file.name if path is None else path
    return _Told(job, name, list(zip(inputs, sizes, strict=True)))


def _feeds(told: _Told) -> list[str]:
    lines = ["feeds = {"]
    for spec, shape in told.inputs:
        if spec.dtype not in _NUMPY:
            raise OptionError(f"{spec.name!r} is {spec.dtype}, which numpy alone does not have.")
        axes = ", ".join(str(size) for size in spec.shape)
        lines.append(f"    {spec.name!r}: np.zeros({shape!r}, {_dtype(spec.dtype)}),  # ({axes})")
    return [*lines, "}"]


def _dtype(name: str) -> str:
    return "np.bool_" if name == "bool" else f"np.{name}"


def _threads(told: _Told, line: str) -> Iterable[str]:
    return () if told.job.threads is None else (line.format(told.job.threads),)


def _onnxruntime(told: _Told) -> tuple[str, str]:
    outputs = list(told.job.signature.output_names)
    lines = [
        "import numpy as np",
        "import onnxruntime",
        "",
        "options = onnxruntime.SessionOptions()",
        *_threads(told, "options.intra_op_num_threads = {}"),
        f"session = onnxruntime.InferenceSession({told.path!r}, options, providers=[{str(told.job.runtime)!r}])",
        *_feeds(told),
        f"names = {outputs!r}",
        "for name, array in zip(names, session.run(names, feeds)):",
        "    print(name, array.dtype, array.shape)",
    ]
    return "python", "\n".join(lines) + "\n"


def _openvino(told: _Told) -> tuple[str, str]:
    threads = "" if told.job.threads is None else f', "INFERENCE_NUM_THREADS": {told.job.threads}'
    lines = [
        "import numpy as np",
        "import openvino",
        "",
        "# Left to itself OpenVINO rounds to bfloat16 on processors that have it.",
        f'settings = {{"INFERENCE_PRECISION_HINT": "f32"{threads}}}',
        f'model = openvino.Core().compile_model({told.path!r}, "CPU", settings)',
        *_feeds(told),
        "results = model(feeds)",
        f"for name in {list(told.job.signature.output_names)!r}:",
        "    print(name, results[name].dtype, results[name].shape)",
    ]
    return "python", "\n".join(lines) + "\n"


def _libtorch(told: _Told) -> tuple[str, str]:
    call = told.job.signature.call
    plain = [{"tensor": name} for name in told.job.signature.input_names]
    if told.job.artifact.calling != "positional" and (list(call["args"]) != plain or call["kwargs"]):
        raise OptionError(
            "The TorchScript file is called with keywords or structures, for which there are no such lines."
        )
    lines = [
        "#include <ATen/Parallel.h>",
        "#include <torch/script.h>",
        "#include <iostream>",
        "",
        "int main() {",
        *_threads(told, "  at::set_num_threads({});"),
        "  c10::InferenceMode guard;",
        f"  auto model = torch::jit::load({quoted(told.path)});",
        "  std::vector<torch::jit::IValue> inputs;",
    ]
    for spec, shape in told.inputs:
        if spec.dtype not in _TORCH:
            raise OptionError(f"{spec.name!r} is {spec.dtype}, which libtorch does not have.")
        sizes = ", ".join(map(str, shape))
        zeros = f"torch::zeros({{{sizes}}}, torch::{_TORCH[spec.dtype]})"
        lines.append(f"  inputs.push_back({zeros});  // {quoted(spec.name)}")
    lines += [
        "  auto result = model.forward(inputs);",
        "  if (result.isTensor()) std::cout << result.toTensor().sizes() << std::endl;",
        "  if (result.isTuple())",
        "    for (const auto& one : result.toTuple()->elements()) std::cout << one.toTensor().sizes() << std::endl;",
        "}",
    ]
    return "c++", "\n".join(lines) + "\n"


_WRITERS: Mapping[tuple[str, str], Callable[[_Told], tuple[str, str]]] = MappingProxyType(
    {
        **{
            (family, provider): _onnxruntime
            for family in ("onnx", "onnx-fp16", "onnx-int8", "onnx-optimized")
            for provider in (RuntimeProvider.CPU, RuntimeProvider.CUDA, RuntimeProvider.TRT)
        },
        ("openvino", "openvino-cpu"): _openvino,
        ("torchscript", RuntimeProvider.PYT): _libtorch,
    }
)
"""By family of formats and runtime."""
