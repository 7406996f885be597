"""ONNX file → TensorRT network, and what the parser refused as a list that a person can act on."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from navcore.errors import ConversionError

SHOWN = 5
_NO_OPERATOR = "TensorRT has no such operator, and no plugin of that name is loaded"
_MEANINGS = (
    ("INVALID_NODE", "the node itself is not what TensorRT takes"),
    ("UNSUPPORTED_NODE_ATTR", "one of its attributes has a value that TensorRT does not take"),
    ("UNSUPPORTED_NODE_INPUT", "one of its inputs is of a kind that TensorRT does not take"),
    ("UNSUPPORTED_NODE_DATATYPE", "TensorRT does not compute it in that data type"),
    ("UNSUPPORTED_NODE_DYNAMIC", "TensorRT does not take it with dynamic axes"),
    ("UNSUPPORTED_NODE_SHAPE", "TensorRT does not take it in that shape"),
    ("UNSUPPORTED_NODE", "TensorRT does not support it"),
    ("INVALID_GRAPH", "the graph is not valid"),
    ("MODEL_DESERIALIZE_FAILED", "the file cannot be read"),
    ("INVALID_VALUE", "a value in it is not valid"),
)


def parse(trt: ModuleType, network: Any, logger: Any, path: Path) -> None:
    """Fill ``network`` from the ONNX file at ``path``, whose external weights lie beside it.

    Raises :class:`ConversionError` that lists the nodes the parser refused.
    """
    parser = trt.OnnxParser(network, logger)
    if parser.parse_from_file(str(path)):
        return
    errors = [parser.get_error(index) for index in range(parser.num_errors)]
    raise refused(trt, errors)


def refused(trt: ModuleType, errors: list[Any]) -> ConversionError:
    """The error for what the parser refused: node, operator, what is wrong with it; the operators once each."""
    told = list(dict.fromkeys(_line(trt, error) for error in errors))
    more = f"; and {len(told) - SHOWN} more, in the step's log" if len(told) > SHOWN else ""
    operators = ", ".join(sorted({_operator(error) for error in errors if _operator(error)}))
    hint = (
        f"Replace {operators} in the model, export at another opset, or use the ONNX file itself."
        if operators
        else "Check the ONNX file with onnx.checker."
    )
    count = f"{len(told)} node{'s' if len(told) > 1 else ''}" if told else "the graph"
    listed = "; ".join(told[:SHOWN]) or "it gives no reason"
    return ConversionError(f"The parser refuses {count}: {listed}{more}.", hint=hint)


def _operator(error: Any) -> str:
    return str(error.node_operator())


def _line(trt: ModuleType, error: Any) -> str:
    name = error.node_name() or f"number {error.node()}"
    where = f"node {name!r} ({_operator(error)})" if _operator(error) else "the graph"
    described = str(error.desc()).strip()
    # The parser's descriptions are often the C++ condition that did not hold; "false" says nothing to anybody.
    detail = "" if described in ("", "false") or "&&" in described else f" ({described})"
    return f"{where}: {_meaning(trt, error, described)}{detail}"


def _meaning(trt: ModuleType, error: Any, described: str) -> str:
    if "Plugin not found" in described:
        return _NO_OPERATOR
    for name, meaning in _MEANINGS:  # older versions lack some of the codes
        if error.code() == getattr(trt.ErrorCode, name, None):
            return meaning
    return f"error {error.code()}"
