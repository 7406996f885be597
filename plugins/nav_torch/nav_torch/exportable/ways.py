"""The ways in which nav_torch's exporters can write a file of a format, in the order in which to try them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from nav_torch.exportable.extensions import TORCHSCRIPT_NAME
from nav_torch.exportable.request import Request
from nav_torch.exported import exportedprogram_from_torch
from nav_torch.formats import TORCH, TORCH_EXPORTED, TORCHSCRIPT_SCRIPT, TORCHSCRIPT_TRACE
from nav_torch.onnx_dynamo import write_captured
from nav_torch.onnx_layout import OnnxLayout
from nav_torch.onnx_torchscript import write_recorded
from nav_torch.opset import OnnxOptions
from nav_torch.torchscript import save_scripted, save_traced
from navcore import ExportJob, Format, InputError, Made

FIRST_DYNAMO_OPSET = 18


@attrs.frozen(eq=False)
class Way:
    """One way: what people call it, the variant of the format, and the function that writes the file of a job.

    ``dynamo`` says that it captures the model by ``torch.export``.
    """

    name: str
    format: Format
    write: Callable[[ExportJob[Any]], Made]
    options: Any = None
    dynamo: bool = False


def ways_to(target: Format, request: Request) -> list[Way]:
    """The ways to the target, the preferred one first.

    ONNX below opset 18 is the TorchScript-based exporter's, as the other does not write it; from 18 on the dynamo
    exporter is preferred. ``exporter=`` leaves one. Formats of other plugins come by their own route.
    """
    if target.name == Format.ONNX.name:
        return _onnx_ways(request)
    training = not request.set_eval
    if target.name == TORCHSCRIPT_NAME:
        traced = Way("torch.jit.trace", TORCHSCRIPT_TRACE, lambda job: save_traced(job, training=training))
        scripted = Way("torch.jit.script", TORCHSCRIPT_SCRIPT, lambda job: save_scripted(job, training=training))
        return [scripted, traced] if request.try_script else [traced]
    if target.name == TORCH_EXPORTED.name:
        return [Way("torch.export", TORCH_EXPORTED, _made(exportedprogram_from_torch), dynamo=True)]
    return _plugin_ways(target)


def _onnx_ways(request: Request) -> list[Way]:
    layout = OnnxLayout(
        weights=request.export_params,
        weights_as_inputs=request.keep_initializers_as_inputs,
        folded=request.do_constant_folding,
        training=not request.set_eval,
    )
    options = OnnxOptions(opset=int(request.onnx_opset_version))
    dynamo = Way("dynamo", Format.ONNX, lambda job: write_captured(job, layout, strict=True), options, dynamo=True)
    recorded = Way("torchscript", Format.ONNX, lambda job: write_recorded(job, layout), options)
    if layout.training:
        return [recorded]
    ordered = [dynamo, recorded] if request.onnx_opset_version >= FIRST_DYNAMO_OPSET else [recorded, dynamo]
    return [way for way in ordered if request.exporter in ("auto", way.name)]


def _plugin_ways(target: Format) -> list[Way]:
    from navcore import load_registry

    registry = load_registry()
    routes = [
        route
        for route in registry.routes
        if route.hook == "export_model" and route.source == TORCH.name and route.target == target
    ]
    usable = [route for route in routes if not registry.unavailable(route)]
    if not usable:
        reasons = "; ".join(registry.unavailable(route) for route in routes) or "no route leads there"
        raise InputError(f"{target.name} cannot be made here: {reasons}.")
    usable.sort(key=lambda route: (route.cost, route.id))
    return [
        Way(route.id, target, _made(route.function), route.options() if route.options else None) for route in usable
    ]


def _made(function: Callable[[ExportJob[Any]], Made | None]) -> Callable[[ExportJob[Any]], Made]:
    return lambda job: function(job) or Made()
