"""ONNX file → TensorRT network, and what the parser refused as a list that a person can act on."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

from navcore import ConversionError

SHOWN = 5
_LONGEST = 300  # characters of what the parser itself says
_QUOTED = re.compile(r'&& "(.+)"', re.DOTALL)
_NO_PLUGIN = "Plugin not found"
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
    nodes = all(_operator(error) for error in errors) and len(told)
    count = f"{nodes} node{'s' if nodes > 1 else ''}" if nodes else "the graph"
    listed = "; ".join(told[:SHOWN]) or "it gives no reason"
    return ConversionError(f"The parser refuses {count}: {listed}{more}.", hint=hint)


def _operator(error: Any) -> str:
    return str(error.node_operator())


def _line(trt: ModuleType, error: Any) -> str:
    described = str(error.desc())
    meaning = _meaning(trt, error, described)
    detail = "" if meaning == _NO_OPERATOR else _detail(described)
    told = f"{meaning} ({detail})" if detail else meaning
    if not _operator(error):
        return told
    return f"node {error.node_name() or f'number {error.node()}'} ({_operator(error)}): {told}"


def _detail(described: str) -> str:
    """The parser's own words in one line; often they are the C++ condition that did not hold, with a text in it."""
    quoted = _QUOTED.search(described)
    text = " ".join((quoted[1] if quoted else described).split()).rstrip(".")
    if text == "false" or (not quoted and "&&" in text):
        return ""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _meaning(trt: ModuleType, error: Any, described: str) -> str:
    if _NO_PLUGIN in described:
        return _NO_OPERATOR
    for name, meaning in _MEANINGS:  # older versions lack some of the codes
        if error.code() == getattr(trt.ErrorCode, name, None):
            return meaning
    return f"error {error.code()}"
