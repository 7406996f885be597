"""One SavedModel through tf2onnx, with its traps closed; what comes out is not checked yet.

Everything that reaches into tf2onnx 1.17 is in this module. Large models go another way than small ones: tf2onnx
copies the graph before every optimisation, and protobuf's C implementation keeps each copy, which together takes
sixty times the weights. Without the copies, with weights held outside the graph and with protobuf in Python, it is
seven times; graphs of many small nodes take twice as long then, so small models go the ordinary way.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs

from nav_tf.blame import blamed
from nav_tf.quiet import environment, quiet_settings
from nav_tf.serving import Serving
from navcore import ConversionError

if TYPE_CHECKING:
    from onnx import ModelProto

_PYTHON_PROTOBUF = {"PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python"}


@attrs.frozen(eq=False)
class Frozen:
    """A graph whose variables are constants; ``names`` maps its tensors to the signature's keys."""

    graph: Any
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    names: Mapping[str, str]
    tables: Any


@contextmanager
def surroundings(*, large: bool) -> Iterator[None]:
    """What the libraries read when they are imported: no GPU, no notices, and protobuf in Python for large models.

    Has to be around the first import of TensorFlow; a process that has imported it already keeps what it has.
    """
    settings = {**quiet_settings(), "CUDA_VISIBLE_DEVICES": "-1"}
    if large and not any(name.startswith("google.protobuf") for name in sys.modules):
        settings |= _PYTHON_PROTOBUF
    with environment(settings):
        import tensorflow  # noqa: F401
        import tf2onnx  # noqa: F401

        yield


def freeze(serving: Serving, *, large: bool) -> Frozen:
    """The signature's graph with its variables as constants.

    Captured tensors stay what they are: only the signature's own arguments become inputs.
    """
    import tensorflow as tf
    from tf2onnx import tf_loader

    function = serving.function
    own = len(function.inputs) - len(function.captured_inputs)
    inputs = [tensor.name for tensor in function.inputs[:own]]
    outputs = [tensor.name for tensor in function.outputs]
    names = {**_input_keys(function, inputs), **dict(zip(outputs, sorted(serving.outputs), strict=True))}
    with blamed(ConversionError, "Freezing the SavedModel"), tf.device("/cpu:0"):
        graph, tables = tf_loader.from_trackable(serving.loaded, function, inputs, outputs, large)
    _refuse_bfloat16(graph)
    return Frozen(graph, tuple(inputs), tuple(outputs), names, tables)


def _input_keys(function: Any, tensors: list[str]) -> dict[str, str]:
    """By tensor, its key. Placeholders carry the key's name; where they do not, both are in the order of the keys."""
    specs = function.structured_input_signature[1]
    by_name = {f"{spec.name}:0": key for key, spec in specs.items()}
    if set(by_name) == set(tensors):
        return by_name
    return dict(zip(tensors, sorted(specs), strict=True))


def _refuse_bfloat16(graph: Any) -> None:
    """tf2onnx types bfloat16 constants as float16, which makes an invalid model: say so before."""
    import tensorflow as tf

    nodes = [*graph.node, *(node for part in graph.library.function for node in part.node_def)]
    kinds = {value.type for node in nodes for value in node.attr.values() if value.WhichOneof("value") == "type"}
    if tf.bfloat16.as_datatype_enum in kinds:
        raise ConversionError(
            "The SavedModel computes in bfloat16, which tf2onnx writes wrongly.",
            hint="Export the model in float32 (its dtype policy decides).",
        )


def convert(frozen: Frozen, *, opset: int, large: bool) -> ModelProto:
    """The graph as ONNX at an opset of up to 18, inputs and outputs under the signature's keys.

    Operators that tf2onnx does not know are left in the graph under TensorFlow's name: the caller has to look for them.
    """
    import tensorflow as tf
    from tf2onnx import optimizer, tf_utils, tfonnx

    with blamed(ConversionError, "tf2onnx"), tf.Graph().as_default() as graph:
        weights = tf_utils.compress_graph_def(frozen.graph) if large else None
        tf.import_graph_def(frozen.graph, name="")
        made = tfonnx.process_tf_graph(
            graph,
            opset=opset,
            custom_op_handlers={"Erfc": (_erfc, [])},
            input_names=list(frozen.inputs),
            output_names=list(frozen.outputs),
            const_node_values=weights,
            tensors_to_rename=dict(frozen.names),
            initialized_tables=frozen.tables,
        )
        model: ModelProto = optimizer.optimize_graph(made, catch_errors=not large).make_model("navcore")
    return model


def _erfc(context: Any, node: Any, _name: str, _arguments: Any) -> None:
    """``erfc(x) = 1 − erf(x)``: exact GELU needs it, and ONNX has only Erf."""
    import numpy as np
    from tf2onnx import utils

    dtype, shape = context.get_dtype(node.output[0]), context.get_shape(node.output[0])
    source, output = node.input[0], node.output[0]
    context.remove_node(node.name)
    error = context.make_node("Erf", [source], dtypes=[dtype], shapes=[shape], op_name_scope=node.name)
    one = context.make_const(utils.make_name("one"), np.array(1, utils.map_onnx_to_numpy_type(dtype)))
    context.make_node(
        "Sub", [one.output[0], error.output[0]], outputs=[output], dtypes=[dtype], shapes=[shape], name=node.name
    )
