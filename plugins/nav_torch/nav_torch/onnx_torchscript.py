"""Export to ONNX by the TorchScript-based exporter, from a recorded call."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from typing import Any

from nav_torch.axes import Settled
from nav_torch.blame import blamed
from nav_torch.flat import example_tensors, flattened
from nav_torch.formats import TORCH
from nav_torch.onnx_file import gathered, read_back, refuse_complex
from nav_torch.onnx_layout import OnnxLayout, layout_of
from nav_torch.opset import TORCHSCRIPT, OnnxOptions, chosen_opset
from nav_torch.restoring import exporting, in_parts
from nav_torch.subject import subject
from navcore import ExportJob, Format, Made, TensorSpec, exporter


@exporter(TORCH, Format.ONNX, options=OnnxOptions, cost=1.5, isolation="fork")
def onnx_from_torch_torchscript(job: ExportJob[OnnxOptions]) -> Made:
    """Record one call and translate the record; opset 9 to 23.

    A record does not tell which axes it froze, so the file claims those that were asked for and the check at other
    sizes has to find out.
    """
    return _write(job)


def _write(job: ExportJob[OnnxOptions]) -> Made:
    """The route's work, for a file of any layout, with attention in its parts."""
    import torch

    layout = layout_of(job.options)
    opset = chosen_opset(job.options, TORCHSCRIPT)
    refuse_complex(job.signature)
    model = subject(job.source.model)
    parts = job.output.with_name(f".{job.output.name}.parts")  # beyond 2 GB this exporter writes a file per tensor
    parts.mkdir()
    try:
        with exporting(model, job.device, job.threads if job.forked else None, training=layout.training) as device:
            tensors = example_tensors(job.example, job.signature, device)
            with flattened(model, job.signature) as flat, in_parts(), blamed("torch.onnx.export (TorchScript)"):
                torch.onnx.export(
                    flat,
                    tensors,
                    str(parts / job.output.name),
                    dynamo=False,
                    input_names=list(job.signature.input_names),
                    output_names=list(job.signature.output_names) or None,
                    dynamic_axes=_dynamic_axes((*job.signature.inputs, *job.signature.outputs)),
                    opset_version=opset,
                    verbose=False,
                    export_params=layout.weights,
                    keep_initializers_as_inputs=layout.weights_as_inputs,
                    do_constant_folding=layout.folded and not layout.training,
                    training=_mode(layout),
                )
        gathered(parts / job.output.name, job.output)
    finally:
        shutil.rmtree(parts)
    return read_back(job.output, Settled(job.signature), opset=opset, exporter="torchscript", layout=layout)


def _mode(layout: OnnxLayout) -> Any:
    """The exporter forces evaluation mode unless it is told to leave the model's."""
    import torch

    return torch.onnx.TrainingMode.PRESERVE if layout.training else torch.onnx.TrainingMode.EVAL


def _dynamic_axes(specs: Iterable[TensorSpec]) -> dict[str, dict[int, str]]:
    named = {
        spec.name: {index: size for index, size in enumerate(spec.shape) if isinstance(size, str)} for spec in specs
    }
    return {name: axes for name, axes in named.items() if axes}
