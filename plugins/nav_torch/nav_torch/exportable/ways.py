"""Which routes of the plan may make a file, with which options, and how people call them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from nav_torch.exportable.request import FIRST_DYNAMO_OPSET, Request
from nav_torch.formats import TORCH_EXPORTED, TORCHSCRIPT_SCRIPT, TORCHSCRIPT_TRACE
from nav_torch.onnx_layout import OnnxLayout
from navcore import Format, Route

_TOLD = MappingProxyType(
    {
        "torch:onnx_from_torch_dynamo": "dynamo",
        "torch:onnx_from_torch_torchscript": "torchscript",
        "torch:torchscript_script_from_torch": "torch.jit.script",
        "torch:torchscript_trace_from_torch": "torch.jit.trace",
        "torch:exportedprogram_from_torch": "torch.export",
    }
)
_STATIC = "torch:onnx_from_torch_static"


def told_route(identity: str) -> str:
    """What people call the route of that id."""
    return _TOLD.get(identity, identity)


def variants(request: Request) -> tuple[Format, ...]:
    """The formats to try, one after the other: TorchScript is compiled or recorded."""
    if request.target.name != Format.TORCHSCRIPT.name:
        return (request.target,)
    return (TORCHSCRIPT_SCRIPT, TORCHSCRIPT_TRACE) if request.try_script else (TORCHSCRIPT_TRACE,)


def left_out(request: Request) -> Mapping[str, str]:
    """Routes that the request rules out, with the reason; the plan's order holds for the rest."""
    reasons = {_STATIC: "axes that were declared have to move"}
    for identity, name in _TOLD.items():
        if name in ("dynamo", "torchscript") and request.only not in ("auto", name):
            reasons[identity] = f"exporter={request.only!r} was asked for"
    if not request.set_eval:
        reasons.setdefault("torch:onnx_from_torch_dynamo", "it writes batch norms in evaluation mode")
    return reasons


def begins_with_capture(request: Request) -> bool:
    """Whether the way that is tried first captures the model by ``torch.export``."""
    if request.target.name == Format.ONNX.name:
        new = request.opset is None or request.opset >= FIRST_DYNAMO_OPSET
        return request.only == "dynamo" or (request.only == "auto" and new and request.set_eval)
    return request.target.name == TORCH_EXPORTED.name


def options_of(route: Route, request: Request) -> Any:
    """The options value with which the route makes the file; those of nav-torch's own know a file's layout."""
    if route.id not in _TOLD:
        return route.options() if route.options else None
    return OnnxLayout(
        opset=request.opset,
        weights=request.export_params,
        weights_as_inputs=request.keep_initializers_as_inputs,
        folded=request.do_constant_folding,
        training=not request.set_eval,
    )
