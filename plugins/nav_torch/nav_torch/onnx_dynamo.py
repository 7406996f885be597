"""Export to ONNX by the dynamo exporter, from a captured graph."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

import attrs

from nav_torch.axes import settled
from nav_torch.blame import blamed
from nav_torch.capture import CAPTURING, captured, reached
from nav_torch.flat import example_tensors, flattened
from nav_torch.formats import TORCH
from nav_torch.onnx_file import SINGLE_FILE_LIMIT, read_back, refuse_complex, weight_bytes
from nav_torch.onnx_layout import layout_of
from nav_torch.opset import DYNAMO, OnnxOptions, chosen_opset
from nav_torch.restoring import exporting
from nav_torch.strict import captured_freest
from nav_torch.subject import subject
from navcore import ExportJob, Format, Made, Signature, TensorSpec, exporter

if TYPE_CHECKING:
    import numpy as np
    import torch


_TRANSLATING = (*CAPTURING, "torch.onnx._internal.exporter._core")


@exporter(TORCH, Format.ONNX, options=OnnxOptions, cost=1.0, isolation="fork", imports=_TRANSLATING)
def onnx_from_torch_dynamo(job: ExportJob[OnnxOptions]) -> Made:
    """Capture the model with torch.export and translate the graph; opset 18 and newer.

    A size that the model reads as a number is offered to a strict capture, which may follow it. An axis that the source
    follows and the capture freezes all the same is an error here, because the TorchScript-based exporter may well keep
    it (recurrent layers over any length).
    """
    return _write(job, strict=True)


@exporter(TORCH, Format.ONNX, options=OnnxOptions, cost=3.0, isolation="fork", imports=_TRANSLATING)
def onnx_from_torch_static(job: ExportJob[OnnxOptions]) -> Made:
    """The same, with every frozen axis that the user did not declare left fixed and reported: the last resort.

    It is made at the dataloader's usual batch, so that a batch that is fixed is one that occurs there.
    """
    batch = usual_batch(job)
    example = (
        job.example
        if batch is None
        else {spec.name: _at_batch(job.signature, spec, job.example[spec.name], batch) for spec in job.signature.inputs}
    )
    return _write(attrs.evolve(job, example=example), strict=False)


def usual_batch(job: ExportJob[Any]) -> int | None:
    """The batch that the dataloader gives most often, or where that is not known the typical one; ``None`` without."""
    if job.signature.batch_dim is None:
        return None
    return job.usual_batch or job.signature.axis(job.signature.batch_symbol).typical


def _at_batch(signature: Signature, spec: TensorSpec, array: np.ndarray, size: int) -> np.ndarray:
    """The example's samples, over and over, up to a batch of that size."""
    import numpy as np

    axis = signature.batch_axis(spec)
    if axis is None:
        return array
    return np.take(array, [row % array.shape[axis] for row in range(size)], axis=axis)


def _write(job: ExportJob[OnnxOptions], *, strict: bool) -> Made:
    """The routes' work, for a file of any layout but one in training mode, which this exporter does not write."""
    import torch

    layout = layout_of(job.options)
    opset = chosen_opset(job.options, DYNAMO)
    refuse_complex(job.signature)
    model = subject(job.source.model)
    with exporting(model, job.device, job.threads if job.forked else None) as device:
        with flattened(model, job.signature) as flat:
            tensors = example_tensors(job.example, job.signature, device, growing=strict)
            program = (captured_freest if strict else captured)(flat, tensors, job.signature)
        kept = settled(job.signature, reached(program, job.signature), "torch.export", strict=strict)
        with blamed("torch.onnx.export (dynamo)"):
            made = torch.onnx.export(
                program,
                dynamo=True,
                input_names=list(kept.signature.input_names),
                output_names=list(kept.signature.output_names) or None,
                opset_version=opset,
                external_data=False,
                verbose=False,
                optimize=layout.folded,
            )
            assert made is not None, "the dynamo exporter returns a program"
        name_axes(made, kept.signature)
        free_names(made)
        made.save(
            str(job.output),
            external_data=weight_bytes(model) > SINGLE_FILE_LIMIT,
            include_initializers=layout.weights,
            # Without their values and not among the inputs either, weights would be names that nothing defines.
            keep_initializers_as_inputs=layout.weights_as_inputs or not layout.weights,
        )
    return read_back(job.output, kept, opset=opset, exporter="dynamo", layout=layout)


def name_axes(program: torch.onnx.ONNXProgram, signature: Signature) -> None:
    """Write our symbols over the capture's (``s77``), everywhere in the graph, and forget paths of source files.

    Every output axis that is known to move gets its symbol whatever the exporter derived: it is sometimes wrong
    (outputs of recurrent layers keep the example's length), and a runtime may trust it.
    """
    import onnx_ir

    graph = program.model.graph
    names: dict[str, str] = {}
    for value, spec in zip(graph.inputs, signature.inputs, strict=True):
        for dim, size in zip(value.shape or (), spec.shape, strict=True):
            if isinstance(size, str) and not isinstance(dim, int) and dim.value:
                names.setdefault(str(dim.value), size)

    def renamed(dim: Any) -> Any:
        if isinstance(dim, int) or not dim.value:
            return dim
        return onnx_ir.SymbolicDim(re.sub(r"\b[A-Za-z_]\w*", lambda found: names.get(found[0], found[0]), dim.value))

    for node in graph.all_nodes():
        node.metadata_props.pop("pkg.torch.onnx.stack_trace", None)
        for value in node.outputs:
            if value.shape is not None:
                value.shape = onnx_ir.Shape([renamed(dim) for dim in value.shape])
    for value, spec in zip(graph.inputs, signature.inputs, strict=True):
        value.shape = onnx_ir.Shape(spec.shape)
    for value, spec in zip(graph.outputs, signature.outputs, strict=False):
        value.shape = onnx_ir.Shape(_output_shape(value.shape, spec))


def free_names(program: torch.onnx.ONNXProgram) -> None:
    """Rename inner values that are called like an input or output of the graph.

    The exporter gives outputs the names it is told and does not look whether an inner value has that name already: a
    model that looks up an embedding and returns "embedding" became a graph that assigns it twice.
    """
    graph = program.model.graph
    ends = {id(value) for value in (*graph.inputs, *graph.outputs)}
    taken = {value.name for value in (*graph.inputs, *graph.outputs)}
    inner = [value for node in graph.all_nodes() for value in node.outputs if id(value) not in ends]
    names = taken | {value.name for value in inner}
    for value in inner:
        if value.name in taken:
            number = next(number for number in itertools.count(1) if f"{value.name}_{number}" not in names)
            value.name = f"{value.name}_{number}"
            names.add(value.name)


def _output_shape(derived: Any, spec: TensorSpec) -> list[Any]:
    if derived is None or len(derived) != len(spec.shape):
        return list(spec.shape)
    return [size if isinstance(size, str) else dim for dim, size in zip(derived, spec.shape, strict=True)]
